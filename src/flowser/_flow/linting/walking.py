"""Walks through the code of a workflow, and through the user's functions it calls."""

import ast
import functools
import logging
from collections.abc import Callable, Iterable
from dataclasses import MISSING
from typing import Any

from flowser._flow.linting import rules, values
from flowser._flow.linting.calls import PASSED, Called, Home, functions_of
from flowser._flow.linting.names import ROUTINES, is_a
from flowser._flow.linting.rules import Reason, Rule
from flowser._flow.linting.scopes import Scope
from flowser._flow.linting.sources import Definition, Source, source_of
from flowser._flow.linting.values import Value
from flowser._flow.signals import on_signal
from flowser._flow.verbs import step

_Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp

#: Is told the file, the line, what stands there, in which function, and why not.
Tell = Callable[[str, int, str, str, Reason], None]

log = logging.getLogger("flowser.flow")


class Walk:
    """A walk through all the code of a workflow."""

    def __init__(self, home: Home, tell: Tell) -> None:
        """Have nothing to walk through yet.

        Args:
            home: Tells what is the user's own.
            tell: Takes what is found.
        """
        self.tell = tell
        self.home = home
        self._waiting: list[Called] = []
        self._known: set[Any] = set()

    def follow(self, functions: Iterable[Called]) -> None:
        """Walk through some functions, too, where they are the user's own."""
        for called in functions:
            key = id(called.function), called.bound
            if key not in self._known and self.home.owns(called.function):
                self._known.add(key)
                self._waiting.append(called)

    def run(self) -> None:
        """Walk to the end."""
        for called in self._waiting:  # which becomes longer meanwhile
            try:
                self._through(called)
            except Exception:  # code may be as odd as it likes
                words = "%s could not be looked through"
                log.debug(words, called.function, exc_info=True)

    def _through(self, called: Called) -> None:
        source = source_of(called.function)
        if source is not None and not _allows(source, source.node):
            scope = Scope(source.node, called.function, bound=called.bound)
            Walker(self, source, scope).walk(source.node)


def _allows(source: Source, node: Definition) -> bool:
    """Tell whether the head of a function bears the comment."""
    if isinstance(node, ast.Lambda):
        return False
    head = range(node.lineno, max(node.lineno + 1, node.body[0].lineno))
    return not source.allowed.isdisjoint(head)


