"""A lint names what workflow code calls that cannot be replayed, and nothing else."""

import functools
import importlib
import importlib.util
import linecache
import logging
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from flowser import flow, types
from flowser._flow.linting import rules
from flowser.domain import Domain
from flowser.exceptions import InvalidArgument
from flowser.worker import Worker
from tests.declared import Nowhere, connected
from tests.support.processes import ROOT, run_python
from tests.support.watched import WatchedSwf

EXAMPLES = [*(ROOT / "examples").glob("*.py")]

HEAD = """
import asyncio
from flowser import flow, types
workflow = flow.workflow(version="1.0", task_list="t")
activity = flow.activity(version="1.0", task_list="t")
"""

Load = Callable[..., Any]


@pytest.fixture(autouse=True)
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Load]:
    """Give a function that writes files and imports the first; leave none behind."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def load(**files: str) -> Any:
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(HEAD + dedent(text))
        importlib.invalidate_caches()
        return importlib.import_module(next(iter(files)).replace("__", "."))

    yield load
    for name in set(sys.modules) - before:
        module = sys.modules[name]
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        if any(str(place).startswith(str(tmp_path)) for place in places):
            del sys.modules[name]
    linecache.clearcache()


def found(load: Load, above: str, body: str) -> list[str]:
    """Name what is found in a workflow that has this body."""
    head = "@workflow\nasync def order(id: str = '', input: int = 0) -> None:\n"
    text = f"{dedent(above)}\n{head}{indent(dedent(body).strip(), '    ')}\n"
    return [each.what for each in flow.lint(load(shop_flows=text).order)]


# -- rules, under the names that things are imported by --


@pytest.mark.parametrize(
    ("above", "body", "what"),
    [
        ("import time", "time.time()", "time.time()"),
        ("import time as t", "t.time_ns()", "time.time_ns()"),
        ("from time import time", "time()", "time.time()"),
        ("from time import monotonic as tick", "tick()", "time.monotonic()"),
        ("import time\nnow = time.perf_counter", "now()", "time.perf_counter()"),
        ("", "import time\ntime.time()", "time.time()"),
        ("", "from time import time as t\nt()", "time.time()"),
        ("import time", "time.sleep(1)", "time.sleep()"),
        ("import time", "time.localtime()", "time.localtime()"),
        ("import time", "time.strftime('%Y')", "time.strftime()"),
        ("import datetime", "datetime.datetime.now()", "datetime.datetime.now()"),
        ("import datetime as d", "d.datetime.utcnow()", "datetime.datetime.utcnow()"),
        ("from datetime import datetime", "datetime.now()", "datetime.datetime.now()"),
        ("from datetime import datetime as d", "d.today()", "datetime.date.today()"),
        ("from datetime import date", "date.today()", "datetime.date.today()"),
        (
            "from datetime import datetime\nnow = datetime.now",
            "now()",
            "datetime.datetime.now()",
        ),
        (
            "from datetime import datetime\nclass Day(datetime): pass",
            "Day.now()",
            "datetime.datetime.now()",
        ),
        ("import random", "random.random()", "random.random()"),
        ("import random", "random.shuffle([])", "random.shuffle()"),
        ("from random import choice as pick", "pick([1])", "random.choice()"),
        ("import random\nrng = random.Random(7)", "rng.random()", "random.random()"),
        ("import random", "random.Random()", "random.Random()"),
        ("from random import SystemRandom", "SystemRandom()", "random.SystemRandom()"),
        ("import uuid", "uuid.uuid4()", "uuid.uuid4()"),
        ("from uuid import uuid1", "str(uuid1())", "uuid.uuid1()"),
        ("import secrets", "secrets.token_hex()", "secrets.token_hex()"),
        ("from secrets import token_bytes as t", "t(3)", "secrets.token_bytes()"),
        ("import os", "os.urandom(3)", "os.urandom()"),
        ("from os import urandom", "urandom(3)", "os.urandom()"),
        ("import os", "os.environ['A']", "os.environ"),
        ("import os", "os.environ.get('A')", "os.environ"),
        ("from os import environ", "environ['A']", "os.environ"),
        ("import os", "os.getenv('A')", "os.getenv()"),
        ("import os", "os.listdir()", "os.listdir()"),
        ("from os import listdir", "listdir()", "os.listdir()"),
        ("import os", "os.path.exists('a')", "os.path.exists()"),
        ("from os.path import exists", "exists('a')", "os.path.exists()"),
        ("import os", "os.system('true')", "os.system()"),
        ("import os", "os._exit(1)", "os._exit()"),
        ("import sys", "sys.exit(1)", "sys.exit()"),
        ("from sys import exit", "exit()", "sys.exit()"),
        ("import sys", "print(sys.argv)", "sys.argv"),
        ("import platform", "platform.node()", "platform.node()"),
        ("", "open('a')", "open()"),
        ("import io", "io.open('a')", "io.open()"),
        ("", "with open('a') as file:\n    pass", "open()"),
        (
            "from pathlib import Path",
            "Path('a').read_text()",
            "pathlib.Path.read_text()",
        ),
        (
            "from pathlib import Path\nHERE = Path('a')",
            "(HERE / 'b').write_bytes(b'')",
            "pathlib.Path.write_bytes()",
        ),
        (
            "from pathlib import Path",
            "at = Path('a')\nat.parent.joinpath('b').open()",
            "pathlib.Path.open()",
        ),
        ("from pathlib import Path", "Path.cwd()", "pathlib.Path.cwd()"),
        ("import shutil", "shutil.copy('a', 'b')", "shutil.copy()"),
        ("import tempfile", "tempfile.mkstemp()", "tempfile.mkstemp()"),
        ("", "breakpoint()", "breakpoint()"),
        ("import socket", "socket.socket()", "socket.socket()"),
        (
            "from socket import create_connection as c",
            "c(1)",
            "socket.create_connection()",
        ),
        ("import urllib.request as u", "u.urlopen('a')", "urllib.request.urlopen()"),
        (
            "",
            "from urllib.request import urlopen\nurlopen('a')",
            "urllib.request.urlopen()",
        ),
        ("import requests", "requests.get('a')", "requests.get()"),
        ("from requests import post", "post('a').json()", "requests.api.post()"),
        (
            "import requests\nsession = requests.Session()",
            "session.get('a')",
            "requests.sessions.Session.get()",
        ),
        ("", "import httpx\nhttpx.get('a')", "httpx.get()"),
        ("", "from httpx import get\nget('a')", "httpx.get()"),
        ("import boto3", "boto3.client('s3')", "boto3.client()"),
        ("import aiohttp", "aiohttp.ClientSession()", "aiohttp.ClientSession()"),
        ("import sqlite3", "sqlite3.connect('a')", "sqlite3.connect()"),
        ("import subprocess", "subprocess.run(['a'])", "subprocess.run()"),
        ("from subprocess import Popen", "Popen(['a'])", "subprocess.Popen()"),
        ("import threading", "threading.Lock()", "threading.Lock()"),
        (
            "import threading",
            "threading.Thread(target=print).start()",
            "threading.Thread.start()",
        ),
        (
            "from concurrent.futures import ThreadPoolExecutor as Pool",
            "Pool()",
            "concurrent.futures.thread.ThreadPoolExecutor()",
        ),
        ("", "await asyncio.to_thread(print)", "asyncio.to_thread()"),
        (
            "from asyncio import to_thread",
            "await to_thread(print)",
            "asyncio.to_thread()",
        ),
        ("import anyio", "await anyio.connect_tcp('a', 1)", "anyio.connect_tcp()"),
        ("", "asyncio.run(None)", "asyncio.run()"),
        (
            "",
            "loop = asyncio.get_running_loop()\nloop.run_in_executor(None, print)",
            "asyncio.AbstractEventLoop.run_in_executor()",
        ),
        ("def helper(): return id(order)", "helper()", "id()"),
        ("", "hash('a')", "hash()"),
        ("", "global counter\ncounter = 1", "global counter"),
    ],
)
def test_what_cannot_be_replayed_is_found(
    load: Load, above: str, body: str, what: str
) -> None:
    assert found(load, above, body) == [what]


@pytest.mark.parametrize("name", ["requests", "httpx"])
def test_raising_and_catching_an_exception_of_a_library_is_right(
    load: Load, name: str
) -> None:
    body = f"""
    import {name}
    try:
        await asyncio.sleep(1)
    except {name}.ReadTimeout:
        pass
    """
    assert found(load, "", body) == []


# -- what is right --


@pytest.mark.parametrize(
    ("above", "body"),
    [
        ("", "await asyncio.sleep(1)"),
        ("", "asyncio.get_running_loop().time()"),
        ("", "async with asyncio.timeout(3):\n    await asyncio.sleep(1)"),
        ("", "print(id, input, flow.now(), flow.uuid4())"),
        ("", "flow.random().shuffle([])"),
        ("", "rng = flow.random()\nrng.choice([1])"),
        ("import random", "random.Random(3).random()"),
        ("import random", "random.Random(*[3])"),
        ("import random", "rng = random.Random(flow.random().random())\nrng.gauss()"),
        ("import time", "time.strftime('%Y', time.gmtime(0))"),
        ("import time", "time = flow.now()\ntime.time()"),
        ("import datetime", "datetime.datetime.fromisoformat('2020-01-01')"),
        ("from datetime import datetime, UTC", "datetime.fromtimestamp(0, UTC)"),
        ("from datetime import datetime", "flow.now() < datetime(2020, 1, 1)"),
        ("import uuid", "uuid.uuid5(uuid.NAMESPACE_DNS, 'a')"),
        ("import uuid", "uuid.UUID('0' * 32).hex"),
        ("import os", "os.path.join('a', 'b') + os.sep"),
        ("import os", "os.fspath('a')"),
        ("from pathlib import Path, PurePath", "(PurePath('a') / Path('b')).name"),
        ("from pathlib import Path", "str(Path('a').with_suffix('.b').parent)"),
        ("from urllib.parse import quote", "quote('a')"),
        ("import socket", "print(socket.AF_INET, isinstance(1, socket.socket))"),
        ("import subprocess", "raise subprocess.CalledProcessError(1, 'a')"),
        ("import logging", "logging.getLogger('a').info('b')"),
        ("import hashlib, json", "hashlib.sha256(json.dumps({}).encode())"),
        ("import queue", "try:\n    pass\nexcept queue.Empty:\n    pass"),
        ("from typing import TYPE_CHECKING", "if TYPE_CHECKING:\n    open('a')"),
        ("import typing", "if typing.TYPE_CHECKING:\n    import requests"),
        ("import requests", "answer: requests.Response | None = None"),
        ("", "hash(3), hash((1, 2))"),
        ("def open(name): return name", "open('a')"),
        ("def helper(time): return time.time()", "helper(None)"),
        ("", "def open(name):\n    return name\nopen('a')"),
        ("", "for open in [print]:\n    open('a')"),
        ("", "[open('a') for open in [print]]"),
        ("", "(lambda open: open('a'))(print)"),
        ("", "match {'a': 1}:\n    case {'a': open}:\n        open('a')"),
        ("", "try:\n    pass\nexcept OSError as open:\n    open('a')"),
        ("", "import json as open\nopen.dumps('a')"),
        ("", "unknown.time()\nasyncio.unknown()"),
    ],
)
def test_what_can_be_replayed_is_not_found(load: Load, above: str, body: str) -> None:
    assert found(load, above, body) == []


# -- sets --

TAGS = """
TAGS = {"a", "b"}
NUMBERS = frozenset({1, 2})
async def named() -> list[str]: ...
def tagged() -> set[str]: ...
@activity
async def names() -> list[str]: ...
class Plain: ...
"""


@pytest.mark.parametrize(
    "body",
    [
        "for tag in {'a', 'b'}: print(tag)",
        "for tag in TAGS: print(tag)",
        "for tag in tagged(): print(tag)",
        "for tag in set(await names()): print(tag)",
        "for tag in set(await named()) - {'c'}: print(tag)",
        "tags: set[str] = set()\nfor tag in tags: print(tag)",
        "tags = {f'{n}' for n in range(3)}\nprint([tag for tag in tags])",
        "plain = {Plain(), Plain()}\nprint(list(plain))",
        "print(*{'a', 'b'})",
        "print(','.join({'a', 'b'}))",
        "print(list(enumerate(TAGS)))",
        "print({tag: 1 for tag in TAGS})",
        "tags = {'a', 'b'}\ntags.pop()",
        "next(iter(TAGS))",
        "await asyncio.gather(*(asyncio.sleep(1, tag) for tag in TAGS))",
    ],
)
def test_the_order_of_a_set_of_texts_is_found(load: Load, body: str) -> None:
    assert set(found(load, TAGS, body)) == {"a set"}


@pytest.mark.parametrize(
    "body",
    [
        "for tag in sorted({'a', 'b'}): print(tag)",
        "for number in {1, 2}: print(number)",
        "for number in NUMBERS: print(number)",
        "for each in unknown(): print(each)",
        "for each in set(unknown): print(each)",
        "print(sorted(tag.upper() for tag in TAGS), 'a' in TAGS, len(TAGS))",
        "print(any(tag == 'a' for tag in TAGS), {tag for tag in TAGS})",
        "print(sorted(list(TAGS)), max(map(len, TAGS)), set(list(TAGS)))",
        "tasks = {asyncio.create_task(named())}\nfor each in tasks: print(each)",
        "tasks: set[asyncio.Task[str]] = set()\nfor each in tasks: print(each)",
        "done, _ = await asyncio.wait([names.start()])\nfor each in done: print(each)",
        "handles = {names.start() for _ in range(3)}\nfor each in handles: print(each)",
        "for key in {'a': 1, 'b': 2}: print(key)",
    ],
)
def test_the_order_of_what_keeps_it_is_right(load: Load, body: str) -> None:
    assert found(load, TAGS, body) == []


@pytest.mark.parametrize(
    ("items", "what"),
    [
        ("[names(), named()]", ["asyncio.as_completed()"]),
        ("[names() for _ in range(3)]", ["asyncio.as_completed()"]),
        ("(named() for _ in range(3))", ["asyncio.as_completed()"]),
        ("[names.start(), names.start()]", []),
        ("[asyncio.create_task(named())]", []),
        ("unknown", []),
    ],
)
def test_as_completed_is_found_over_bare_coroutines_only(
    load: Load, items: str, what: list[str]
) -> None:
    body = f"for each in asyncio.as_completed({items}):\n    await each"
    assert found(load, TAGS, body) == what
    body = f"items = {items}\nfor each in asyncio.as_completed(items):\n    await each"
    assert found(load, TAGS, body) == what


# -- where it is looked for --

CALLED = """
import time
from dataclasses import dataclass, field
from functools import cache, cached_property, partial, wraps

