"""Functions in the place of others, that answer every question about them as those do.

A function is replaced by a function: of the same kind, by the same name, with the same attributes and annotations,
resolved in the same module, and with ``__wrapped__`` as `functools.wraps` sets it. A method of an instance is then a
method as Python makes it. The one line of a replacement that runs is shown, in tracebacks, as the first line of the
function it replaces, which is the line of its decorator.

What is no function, such as a `functools.partial` or an object that can be called, has a stand-in. So has a generator
function: the context that its body runs in is taken when it is called, and a real generator function runs nothing then.
"""

from __future__ import annotations

import copy
import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, TypeAlias

from specspan._support.process import Undo
from specspan.instrument.proxies import ObjectProxy

Function: TypeAlias = Callable[..., Any]
Wrapper: TypeAlias = Callable[[Function, Any, tuple[Any, ...], dict[str, Any]], Any]
"""Makes a call of a function, by that function, what it is bound to, positional and keyword arguments."""

_NEVER_UNDONE = Undo()
_GENERATORS = inspect.CO_GENERATOR | inspect.CO_ITERABLE_COROUTINE | inspect.CO_ASYNC_GENERATOR


def replace(function: Any, wrapper: Wrapper, undo: Undo = _NEVER_UNDONE, *, is_method: bool = False) -> Any:
    """Return what takes the place of ``function`` and has ``wrapper`` make every call.

    Args:
        function: a function, a static or class method as it stands in a class, or anything else that can be called.
        wrapper: makes the calls.
        undo: once it is done, calls pass straight through.
        is_method: True where the first argument of a function is what it is bound to.
    """
    if isinstance(function, (staticmethod, classmethod)):
        is_bound = is_method and isinstance(function, classmethod)
        return type(function)(replace(function.__func__, wrapper, undo, is_method=is_bound))
    if type(function) is types.MethodType:
        return types.MethodType(replace(function.__func__, wrapper, undo, is_method=True), function.__self__)
    if type(function) is not types.FunctionType or function.__code__.co_flags & _GENERATORS:
        return _CallableProxy(function, wrapper, undo, is_method and hasattr(type(function), "__get__"))
    is_coroutine = bool(function.__code__.co_flags & inspect.CO_COROUTINE)
    template = _TEMPLATES[is_method, is_coroutine](wrapper, function, undo)
    return functools.wraps(function)(_placed(template, function))


def _placed(template: types.FunctionType, function: types.FunctionType) -> Any:
    """Return a function like ``template`` that stands where ``function`` stands."""
    code, its = template.__code__, function.__code__
    named = {"co_qualname": getattr(its, "co_qualname", None)} if hasattr(code, "co_qualname") else {}
    code = code.replace(
        co_filename=its.co_filename,
        co_firstlineno=its.co_firstlineno,
        co_name=its.co_name,
        **named,  # type: ignore[arg-type]
    )
    return types.FunctionType(code, function.__globals__, function.__name__, None, template.__closure__)


# Each inner function stands on one line, so that all of it is at the line of the function that it is placed at.
# fmt: off
def _plain(wrapper: Wrapper, function: Any, undo: Undo) -> Any:
    def replacement(*args: Any, **kwargs: Any) -> Any: return function(*args, **kwargs) if undo.is_done else wrapper(function, None, args, kwargs)  # noqa: E501
    return replacement


def _coroutine(wrapper: Wrapper, function: Any, undo: Undo) -> Any:
    async def replacement(*args: Any, **kwargs: Any) -> Any: return await (function(*args, **kwargs) if undo.is_done else wrapper(function, None, args, kwargs))  # noqa: E501
    return replacement


def _method(wrapper: Wrapper, function: Any, undo: Undo) -> Any:
    bind = function.__get__
    def replacement(self: Any, /, *args: Any, **kwargs: Any) -> Any: return function(self, *args, **kwargs) if undo.is_done else wrapper(bind(self), self, args, kwargs)  # noqa: E501
    return replacement


def _coroutine_method(wrapper: Wrapper, function: Any, undo: Undo) -> Any:
    bind = function.__get__
    async def replacement(self: Any, /, *args: Any, **kwargs: Any) -> Any: return await (function(self, *args, **kwargs) if undo.is_done else wrapper(bind(self), self, args, kwargs))  # noqa: E501
    return replacement
# fmt: on


_TEMPLATES = {
    (False, False): _plain,
    (False, True): _coroutine,
    (True, False): _method,
    (True, True): _coroutine_method,
}
"""Makers of replacements, by whether the function is a method and whether it is a coroutine function."""


class _CallableProxy(ObjectProxy):
    """Stand-in for what can be called and is no plain function."""

    def __init__(self, wrapped: Any, wrapper: Wrapper, undo: Undo, is_method: bool) -> None:
        ObjectProxy.__init__(self, wrapped)
        self._self_wrapper = wrapper
        self._self_undo = undo
        self._self_is_method = is_method

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function = self._self_wrapped
        if self._self_undo.is_done:
            return function(*args, **kwargs)
        if self._self_is_method and args:
            bound = function.__get__(args[0], type(args[0]))
            return self._self_wrapper(bound, args[0], args[1:], kwargs)
        return self._self_wrapper(function, None, args, kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __copy__(self) -> Any:
        copied = copy.copy(self._self_wrapped)
        return self if copied is self._self_wrapped else copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copied = copy.deepcopy(self._self_wrapped, memo)
        return self if copied is self._self_wrapped else copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        name = getattr(self._self_wrapped, "__qualname__", None)
        return self._self_wrapped.__reduce_ex__(protocol) if name is None else name
