"""What names stand for in a function, and what is known of its expressions."""

import ast
import builtins
from collections.abc import Callable, Coroutine
from functools import cached_property
from types import FunctionType
from typing import Any

from flowser._flow.linting import values
from flowser._flow.linting.bindings import bindings_of
from flowser._flow.linting.names import is_a
from flowser._flow.linting.sources import Definition
from flowser._flow.linting.values import Value, either, hints_of, of_thing


class Scope:
    """The names of a function, or of one inside of it.

    Attributes:
        function: The function, or the outermost around it.
        bound: What ``self`` is an instance of.
        name: The name of the function, with those around it.
    """

    def __init__(
        self,
        node: Definition,
        function: FunctionType,
        *,
        bound: Any = None,
        parent: "Scope | None" = None,
    ) -> None:
        """Look at what the function binds; what that is is found out when asked for.

        Args:
            node: Its definition.
            function: The function, or the outermost around it.
            bound: What ``self`` is an instance of.
            parent: The scope around it.
        """
        self.function = function
        self.bound = bound
        self._parent = parent
        self.name = function.__qualname__.replace("<locals>.", "")
        if parent is not None:
            name = getattr(node, "name", None)
            self.name = f"{parent.name}.{name}" if name else parent.name
        self._bindings = bindings_of(node, bound, outer=parent is None)
        self._known: dict[str, Value | None] = {}

    @cached_property
    def hints(self) -> dict[str, Any]:
        """The annotations of the function."""
        return hints_of(self.function)

    def value_of(self, name: str) -> Value | None:
        """Say what is known of a name."""
        if name not in self._known:
            self._known[name] = None  # of what is made of itself
            self._known[name] = self._look_up(name)
        return self._known[name]

    def _look_up(self, name: str) -> Value | None:
        bindings = self._bindings.get(name)
        if bindings is not None:
            return either(binding(self) for binding in bindings)
        if self._parent is not None:
            return self._parent.value_of(name)
        thing = self._outside(name)
        return None if thing is values.MISSING else of_thing(thing)

    def _outside(self, name: str) -> Any:
        code, cells = self.function.__code__, self.function.__closure__ or ()
        enclosed = dict(zip(code.co_freevars, cells, strict=True))
        if name in enclosed:
            try:
                return enclosed[name].cell_contents
            except ValueError:  # not yet
                return values.MISSING
        found = self.function.__globals__.get(name, values.MISSING)
        return vars(builtins).get(name, found) if found is values.MISSING else found

    def evaluate(self, node: ast.AST | None) -> Value | None:
        """Say what is known of an expression."""
        found = _EXPRESSIONS.get(type(node))
        return None if found is None else found(self, node)

    def decorators(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[Any]:
        """Give the decorators of a function that are known, or what makes them."""
        known = [self.evaluate(_undone(each)) for each in node.decorator_list]
        return [each.thing for each in known if each is not None]

    def hint(self, node: ast.expr | None) -> Value | None:
        """Say what is known of something by its annotation."""
        if isinstance(node, ast.Subscript):
            of, item = self.hint(node.value), self.hint(node.slice)
            if of is not None and of.kind in values.HOLDERS and item is not None:
                return Value(kind=values.holding(of.kind, item.kind))
            return of
        known = self.evaluate(node)
        if known is not None and is_a(known.thing, type):
            return Value(kind=known.thing)
        return None


def _undone(node: ast.expr) -> ast.expr:
    """Give what makes a decorator: ``activity`` of ``activity(version="1")``."""
    return _undone(node.func) if isinstance(node, ast.Call) else node


# -- expressions --


def _name(scope: Scope, node: Any) -> Value | None:
    return scope.value_of(node.id)


def _attribute(scope: Scope, node: Any) -> Value | None:
    value = scope.evaluate(node.value)
    return None if value is None else values.member(value, node.attr)


def _call(scope: Scope, node: Any) -> Value | None:
    called = scope.evaluate(node.func)
    if called is not None and called.names == ("super",):
        return _super(scope)

    def argument() -> Value | None:
        return scope.evaluate(node.args[0]) if len(node.args) == 1 else None

    return values.result(called, argument)


def _super(scope: Scope) -> Value | None:
    owner = scope.value_of("__class__")
    if owner is None or not is_a(owner.thing, type):
        return None
    return Value(kind=owner.thing.__base__)


def _constant(_: Scope, node: Any) -> Value | None:
    return Value(kind=type(node.value))


def _text(_: Scope, __: Any) -> Value | None:
    return Value(kind=str)


def _display(kind: type[Any]) -> Callable[[Scope, Any], Value | None]:
    def value(scope: Scope, node: Any) -> Value | None:
        known = [scope.evaluate(each) for each in node.elts]
        if any(each and values.is_coroutine(each.kind) for each in known):
            return Value(kind=values.holding(kind, Coroutine[Any, Any, Any]))
        same = either(known) if known else None
        return Value(kind=values.holding(kind, same and same.kind))

    return value


def _comprehension(kind: type[Any]) -> Callable[[Scope, Any], Value | None]:
    def value(scope: Scope, node: Any) -> Value | None:
        known = scope.evaluate(node.elt)
        return Value(kind=values.holding(kind, known and known.kind))

    return value


def _inner(scope: Scope, node: Any) -> Value | None:
    return scope.evaluate(node.value)


def _awaited(scope: Scope, node: Any) -> Value | None:
    return values.awaited(scope.evaluate(node.value))


def _branches(scope: Scope, node: Any) -> Value | None:
    return either(map(scope.evaluate, (node.body, node.orelse)))


def _operators(scope: Scope, node: Any) -> Value | None:
    return either(map(scope.evaluate, node.values))


def _operation(scope: Scope, node: Any) -> Value | None:
    """Two sets make a set, a path and a name a path, a text and more a text."""
    left = scope.evaluate(node.left)
    return None if left is None else values.combined(left)


_EXPRESSIONS: dict[type[Any], Callable[[Scope, Any], Value | None]] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Constant: _constant,
    ast.JoinedStr: _text,
    ast.List: _display(list),
    ast.Tuple: _display(list),
    ast.Set: _display(set),
    ast.ListComp: _comprehension(list),
    ast.GeneratorExp: _comprehension(list),
    ast.SetComp: _comprehension(set),
    ast.Await: _awaited,
    ast.NamedExpr: _inner,
    ast.Starred: _inner,
    ast.IfExp: _branches,
    ast.BoolOp: _operators,
    ast.BinOp: _operation,
}