def helper():
    return deeper()

def deeper():
    return time.time()

def retried(function):
    @wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper

decorated = retried(deeper)
cached = cache(deeper)
bound = partial(deeper)
quick = lambda: time.time()

class Cart:
    def __init__(self):
        self.price()

    def price(self):
        return time.time()

class Kept:
    @property
    def price(self):
        return time.time()

    @cached_property
    def tax(self):
        return time.time()

    @staticmethod
    def fixed(amount):
        return time.time()

    @classmethod
    def made(cls):
        return cls().whole()

    def whole(self):
        return self.price

    def __call__(self):
        return self.tax

class Dearer(Kept):
    def whole(self):
        return super().whole()

kept = Kept()

@dataclass
class Line:
    at: float = field(default_factory=time.time)

@dataclass
class Held:
    cart: Kept

@activity
def billed():
    return time.time()
"""


@pytest.mark.parametrize(
    "body",
    [
        "helper()",
        "list(map(helper, []))",
        "asyncio.get_running_loop().call_later(1, helper)",
        "decorated()",
        "cached()",
        "bound()",
        "quick()",
        "(lambda: time.time())()",
        "Cart()",
        "Kept().price",
        "kept.price",
        "kept.tax",
        "Kept.fixed(3)",
        "Kept.made()",
        "kept()",
        "Dearer().whole()",
        "Line()",
        "kept = Kept()\nkept.whole()",
        "def inner():\n    return time.time()\ninner()",
        "def inner():\n    return time.time()\nsorted([], key=inner)",
        "@flow.on_signal('a')\ndef inner(_):\n    return time.time()",
        "async def inner():\n    time.time()\nasyncio.create_task(inner())",
        "billed.function()",
        "await flow.step(str, time.time())",
        "await flow.step(partial(str, time.time()))",
        "if time.time() > 3 or [each for each in [1] if time.time()]:\n    pass",
        "print(f'{time.time()}', key=time.time())",
        "try:\n    pass\nfinally:\n    time.time()",
        "print(\n    1,\n    time.time(),\n)",
    ],
)
def test_all_that_a_workflow_calls_is_looked_through(load: Load, body: str) -> None:
    assert set(found(load, CALLED, body)) == {"time.time()"}


@pytest.mark.parametrize(
    "body",
    [
        "await billed()",
        "billed.start()",
        "await flow.step(helper)",
        "await flow.step(time.time)",
        "await flow.step(lambda: time.time())",
        "await flow.step(partial(helper, 3))",
        "await flow.step(kept.whole)",
        "step = flow.step\nawait step(time.time)",
        "from flowser.flow import step\nawait step(time.time)",
        "def inner():\n    return time.time()\nawait flow.step(inner)",
        "def inner():\n    return time.time()",
        "@activity\ndef inner():\n    return time.time()\nawait inner()",
        "Line(3.0)",
        "Line(at=3.0)",
        "isinstance(1, Cart)",
        "Held",
    ],
)
def test_what_runs_elsewhere_is_left_out(load: Load, body: str) -> None:
    assert found(load, CALLED, body) == []


def test_a_finding_says_where_it_is_and_what_to_do_instead(load: Load) -> None:
    text = """
    import time

    def helper():
        return 1 + time.time()

    @workflow
    async def order():
        helper()
    """
    module = load(shop_flows=text)
    [finding] = flow.lint(module.order)
    assert finding.file == module.__file__
    line = Path(finding.file).read_text().splitlines()[finding.line - 1]
    assert line.strip() == "return 1 + time.time()"
    words = "time.time() in helper reads a clock: use flow.now()"
    assert str(finding) == f"{finding.file}:{finding.line}: {words}"


def test_classes_are_looked_through_with_their_handlers_and_bases(load: Load) -> None:
    text = """
    import time

    class Base:
        def helped(self):
            return time.monotonic()

    class Order(Base, types.Workflow):
        name, version, task_list = "Order", "1.0", "t"
        client: "Client"

        def __init__(self, domain):
            super().__init__(domain)
            self.begun = time.perf_counter()

        async def run(self, input):
            self.helped()
            self.client.fetch()

        @flow.on_signal("a")
        def approved(self, by):
            time.time()

        def unused(self):
            time.sleep(1)

    class Client:
        def fetch(self):
            return time.time_ns()

    class Wrapped:
        async def run(self, input):
            return time.time()

    wrapped = flow.workflow(version="1.0", task_list="t")(Wrapped)

    class Manual(types.Workflow):
        name, version, task_list = "Manual", "1.0", "t"

        def __init__(self, domain):
            super().__init__(domain)
            self.begun = time.perf_counter()

        async def decide(self, decision):
            time.time()
    """
    module = load(shop_flows=text)
    told = {(each.what, each.function) for each in flow.lint(module.Order)}
    assert told == {
        ("time.monotonic()", "Base.helped"),
        ("time.time_ns()", "Client.fetch"),
        ("time.time()", "Order.approved"),
        ("time.perf_counter()", "Order.__init__"),
    }
    assert [each.function for each in flow.lint(module.wrapped)] == ["Wrapped.run"]
    assert flow.lint(module.Manual) == []


def test_other_modules_are_followed_when_they_are_the_users_own(load: Load) -> None:
    helper = "import time\ndef help(): return time.time()"
    package = load(
        shop__flows="""
        from shop import deep, helpers
        from shop.helpers import help as aliased
        import beside
        @workflow
        async def order():
            helpers.help()
            aliased()
            deep.help()
            beside.help()
        @workflow
        async def lazy():
            from . import helpers
            helpers.help()
        """,
        shop__helpers=helper,
        shop__deep=helper,
        beside=helper,
    )
    files = {Path(each.file).name for each in flow.lint(package.order)}
    assert files == {"helpers.py", "deep.py"}
    assert [Path(e.file).name for e in flow.lint(package.lazy)] == ["helpers.py"]
    script = load(
        script_flows="""
        import beside, queue
        @workflow
        async def order():
            beside.help()
        """,
    )
    assert [Path(each.file).name for each in flow.lint(script.order)] == ["beside.py"]


def test_a_module_of_the_users_own_has_no_rules_by_its_name(load: Load) -> None:
    text = """
    import motor
    from motor import Motor
    @workflow
    async def order():
        motor.start()
        Motor().start()
    """
    module = load(
        script_flows=text,
        motor="def start(): ...\nclass Motor:\n    def start(self): ...",
    )
    assert flow.lint(module.order) == []


# -- what is allowed --


@pytest.mark.parametrize(
    "body",
    [
        "time.time()  # flowser: replayable",
        "time.time()  #flowser:replayable - it is only logged",
        "print(\n    time.time(),  # flowser: replayable\n)",
        "helper()  # flowser: replayable",
        "allowed()",
        "def inner():  # flowser: replayable\n    return time.time()\ninner()",
        "for tag in {'a', 'b'}:  # flowser: replayable\n    pass",
        "global counter  # flowser: replayable",
    ],
)
def test_what_bears_the_comment_is_allowed(load: Load, body: str) -> None:
    above = """
    import time
    def helper():
        return time.time()
    def allowed():  # flowser: replayable
        return helper()
    """
    assert found(load, above, body) == []


@pytest.mark.parametrize(
    "body",
    [
        "time.time()  # flowser: replayable\ntime.time()  # flowser: unreplayable",
        "helper(\n    time.time(),  # flowser: replayable\n)",
        "print(time.time(), '# no comment')",
    ],
)
def test_the_comment_allows_its_own_line_only(load: Load, body: str) -> None:
    above = "import time\ndef helper(_): return time.time()"
    assert found(load, above, body) == ["time.time()"]


# -- odd code --


def test_code_without_a_source_is_passed_by() -> None:
    known: dict[str, Any] = {"__name__": __name__}
    code = "import time\nasync def order(): time.time()"
    exec(code, known)  # noqa: S102 - a console does so
    assert flow.lint(known["order"]) == []


def test_code_in_an_archive_is_read(tmp_path: Path, load: Load) -> None:
    with zipfile.ZipFile(tmp_path / "shop.zip", "w") as archive:
        text = "import time\nasync def order():\n    time.time()\n"
        archive.writestr("zipped_flows.py", text)
    sys.path.insert(0, str(tmp_path / "shop.zip"))
    module = importlib.import_module("zipped_flows")
    sys.path.pop(0)
    assert [each.line for each in flow.lint(module.order)] == [3]


def test_code_that_was_changed_since_it_was_loaded_is_passed_by(load: Load) -> None:
    module = load(shop_flows="import time\nasync def order():\n    time.time()")
    Path(module.__file__).write_text("x = 1\n" * 20)
    assert flow.lint(module.order) == []


def test_odd_objects_are_never_run(load: Load) -> None:
    above = """
    class Proxy:
        def __getattribute__(self, name):
            raise SystemExit(name)
        def __eq__(self, other):
            raise SystemExit
        __hash__ = None

    class Meta(type):
        def __getattr__(cls, name):
            raise RuntimeError(name)

    class Odd(metaclass=Meta): ...

    proxy = Proxy()
    nested = [[1]]

    def hinted(x: "Unknown") -> "Unknown": ...
    """
    body = """
    proxy.anything().more
    Odd.anything()
    Odd().anything
    nested.unknown
    hinted(proxy).time()
    x = x.next
    y = proxy if id else proxy
    y.time()
    del y
    print(*nested, **proxy)
    super().run()
    """
    assert found(load, above, body) == []


def test_code_that_is_too_deep_to_be_walked_through_hides_nothing_else(
    load: Load,
) -> None:
    deep = f"import time\ndef deep():\n    return {'-' * 900}1\n"
    assert found(load, deep, "deep()\ntime.time()") == ["time.time()"]


def test_plain_functions_and_methods_can_be_looked_through(load: Load) -> None:
    text = """
    import time
    def helper(): time.time()
    class Cart:
        def price(self): helper()
    cart = Cart()
    """
    module = load(shop_flows=text)
    assert [each.function for each in flow.lint(module.helper)] == ["helper"]
    assert [each.function for each in flow.lint(module.cart.price)] == ["helper"]


@pytest.mark.parametrize("wrong", [None, 3, "order", types.Activity, functools.partial])
def test_what_is_no_workflow_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgument, match="pass a decorated function"):
        flow.lint(wrong)


# -- the workflows of this project --


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_nothing_is_found_in_an_example(path: Path) -> None:
    spec = importlib.util.spec_from_file_location(f"linted_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kinds = [
        kind
        for domain in vars(module).values()
        if isinstance(domain, type) and issubclass(domain, Domain)
        for kind in domain.workflow_types or ()
    ]
    del sys.modules[spec.name]
    assert kinds
    assert [each for kind in kinds for each in flow.lint(kind)] == []


def test_every_loop_method_that_a_replay_refuses_has_a_rule() -> None:
    for name in ("run_in_executor", "create_connection", "add_signal_handler"):
        rule = rules.rule_of(f"asyncio.AbstractEventLoop.{name}")
        assert rule is not None
        assert rule.reason.remedy == flow.NotReplayable("it").remedy
    for name in ("call_later", "create_task", "time", "create_future"):
        assert rules.rule_of(f"asyncio.AbstractEventLoop.{name}") is None


# -- when a domain is registered, and when it is served --

CLOCK = """
import time
@workflow
async def order():
    time.time()
