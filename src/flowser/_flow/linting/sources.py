"""The source of functions, read without running anything.

What has none (a console, C, code that was made or frozen), or none that fits, is None.
"""

import ast
import contextlib
import inspect
import linecache
import re
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import NamedTuple

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

#: What allows all that is on its line.
_ALLOWED = re.compile(r"#\s*flowser:\s*replayable\b")


class Source(NamedTuple):
    """The source of a function.

    Attributes:
        node: Its definition; lines are those of the file.
        file: Where it stands.
        allowed: The lines that bear ``# flowser: replayable``.
    """

    node: Definition
    file: str
    allowed: frozenset[int]


def source_of(function: FunctionType) -> Source | None:
    """Read the source of a function."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, function.__globals__)
    first = code.co_firstlineno
    if not 0 < first <= len(lines):
        return None
    for last in _ends(code, lines):
        node = _parsed(code, lines, last)
        if node is not None:
            numbered = enumerate(lines[first - 1 : last], first)
            allowed = frozenset(n for n, line in numbered if _ALLOWED.search(line))
            return Source(node, code.co_filename, allowed)
    return None


def _ends(code: CodeType, lines: list[str]) -> Iterator[int]:
    """Say what may be the last line: as compiled, or as tokens tell, which is slow."""
    yield _last(code)
    with contextlib.suppress(Exception):  # inspect's own, and tokenize's
        first = code.co_firstlineno - 1
        yield first + len(inspect.getblock(lines[first:]))


def _last(code: CodeType) -> int:
    ends: list[int] = [code.co_firstlineno]
    ends += [int(end or line or 0) for line, end, _, _ in code.co_positions()]
    ends += [_last(each) for each in code.co_consts if isinstance(each, CodeType)]
    return max(ends)


def _parsed(code: CodeType, lines: list[str], last: int) -> Definition | None:
    first = code.co_firstlineno
    block = "".join(lines[first - 1 : last])
    above = "\n" * (first - 1)
    if block[:1].isspace():
        above = "\n" * (first - 2) + "if 1:\n"
    try:
        tree = ast.parse(above + block)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in _definitions(tree, code.co_name):
        if _begins(node) == first:
            return node
    return None


def _definitions(tree: ast.Module, name: str) -> Iterator[Definition]:
    """List what may be meant: the first function, or the only lambda."""
    if name == "<lambda>":
        found = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
        yield from found if len(found) == 1 else ()
    for node in tree.body[:1]:
        first = node.body[0] if isinstance(node, ast.If) else node
        if isinstance(first, _NAMED) and first.name == name:
            yield first


_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef)


def _begins(node: Definition) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])
