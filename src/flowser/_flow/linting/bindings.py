"""What a function binds its names to: parameters, assignments, imports, loops ..."""

import ast
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any

from flowser._flow.linting import values
from flowser._flow.linting.names import is_a
from flowser._flow.linting.sources import Definition
from flowser._flow.linting.values import Value, of_module

if TYPE_CHECKING:
    from flowser._flow.linting.scopes import Scope

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)

#: Says what is known of a name, when it is asked for.
Binding = Callable[["Scope"], Value | None]

#: A node that stands for a name, where there is one, the name, and its binding.
Bound = tuple[ast.AST | None, str, Binding]


def bindings_of(
    node: Definition, bound: Any, *, outer: bool
) -> dict[str, list[Binding]]:
    """List what each name of a function may be bound to.

    Args:
        node: Its definition.
        bound: What its first parameter is an instance of; None if that is no ``self``.
        outer: Whether it stands in no other function that is looked through.
    """
    found = dict(_parameters(node, bound, outer=outer))
    for name, binding in _bound(node):
        found.setdefault(name, []).append(binding)
    return found


def _parameters(
    node: Definition, bound: Any, *, outer: bool
) -> Iterator[tuple[str, list[Binding]]]:
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args]
    for number, each in enumerate([*named, *arguments.kwonlyargs]):
        if number == 0 and bound is not None and outer:
            yield each.arg, [lambda _: values.of_kind(bound)]
        elif outer:
            yield each.arg, [_annotated(each.arg)]
        else:
            yield each.arg, [_hinted(each.annotation)]
    for rest in (arguments.vararg, arguments.kwarg):
        if rest is not None:
            yield rest.arg, [_unknown]


def _annotated(name: str) -> Binding:
    def value(scope: "Scope") -> Value | None:
        return values.of_kind(scope.hints.get(name))

    return value


def _hinted(node: ast.expr | None) -> Binding:
    return lambda scope: scope.hint(node)


def _evaluated(node: ast.expr) -> Binding:
    return lambda scope: scope.evaluate(node)


def _item(node: ast.expr) -> Binding:
    def value(scope: "Scope") -> Value | None:
        kind = values.item_of(scope.evaluate(node))
        return None if kind is None else Value(kind=kind)

    return value


def _unknown(_: "Scope") -> None:
    """Know nothing."""


def _bound(function: Definition) -> Iterator[tuple[str, Binding]]:
    """List what a function binds besides its parameters, with its comprehensions."""
    nodes = [*_own(function.body)]
    elsewhere: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere.update(node.names)
    known: set[int] = set()
    for node in nodes:
        for target, name, binding in [*_binds(node), *_stored(node, known)]:
            known.add(id(target))
            if name not in elsewhere:
                yield name, binding


def _own(body: list[ast.stmt] | ast.expr) -> Iterator[ast.AST]:
    """List the nodes of a body, outer ones first, but not those of scopes inside."""
    waiting: list[ast.AST] = [*body] if isinstance(body, list) else [body]
    for node in waiting:
        yield node
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def _stored(node: ast.AST, known: set[int]) -> Iterator[Bound]:
    """Give a name that something is stored in of which nothing is known."""
    if id(node) in known or not isinstance(node, ast.Name):
        return
    if not isinstance(node.ctx, ast.Load):
        yield node, node.id, _unknown


def _binds(node: ast.AST) -> Iterator[Bound]:
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _assigned(target, _evaluated(value))
        case (
            ast.NamedExpr(target=target, value=value)
            | ast.AugAssign(target=target, value=value)
        ):
            yield from _assigned(target, _evaluated(value))
        case ast.AnnAssign(target=target, annotation=annotation):
            yield from _assigned(target, _hinted(annotation))
        case (
            ast.For(target=target, iter=many)
            | ast.comprehension(target=target, iter=many)
        ):
            yield from _assigned(target, _item(many))
        case ast.Import() | ast.ImportFrom():
            for alias in node.names:
                yield None, *_imported(node, alias)
        case _:
            yield from _defines(node)


def _defines(node: ast.AST) -> Iterator[Bound]:
    """List the names that a node binds without having them as nodes of their own."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield None, name, _defined(node)
        case ast.ClassDef(name=str(name)) | ast.ExceptHandler(name=str(name)):
            yield None, name, _unknown
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield None, name, _unknown
        case ast.MatchMapping(rest=str(name)):
            yield None, name, _unknown


def _defined(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Binding:
    def value(scope: "Scope") -> Value | None:
        declared = any(map(_declares, scope.decorators(node)))
        return None if declared else Value(local=(node, scope))

    return value


def _declares(decorator: Any) -> bool:
    """Tell whether a decorator is flowser's: what it makes is run elsewhere."""
    if not is_a(decorator, FunctionType):
        return False
    return str(decorator.__module__).startswith("flowser.")


def _assigned(target: ast.AST, binding: Binding) -> Iterator[Bound]:
    if isinstance(target, ast.Name):
        yield target, target.id, binding


def _imported(
    node: ast.Import | ast.ImportFrom, alias: ast.alias
) -> tuple[str, Binding]:
    name = alias.name
    if isinstance(node, ast.Import):
        if alias.asname is None:
            name = name.partition(".")[0]
        return alias.asname or name, lambda _: of_module(name)

    def value(scope: "Scope") -> Value | None:
        module = node.module or ""
        if node.level:
            package = str(scope.function.__globals__.get("__package__") or "")
            parents = package.split(".")[: -(node.level - 1) or None]
            module = ".".join(filter(None, [*parents, module]))
        return values.member(of_module(module), name)

    return alias.asname or name, value
