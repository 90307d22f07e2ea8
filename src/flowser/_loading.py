"""Loading what ``python -m flowser.run`` was told to: the domain, and its worker.

Rules: the file is run once, under its own name, with its folder first on ``sys.path``;
nothing is imported that was not named on the command line.

Source:
    reliability.md section 5 and section 4 experiment 37.
"""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, NamedTuple

from flowser.domain import Domain
from flowser.exceptions import Error
from flowser.worker import Worker


class Broken(Exception):
    """Something for which a worker cannot begin.

    Attributes:
        trace: The traceback of the loaded code, when it was that which failed.
    """

    def __init__(self, problem: str, trace: str = "") -> None:
        super().__init__(problem)
        self.trace = trace


class Target(NamedTuple):
    """What was found.

    Attributes:
        domain: The class of the domain.
        factory: Makes the worker of a domain.
        where: The file or module, for messages.
    """

    domain: type[Domain]
    factory: Callable[..., Worker]
    where: str

    @property
    def types(self) -> int:
        """How many types the domain has."""
        lists = self.domain.workflow_types, self.domain.activity_types
        return sum(len(tuple(types or ())) for types in lists)

    def make(self, conn: Any, options: dict[str, Any]) -> tuple[Domain, Worker]:
        """Make the domain and its worker.

        Raises:
            Broken: When the loaded code fails.
            Error: When flowser refuses it.
        """
        try:
            domain = self.domain(conn)
            worker = self.factory(domain, **options)
        except Error:
            raise
        except Exception as error:
            raise _failed(self.where, error) from error
        if not isinstance(worker, Worker):
            name = getattr(self.factory, "__name__", "worker")
            problem = f"{self.where}: {name}() gives {worker!r}, not a flowser.Worker"
            raise Broken(problem)
        return domain, worker


def load(target: str) -> Target:
    """Load a file or a module, and find what to serve.

    Args:
        target: ``worker.py``, ``package.module``, either with ``:name`` of a domain, or
            of what makes a worker.

    Raises:
        Broken: Saying in one line what is wrong.
    """
    where, _, name = target.rpartition(":")
    if not (where and name.isidentifier()):  # a URL, a Windows drive
        where, name = target, ""
    module = _file(where) if _is_file(where) else _module(where)
    named: Any = _named(module, where, name) if name else None
    if _is_domain(named):
        return Target(named, _factory(module, where), where)
    domain = _only(module, where)
    return Target(domain, named or _factory(module, where), where)


def _is_file(where: str) -> bool:
    path = Path(where)
    return path.suffix == ".py" or len(path.parts) > 1 or path.is_file() or where == "."


def _file(where: str) -> ModuleType:
    path = Path(where)
    if "://" in where:
        raise Broken(f"{where} is a URL: give a file on this machine")
    if path.is_dir():
        raise Broken(f"{where} is a folder: give the file in it, or package.module")
    if not path.is_file():
        raise Broken(f"{where}: there is no such file")
    path = path.resolve()
    if path.stem in sys.modules:
        raise Broken(f"{where}: a module {path.stem!r} is loaded already; rename it")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise Broken(f"{where} is no Python file")
    if sys.path[0] in ("", str(Path.cwd())):  # put there by `python -m`
        del sys.path[0]
    sys.path.insert(0, str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    loader = spec.loader
    _run(where, lambda: loader.exec_module(module))
    return module


def _module(where: str) -> ModuleType:
    if not all(part.isidentifier() for part in where.split(".")):
        raise Broken(f"{where}: there is no such file, and no module has this name")
    try:
        found = importlib.util.find_spec(where)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{where}.".startswith(f"{error.name}."):
            raise _failed(where, error) from error
        found = None
    except (Exception, SystemExit) as error:
        raise _failed(where, error) from error
    if found is None:
        raise Broken(f"{where}: there is no such module")
    _run(where, lambda: importlib.import_module(where))
    return sys.modules[where]


def _run(where: str, load: Callable[[], object]) -> None:
    try:
        load()
    except (Exception, SystemExit) as error:
        raise _failed(where, error) from error


def _failed(where: str, error: BaseException) -> Broken:
    """Make the error for loaded code that failed, without the frames of others."""
    words = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    frames = _theirs(error.__traceback__)
    trace = "".join(traceback.format_exception(type(error), error, frames))
    return Broken(f"{where} cannot be loaded: {words}", trace)


def _theirs(frames: TracebackType | None) -> TracebackType | None:
    """Leave out the frames that led to the loaded code."""
    while frames is not None:
        name = frames.tb_frame.f_code.co_filename
        if name != __file__ and "importlib" not in name:
            return frames
        frames = frames.tb_next
    return None


def _named(module: ModuleType, where: str, name: str) -> Any:
    """Give the domain or the factory of a name."""
    found = getattr(module, name, None)
    if found is None:
        raise Broken(f"{where} has no {name!r}")
    _check_made(found, where, name)
    if not (_is_domain(found) or _makes_worker(found)):
        words = "is no subclass of flowser.Domain with a name, nor of flowser.Worker"
        raise Broken(f"{where}:{name} {words}, nor a function that makes a worker")
    return found


def _factory(module: ModuleType, where: str) -> Callable[..., Worker]:
    """Find what makes the worker: ``worker``, the only subclass, or Worker itself."""
    given: Callable[..., Worker] | None = getattr(module, "worker", None)
    _check_made(given, where, "worker")
    if given is not None and _makes_worker(given):
        return given
    own = {
        id(thing): thing
        for name, thing in vars(module).items()
        if _is_worker(thing) and thing.__module__ == module.__name__
    }
    match list(own.values()):
        case []:
            for name, thing in vars(module).items():
                _check_made(thing, where, name)
            return Worker
        case [only]:
            return only  # type: ignore[no-any-return]  # _is_worker said so
        case several:
            names = [each.__name__ for each in several]
            words = f"has several workers, {', '.join(names)}"
            raise Broken(f"{where} {words}: say which, as worker = {names[0]}")


def _check_made(thing: object, where: str, name: str) -> None:
    """Refuse a worker that is made already: here is no connection for it."""
    if isinstance(thing, Worker):
        remedy = "give a function worker(domain), or a subclass of flowser.Worker"
        problem = f"{where}:{name} is a worker, which needs a connected domain"
        raise Broken(f"{problem}: {remedy}")


def _is_worker(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, Worker)


def _makes_worker(thing: Any) -> bool:
    return _is_worker(thing) or (callable(thing) and not isinstance(thing, type))


def _only(module: ModuleType, where: str) -> type[Domain]:
    found = {id(thing): thing for thing in vars(module).values() if _is_domain(thing)}
    match list(found.values()):
        case [domain]:
            return domain  # type: ignore[no-any-return]  # _is_domain said so
        case []:
            words = "has no subclass of flowser.Domain with a name"
            raise Broken(f"{where} {words}")
        case several:
            names = [each.__name__ for each in several]
            words = f"has several domains, {', '.join(names)}"
            raise Broken(f"{where} {words}: say which, as {where}:{names[0]}")


def _is_domain(thing: Any) -> bool:
    return (
        isinstance(thing, type)
        and issubclass(thing, Domain)
        and isinstance(getattr(thing, "name", None), str)
    )