@workflow
async def other():
    await asyncio.sleep(1)
"""


def shop(module: Any, **settings: Any) -> type[Domain]:
    body = {"name": "shop", "workflow_types": [module.order, module.other]}
    return type("Shop", (Domain,), body | settings)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage().rpartition(": ")[2]
        for record in caplog.records
        if record.name == "flowser.flow" and record.levelno == logging.WARNING
    ]


async def test_findings_are_logged_once_when_a_domain_is_registered_and_served(
    load: Load, local: WatchedSwf, caplog: pytest.LogCaptureFixture
) -> None:
    kind = shop(load(shop_flows=CLOCK))
    async with connected(local.url) as conn:
        domain = kind(conn)
        await domain.register()
        assert told(caplog) == ["use flow.now()"]
        await domain.register()
        Worker(domain).check()
        async with Worker(kind(conn)):
            assert told(caplog) == ["use flow.now()"]


def test_findings_are_logged_when_a_worker_serves_what_others_registered(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    Worker(shop(load(shop_flows=CLOCK))(Nowhere())).check()
    assert told(caplog) == ["use flow.now()"]


async def test_findings_are_raised_before_anything_is_registered(
    load: Load, local: WatchedSwf
) -> None:
    kind = shop(load(shop_flows=CLOCK), lint="raise")
    async with connected(local.url) as conn:
        with pytest.raises(flow.LintFailed, match=r"order reads a clock") as caught:
            await kind(conn).register()
        assert [each.what for each in caught.value.findings] == ["time.time()"]
        with pytest.raises(flow.LintFailed, match="# flowser: replayable"):
            Worker(kind(conn)).check()
    assert not local.calls


def test_a_lint_can_be_switched_off(
    load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    Worker(shop(load(shop_flows=CLOCK), lint="off")(Nowhere())).check()
    assert told(caplog) == []


async def test_the_run_command_can_be_told_not_to_begin(
    local: WatchedSwf, tmp_path: Path
) -> None:
    path = tmp_path / "shop.py"
    text = """
class Shop(flowser.Domain):
    name, workflow_types = "shop", [order]
"""
    path.write_text(f"import flowser\n{HEAD}{CLOCK}{text}")
    command = ("-m", "flowser.run", path, "--endpoint", local.url, "--lint", "raise")
    async with run_python(*command) as child:
        assert await child.wait() == 2
    assert f"{path}:" in child.lines[-1]
    assert "time.time() in order reads a clock: use flow.now()" in child.lines[-1]
    assert not local.calls


def test_a_mode_that_there_is_not_is_refused(load: Load) -> None:
    domain = shop(load(shop_flows=CLOCK), lint="maybe")(Nowhere())
    with pytest.raises(InvalidArgument, match='choose "warn", "raise" or "off"'):
        Worker(domain).check()
