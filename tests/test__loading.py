"""What the run command was told to load is found, or one line says why not."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowser import _loading
from flowser._loading import Broken
from flowser.exceptions import InvalidArgument
from flowser.worker import Worker
from tests.declared import Nowhere

ONE = """
import flowser
from flowser import Domain, types

class Resize(types.Activity):
    name, version, task_list = "Resize", "1.0", "images"
    def run(self, input): ...

class Base(flowser.Domain):
    pass

class Photos(Base):
    name = "photos"
    activity_types = [Resize]

Alias = Photos
"""
TWO = f"""{ONE}
class Films(flowser.Domain):
    name = "films"
"""


@pytest.fixture(autouse=True)
def imports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Load from an empty folder, and leave no module behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def written(name: str, text: str) -> str:
    """Write a file in the folder."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name


def test_file_is_loaded_under_its_name_with_its_folder_first() -> None:
    Path("sub").mkdir()
    written("sub/helper_of_shop.py", "answer = 42")
    target = _loading.load(
        written("sub/shop1.py", f"{ONE}\nfrom helper_of_shop import answer")
    )
    assert target.domain.name == "photos"
    assert target.domain.__module__ == "shop1"
    assert sys.path[0] == str(Path("sub").resolve())
    assert "" not in sys.path
    assert target.types == 1
    assert target.factory is Worker


def test_module_is_found_as_python_finds_it() -> None:
    written("shops/__init__.py", "")
    written("shops/second.py", ONE)
    assert _loading.load("shops.second").domain.name == "photos"


@pytest.mark.parametrize(
    ("target", "name"), [(":Films", "films"), (":Alias", "photos")]
)
def test_domain_is_chosen_by_name(target: str, name: str) -> None:
    path = written("shop3.py", TWO)
    assert _loading.load(path + target).domain.name == name


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("nowhere.py", "nowhere.py: there is no such file"),
        ("a/nowhere.py", "a/nowhere.py: there is no such file"),
        ("nowhere", "nowhere: there is no such module"),
        ("nowhere.at.all", "nowhere.at.all: there is no such module"),
        ("no-module", "no-module: there is no such file, and no module has this name"),
        (".", ". is a folder: give the file in it, or package.module"),
        ("http://host/shop.py", "http://host/shop.py is a URL"),
        ("shop.py:Nobody", "shop.py has no 'Nobody'"),
        ("shop.py:Resize", "shop.py:Resize is no subclass of flowser.Domain with"),
        ("shop.py:Base", "shop.py:Base is no subclass of flowser.Domain with a name"),
        ("shop.py", "several domains, Photos, Films: say which, as shop.py:Photos"),
        ("json.py", "json.py: a module 'json' is loaded already; rename it"),
        (
            "broken.py",
            "broken.py cannot be loaded: ZeroDivisionError: division by zero",
        ),
        ("pack.broken", "pack.broken cannot be loaded: ZeroDivisionError"),
        ("pack.lame", "pack.lame cannot be loaded: ModuleNotFoundError: No module n"),
    ],
)
def test_what_cannot_be_loaded_is_told_in_one_line(target: str, problem: str) -> None:
    written("shop.py", TWO)
    written("json.py", ONE)
    written("broken.py", "1 / 0")
    written("pack/__init__.py", "")
    written("pack/broken.py", "1 / 0")
    written("pack/lame.py", "import nowhere")
    with pytest.raises(Broken) as caught:
        _loading.load(target)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    assert bool(caught.value.trace) == ("cannot be loaded" in problem)
    assert "_loading" not in caught.value.trace


OWN = f"""{ONE}
class Own(flowser.Worker):
    pass
"""


@pytest.mark.parametrize(
    "worker",
    [
        "worker = Own",
        "def worker(domain, **options): return Own(domain, **options)",
    ],
)
def test_worker_of_the_program_is_made(worker: str) -> None:
    target = _loading.load(written("shop4.py", f"{OWN}\n{worker}"))
    domain, made = target.make(Nowhere(), {"decisions": 3})
    assert type(made).__name__ == "Own"
    assert made.domain is domain


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (OWN, ""),  # the only subclass, of any name
        (f"{OWN}\nfrom flowser.run import main\nAlias2 = Own", ""),
        (f"{OWN}\nclass Other(flowser.Worker): pass", ":Own"),
        (f"{OWN}\ndef make(domain, **options): return Own(domain, **options)", ":make"),
        (f"{OWN}\nclass Other(flowser.Worker): pass\nworker = Own", ":Photos"),
        (OWN, ":Photos"),
    ],
)
def test_worker_is_found_by_its_class_or_by_name(text: str, name: str) -> None:
    target = _loading.load(written("shop6.py", text) + name)
    domain, made = target.make(Nowhere(), {"decisions": 3})
    assert type(made).__name__ == "Own"
    assert made.domain is domain
    assert domain.name == "photos"


def test_subclass_that_was_imported_is_not_taken_for_the_worker() -> None:
    written("house_rules.py", "import flowser\nclass Strict(flowser.Worker): pass")
    target = _loading.load(
        written("shop7.py", f"{ONE}\nfrom house_rules import Strict")
    )
    assert target.factory is Worker


INSTANCE = f"""{ONE}
class Wire:
    async def call(self, operation, params, result_type): ...
photos = Photos(Wire())
"""


@pytest.mark.parametrize(
    ("text", "name", "problem"),
    [
        (
            "made = flowser.Worker(photos)",
            "",
            "shop8.py:made is a worker, whic",
        ),
        (
            "worker = flowser.Worker(photos)",
            "",
            "give a function worker(domain",
        ),
        (
            "made = flowser.Worker(photos)",
            ":made",
            "or a subclass of flowser.W",
        ),
        (
            "class A(flowser.Worker): pass\nclass B(flowser.Worker): pass",
            "",
            "shop8.py has several workers, A, B: say which, as worker = A",
        ),
        ("answer = 42", ":answer", "nor a function that makes a worker"),
    ],
)
def test_worker_that_cannot_be_found_is_told_in_one_line(
    text: str, name: str, problem: str
) -> None:
    with pytest.raises(Broken) as caught:
        _loading.load(written("shop8.py", f"{INSTANCE}\n{text}") + name)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("worker", "error", "problem"),
    [
        ("def worker(domain): return None", Broken, "worker.. gives None, not a flo"),
        ("def worker(domain): 1 / 0", Broken, "ZeroDivisionError"),
        ("def worker(domain): Own(domain, drain=-1)", InvalidArgument, "drain is -1"),
    ],
)
def test_worker_that_cannot_be_made_is_told(
    worker: str, error: Any, problem: str
) -> None:
    target = _loading.load(written("shop5.py", f"{OWN}\n{worker}"))
    with pytest.raises(error, match=problem):
        target.make(Nowhere(), {})
