"""How activities and workflows are called, and what they give: as the wire has it.

Source:
    issue 4 section 4 (stand-ins that do not fit are errors).
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from flowser import types
from flowser._flow.declaring import OfFunction
from flowser._flow.payloads import Parameters
from flowser.exceptions import InvalidArgument, SerializationError

_ALONE = inspect.Parameter.POSITIONAL_ONLY


class Signature:
    """The parameters of a type, and its result.

    Attributes:
        name: Of the type.
        instance: Of its class.
    """

    def __init__(self, instance: types.Type, function: Callable[..., Any]) -> None:
        """Look at a type.

        Args:
            instance: Of its class, in the domain whose serializer it uses.
            function: What it was made of, where that is a function.
        """
        self.name = instance.name
        self.instance = instance
        self._by_name = isinstance(instance, OfFunction)
        run: Any = getattr(instance, "run", None)
        self._called = inspect.signature(function if self._by_name else run)
        if self._by_name:
            self._parameters = Parameters(self._binding(function))

    def _binding(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def bind(*args: Any, **kwargs: Any) -> inspect.BoundArguments:
            return self._called.bind(*args, **kwargs)

        return bind

    def __str__(self) -> str:
        return f"{self.name}{self._called}"

    def arguments(self, input: Any) -> inspect.BoundArguments:
        """Give the arguments of a call from its input, as a worker reads it."""
        if self._by_name:
            bound: inspect.BoundArguments = self._parameters.call(input)
            return bound
        return self._called.bind(input)

    def call(self, function: Callable[..., Any], given: inspect.BoundArguments) -> Any:
        """Call a function that stands in, by the names of the parameters."""
        args, kwargs = self._conveyed(given)
        return function(*args, **kwargs)

    def _conveyed(
        self, given: inspect.BoundArguments
    ) -> tuple[list[Any], dict[str, Any]]:
        if not self._by_name:
            return list(given.args), {}
        given = self._called.bind(*given.args, **given.kwargs)  # theirs stays as it is
        given.apply_defaults()
        args, kwargs = [], {}
        for name, value in given.arguments.items():
            if self._called.parameters[name].kind is _ALONE:
                args.append(value)
            else:
                kwargs[name] = value
        return args, kwargs

    def check_function(self, function: Any) -> None:
        """Refuse a function that cannot be called as this type is.

        Raises:
            InvalidArgument: Naming what is wrong.
        """
        if not callable(function):
            remedy = f"give a function with the parameters of {self}"
            raise InvalidArgument("function", f"is {function!r}", remedy)
        try:
            theirs = inspect.signature(function)
        except (TypeError, ValueError):  # a built-in one: nobody knows
            return
        args, kwargs = self._conveyed(self._any_call())
        try:
            theirs.bind(*args, **kwargs)
        except TypeError as error:
            name = getattr(function, "__qualname__", repr(function))
            problem = f"cannot be called as {self} is: {error}"
            remedy = "give it the same parameters, or **kwargs"
            raise InvalidArgument(f"{name}{theirs}", problem, remedy) from None

    def _any_call(self) -> inspect.BoundArguments:
        alone: list[None] = []
        named: dict[str, None] = {}
        if not self._by_name:
            return self._called.bind(None)
        for name, parameter in self._called.parameters.items():
            if parameter.kind is _ALONE:
                alone.append(None)
            else:
                named[name] = None
        return self._called.bind(*alone, **named)

    def check_result(self, value: Any) -> None:
        """Refuse a result that the workflow could not read.

        Raises:
            InvalidArgument: Naming what is wrong.
        """
        result = f"the stand-in for {self.name}"
        remedy = f"give what {self} gives"
        try:
            text = self.instance.dumps(value)
            if text is None:
                self._check_none()
            else:
                self.instance.load_result(text)
        except SerializationError as error:
            problem = f"gives {value!r}, which is no result of it: {error.problem}"
            raise InvalidArgument(result, problem, remedy) from error

    def _check_none(self) -> None:
        """Refuse no result at all where the annotation wants one."""
        self.instance.load_result("null")
