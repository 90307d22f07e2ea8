"""Classes of types, made of functions and of classes with ``run``.

There is one kind of type: a decorator makes the class that could have been written.

Source:
    DESIGN section 1.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from flowser import serializing, types
from flowser._flow.payloads import Parameters
from flowser._settings import checked, class_of
from flowser.exceptions import InvalidArgument

T = TypeVar("T", bound=types.Type)

#: Gives the input of a call from its arguments.
Bind = Callable[[tuple[Any, ...], dict[str, Any]], Any]


class Declared(NamedTuple):
    """What was declared.

    Attributes:
        kind: The class.
        function: What a call runs outside of workflows.
        bind: Gives the input of a call.
    """

    kind: Any
    function: Callable[..., Any]
    bind: Bind


class OfFunction(types.Type):
    """A type that was made of a function: its input is an object of the parameters."""

    serializer = serializing.JSON
    parameters: Parameters

    @classmethod
    def id_of(cls, input: Any) -> str:
        """Make the id of an execution, or of a task, from a parameter ``id``.

        Raises:
            InvalidArgument: When there is none; the id says what must not run twice,
                so that none is made up.
        """
        if "id" not in cls.parameters.names:
            remedy = 'pass an id (workflow_id="order-17"), or name a parameter `id`'
            raise InvalidArgument(cls.__qualname__, "has no parameter `id`", remedy)
        return super().id_of(input)

    @classmethod
    def check_payloads(cls) -> None:
        """Refuse annotations of the function that JSON cannot be."""
        cls.parameters.check()

    @classmethod
    def _read_hints(cls) -> tuple[Any, Any]:
        return cls.parameters.struct, cls.parameters.result


class OfWorkflowFunction(OfFunction):
    """A type of workflows that was made of a function."""

    @classmethod
    def dump(cls, value: Any) -> str | None:
        """Write an input; who starts a run is told of a wrong one, not its worker.

        Raises:
            SerializationError: When the function does not take it.
        """
        text = super().dump(value)
        serializing.JSON.loads(text or "{}", cls.parameters.struct)
        return text


class Nowhere:
    """The domain of an instance that only a unit test has."""

    name = ""
    serializer: serializing.Serializer = serializing.JSON

    def type_of(self, _: Any, /) -> None:
        """Know no types."""

    async def call(self, request: Any, /) -> Any:
        """Send nothing."""
        raise InvalidArgument("domain", "is missing", f"start {request!r} in one")


def declared(made_of: Any, base: type[T], settings: dict[str, Any]) -> Declared:
    """Make a class of a function, or of a class with ``run``.

    Args:
        made_of: The function or the class.
        base: `types.Activity` or `types.Workflow`.
        settings: What the class is to say of itself.

    Raises:
        InvalidArgument: When it can be no type, with the remedy.
    """
    if inspect.isclass(made_of):
        return _of_class(made_of, base, settings)
    _check_function(made_of)
    settings.setdefault("name", made_of.__name__)
    parameters = Parameters(made_of)
    if parameters.bound:
        remedy = "write a function, or decorate a class with run(self, input)"
        raise InvalidArgument(made_of.__qualname__, "is a method", remedy)
    body = {"run": _run(made_of, parameters, base), "parameters": parameters}
    ours = OfWorkflowFunction if issubclass(base, types.Workflow) else OfFunction
    kind = _made(made_of, (ours, base), settings | body)
    checked(kind, base, made_of.__name__)
    return Declared(kind, made_of, parameters.bind)


def _check_function(made_of: Any) -> None:
    if inspect.isclass(class_of(made_of)):
        remedy = "decorate its function, or its class, once"
        raise InvalidArgument(repr(made_of), "is decorated already", remedy)
    if not (callable(made_of) and hasattr(made_of, "__qualname__")):
        remedy = "decorate an async def, or a class with run"
        raise InvalidArgument(repr(made_of), "is no function", remedy)
    if inspect.isgeneratorfunction(made_of) or inspect.isasyncgenfunction(made_of):
        remedy = "return a list, or heartbeat what is known so far"
        raise InvalidArgument(made_of.__qualname__, "yields", remedy)


def _run(function: Any, parameters: Parameters, base: type[Any]) -> Any:
    async def run(_: Any, input: Any) -> Any:
        return await parameters.call(input)

    def run_plainly(_: Any, input: Any) -> Any:
        return parameters.call(input)

    if inspect.iscoroutinefunction(function):
        return run
    if issubclass(base, types.Workflow):
        problem = "is a plain def"
        raise InvalidArgument(function.__qualname__, problem, "write async def")
    return run_plainly


def _of_class(given: Any, base: type[T], settings: dict[str, Any]) -> Declared:
    if issubclass(given, OfFunction):
        parameters = given.parameters
        return Declared(given, parameters.function, parameters.bind)
    run = getattr(given, "run", None)
    if run is None:
        problem, remedy = "has no run", "write async def run(self, input)"
        raise InvalidArgument(given.__name__, problem, remedy)
    if not inspect.iscoroutinefunction(run) and issubclass(base, types.Workflow):
        problem = "is a plain def"
        raise InvalidArgument(f"{given.__name__}.run", problem, "write async def")
    kind = given
    if settings or not issubclass(given, base):
        settings.setdefault("name", getattr(given, "name", given.__name__))
        bases = (given,) if issubclass(given, base) else (given, base)
        kind = _made(given, bases, settings)
    checked(kind, base, given.__name__)
    parameters = Parameters(_unbound(kind))

    def bind(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return next(iter(parameters.bind(args, kwargs).values()), None)

    def function(*args: Any, **kwargs: Any) -> Any:
        return kind(Nowhere()).run(*args, **kwargs)

    return Declared(kind, function, bind)


def _unbound(kind: Any) -> Any:
    """Give ``run`` without its ``self``."""
    return object.__new__(kind).run


def _made(source: Any, bases: tuple[Any, ...], body: dict[str, Any]) -> Any:
    told = {
        "__module__": source.__module__,
        "__qualname__": source.__qualname__,
        "__doc__": source.__doc__,
    }
    return type(source.__name__, bases, told | body)