class Walker(ast.NodeVisitor):
    """Walks through one function, and tells of what it finds."""

    def __init__(self, walk: Walk, source: Source, scope: Scope) -> None:
        """Be in a function."""
        self._walk = walk
        self._source = source
        self._scope = scope
        self._inner: set[int] = set()
        self._orderless: set[int] = set()
        self._told: set[int] = set()  # what a finding on its result tells of, too

    def walk(self, node: Definition) -> None:
        """Walk through a body."""
        for each in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(each)

    def _tell(self, node: ast.expr | ast.stmt, what: str, reason: Reason) -> None:
        if not self._is_allowed(node):
            file, function = self._source.file, self._scope.name
            self._walk.tell(file, node.lineno, what, function, reason)

    def _is_allowed(self, node: ast.expr | ast.stmt) -> bool:
        return not self._source.allowed.isdisjoint((node.lineno, node.end_lineno))

    # -- calls --

    def visit_Call(self, node: ast.Call) -> None:
        """Look at a call, and at its arguments, which are made before."""
        value = self._scope.evaluate(node.func)
        told = value is not None and self._calls(node, value)
        if isinstance(node.func, ast.Attribute):
            self.visit(node.func.value)
        elif not isinstance(node.func, ast.Name):
            self.visit(node.func)
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        if value is not None and value.thing is step and node.args:
            self._leave_out(arguments.pop(0))
        for each in arguments:
            # A function that is passed to what makes a thread is moved with it.
            if not (told and isinstance(each, ast.Name | ast.Attribute)):
                self.visit(each)

    def _calls(self, node: ast.Call, value: Value) -> bool:
        self._orders(node, value)
        name, rule = self._rule(value)
        if rule is not None and self._applies(node, name, rule):
            if id(node) not in self._told:
                self._tell(node, f"{name}()", rule.reason)
            self._told.add(id(getattr(node.func, "value", node)))
            return True
        if not self._is_allowed(node):
            self._follow(value)
            self._fills_in(node, value.thing)
        return False

    def _rule(self, value: Value) -> tuple[str, Rule | None]:
        thing = value.thing
        if is_a(thing, type) and issubclass(thing, BaseException):
            return "", None
        if self._walk.home.owns(thing):  # whatever name its module has
            return "", None
        found = ((name, rules.rule_of(name)) for name in value.names)
        return next((each for each in found if each[1] is not None), ("", None))

    def _applies(self, node: ast.Call, name: str, rule: Rule) -> bool:
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if rule.fewer is not None:
            return len(given) < rule.fewer and not _is_open(node)
        known = self._scope.evaluate(given[0]) if given else None
        if rule.reason is rules.COROUTINES:
            return values.is_coroutine(values.item_of(known))
        if name == "hash":
            return known is not None and values.is_salted(known.kind)
        return True

    def _leave_out(self, node: ast.expr) -> None:
        """Pass by the function of a step, which runs outside of the workflow."""
        if not isinstance(node, ast.Call):
            return
        value = self._scope.evaluate(node.func)
        if value is None or value.thing is not functools.partial or not node.args:
            self.visit(node)
            return
        first, *rest = [*node.args, *(each.value for each in node.keywords)]
        self._leave_out(first)
        for each in rest:
            self.visit(each)

    def _fills_in(self, node: ast.Call, kind: Any) -> None:
        """Look at what makes the members of a dataclass that are not given."""
        fields = vars(kind).get("__dataclass_fields__") if is_a(kind, type) else None
        if fields is None or _is_open(node):
            return
        ordered = [f.name for f in fields.values() if f.init and not f.kw_only]
        given = {keyword.arg for keyword in node.keywords}
        given.update(ordered[: len(node.args)])
        for field in fields.values():
            if field.name not in given and field.default_factory is not MISSING:
                self._passes(node, values.of_thing(field.default_factory))

    # -- what is not called here --

    def visit_Name(self, node: ast.Name) -> None:
        """Look at a function that is passed on, to be called elsewhere; and at data."""
        value = self._scope.evaluate(node)
        if isinstance(node.ctx, ast.Load) and value is not None:
            self._passes(node, value)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Look at a function that is passed on, a property, and data."""
        value = self._scope.evaluate(node)
        if isinstance(node.ctx, ast.Load) and value is not None:
            self._passes(node, value)
        self.visit(node.value)

    def _passes(self, node: ast.expr, value: Value) -> None:
        name, rule = self._rule(value)
        data = rules.DATA.intersection(value.names)
        if data:
            self._tell(node, min(data), rules.MACHINE)
        elif rule is not None:
            if rule.fewer is None and is_a(value.thing, *ROUTINES):
                self._tell(node, f"{name}()", rule.reason)
        elif (value.local or is_a(value.thing, *PASSED)) and not self._is_allowed(node):
            self._follow(value)

    def _follow(self, value: Value) -> None:
        if value.local is not None:
            self._enter(*value.local)
        else:
            self._walk.follow(functions_of(value.thing, value.bound))

    # -- order --

    def _orders(self, node: ast.Call, value: Value) -> None:
        """Look for a set whose order comes to matter."""
        if not rules.ORDERLESS.isdisjoint(value.names):
            self._orderless.update(map(id, node.args))
        elif not rules.ORDERED.isdisjoint(value.names):
            if id(node) in self._orderless:  # a list that is sorted then, say
                self._orderless.update(map(id, node.args))
            else:
                self._iterates(*node.args)
        self._iterates(*(e.value for e in node.args if isinstance(e, ast.Starred)))
        if "set.pop" in value.names and isinstance(node.func, ast.Attribute):
            self._iterates(node.func.value)

    def _iterates(self, *nodes: ast.expr) -> None:
        for node in nodes:
            if values.is_disordered(self._scope.evaluate(node)):
                self._tell(node, "a set", rules.ORDER)

    def visit_For(self, node: ast.For) -> None:
        """Look at what is iterated over."""
        self._iterates(node.iter)
        self.generic_visit(node)

    def _comprehends(self, node: _Comprehension) -> None:
        if id(node) not in self._orderless and not isinstance(node, ast.SetComp):
            self._iterates(*(each.iter for each in node.generators))
        self.generic_visit(node)

    visit_ListComp = visit_GeneratorExp = _comprehends  # noqa: N815 - ast's names
    visit_DictComp = visit_SetComp = _comprehends  # noqa: N815 - as above

    # -- what is run elsewhere, or not at all --

    def visit_If(self, node: ast.If) -> None:
        """Pass by what only type checkers see."""
        name = getattr(node.test, "attr", getattr(node.test, "id", ""))
        body = [] if name == "TYPE_CHECKING" else node.body
        for each in [node.test, *body, *node.orelse]:
            self.visit(each)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Pass by the annotation."""
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_Global(self, node: ast.Global) -> None:
        """Look at variables that all runs share."""
        self._tell(node, f"global {', '.join(node.names)}", rules.GLOBAL)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Look into it: where it is passed, it is called."""
        for each in _defaults(node):
            self.visit(each)
        self._enter(node, self._scope)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Look at its decorators: a handler is called, others when they are used."""
        for each in [*node.decorator_list, *_defaults(node)]:
            self.visit(each)
        if any(each is on_signal for each in self._scope.decorators(node)):
            self._enter(node, self._scope)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's name

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Pass by: its methods are called from elsewhere, if at all."""

    def _enter(self, node: Definition, scope: Scope) -> None:
        if id(node) in self._inner or _allows(self._source, node):
            return
        self._inner.add(id(node))
        inner = Scope(node, scope.function, bound=scope.bound, parent=scope)
        walker = Walker(self._walk, self._source, inner)
        walker._inner = self._inner
        walker.walk(node)


def _defaults(node: Definition) -> list[ast.expr]:
    arguments = node.args
    return [*arguments.defaults, *filter(None, arguments.kw_defaults)]


def _is_open(node: ast.Call) -> bool:
    """Tell whether a call has arguments that cannot be counted."""
    starred = any(isinstance(each, ast.Starred) for each in node.args)
    return starred or any(keyword.arg is None for keyword in node.keywords)
