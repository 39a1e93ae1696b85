"""What the application says about the work it does: facts about it, its scope, and declared exceptions.

Both travel in `contextvars`, so that they follow the work into tasks and stay out of everything else.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from types import TracebackType
from typing import Any, Generic, TypeVar

from opentelemetry import context as otel_context

from specspan._support import drop_counts
from specspan._support.guard import guard
from specspan.call import CallContext, Scalar
from specspan.decision import Evidence, Override, OverrideKind
from specspan.instrument.pipeline import active
from specspan.instrument.scope_propagation import (
    BAGGAGE_KEY,
    combine_scopes,
    context_with_scope,
    local_scope,
    scope_from_baggage,
    validate_patterns,
)
from specspan.scope.scope import Cost, ScopeOfAutonomy

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_EMPTY_CONTEXT = CallContext()
_context: ContextVar[CallContext] = ContextVar("specspan.context", default=_EMPTY_CONTEXT)
_overrides: ContextVar[tuple[Override, ...]] = ContextVar("specspan.overrides", default=())


def current_context() -> CallContext:
    """What the enclosing `context` blocks say, merged, under the scope of autonomy that arrived in baggage."""
    said = _context.get()
    if BAGGAGE_KEY not in otel_context.get_current():
        return said
    arrived = scope_from_baggage()
    if arrived is None or arrived[1] is said.standing:  # nothing there, or what an enclosing block put there
        return said
    scope, standing = combine_scopes((said.scope, said.standing), arrived)
    return replace(said, scope=scope, standing=standing)


def current_overrides() -> tuple[Override, ...]:
    """The exceptions that the enclosing `override` blocks declare, outermost first."""
    return _overrides.get()


@dataclass(frozen=True, slots=True)
class AmbientState:
    """All that holds for the work at one place, so that it may hold for work elsewhere."""

    context: CallContext = _EMPTY_CONTEXT
    overrides: tuple[Override, ...] = ()
    telemetry: otel_context.Context = field(default_factory=otel_context.Context)
    """OpenTelemetry's context: the current span, and baggage."""

    @classmethod
    def capture(cls) -> AmbientState:
        """What holds for the caller."""
        return cls(_context.get(), _overrides.get(), otel_context.get_current())

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call ``function`` where this holds, and nothing else that was said."""
        tokens = self.activate()
        try:
            return function(*args, **kwargs)
        finally:
            _leave(tokens)

    def activate(self) -> tuple[Any, ...]:
        """Have it hold from now on; returns what `restore` takes to undo that, innermost last."""
        return _context.set(self.context), _overrides.set(self.overrides), otel_context.attach(self.telemetry)


EMPTY = AmbientState()


def restore(token: Any) -> None:
    """Put back what a context variable, or OpenTelemetry's context, held before ``token``.

    A block that is left in another task or thread than it was entered in has nothing to put back there: its value
    never was in force outside its own.
    """
    if isinstance(token, Token):
        try:  # every call passes here, and `contextlib.suppress` takes six times as long
            token.var.reset(token)
        except ValueError:
            pass
    else:  # OpenTelemetry lets a runtime context be somebody else's make
        otel_context.detach(token)


class _Block(Generic[T]):
    """A ``with`` block, or a decorator, inside which a context variable holds something more."""

    _variable: ContextVar[T]

    def _inside(self, outside: T) -> T:
        """What it holds inside, given what it held."""
        raise NotImplementedError

    def _enter(self) -> tuple[Any, ...]:
        """Put it in force; what `restore` takes to undo that, innermost last."""
        return (self._variable.set(self._inside(self._variable.get())),)

    def __enter__(self) -> None:
        self._tokens = self._enter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        _leave(self._tokens)

    def __call__(self, function: F) -> F:
        """``function`` with every call of it inside the block.

        Raises:
            TypeError: a generator function has no one moment to be inside; use ``with`` in its body.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__qualname__!r} is a generator function: use 'with' inside its body")
        wrapper = self._awaited(function) if inspect.iscoroutinefunction(function) else self._called(function)
        return functools.update_wrapper(wrapper, function)  # type: ignore[return-value]  # it has F's signature

    def _called(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            tokens = self._enter()
            try:
                return function(*args, **kwargs)
            finally:
                _leave(tokens)

        return called

    def _awaited(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            tokens = self._enter()
            try:
                return await function(*args, **kwargs)
            finally:
                _leave(tokens)

        return awaited


def _leave(tokens: tuple[Any, ...]) -> None:
    for token in reversed(tokens):
        restore(token)


class context(_Block[CallContext]):
    """Says what the work inside the block belongs to.

    ``with specspan.context(conversation="c-9", user="u-7", scope=ScopeOfAutonomy(...), under_18=True): ...``

    Blocks nest: an inner value takes the place of an outer one, attributes are merged, and a scope of autonomy only
    ever narrows: inside, what is allowed is what every enclosing scope allows, and one that arrived from another
    service. Once specspan is configured, a scope is put into OpenTelemetry's baggage, which hands it on.

    Raises:
        ConfigurationError: a pattern in the scope cannot be used.
    """

    _variable = _context

    def __init__(
        self,
        *,
        conversation: str | None = None,
        user: str | None = None,
        scope: ScopeOfAutonomy | None = None,
        **attributes: Scalar,
    ) -> None:
        if scope is not None:
            validate_patterns(scope)
        self._said = CallContext(conversation, user, scope, attributes)

    def _enter(self) -> tuple[Any, ...]:
        if self._said.scope is None:
            return super()._enter()
        inside = self._inside(current_context())
        scope, standing = combine_scopes((inside.scope, inside.standing), local_scope(self._said.scope))
        token = _context.set(replace(inside, scope=scope, standing=standing))
        if active() is not None and scope is not None:
            with guard("instrument.carrying"):
                return token, otel_context.attach(context_with_scope(scope, standing))
        return (token,)

    def _inside(self, outside: CallContext) -> CallContext:
        said = self._said
        return CallContext(
            conversation=said.conversation if said.conversation is not None else outside.conversation,
            user=said.user if said.user is not None else outside.user,
            scope=outside.scope,
            attributes={**outside.attributes, **said.attributes},
            standing=outside.standing,
        )


class OverrideBlock(_Block[tuple[Override, ...]]):
    """Has an override, or the end of one, in force for the work inside the block."""

    _variable = _overrides

    def __init__(self, declared: Override) -> None:
        self._declared = declared

    def _inside(self, outside: tuple[Override, ...]) -> tuple[Override, ...]:
        return (*outside, self._declared)


class override(OverrideBlock):
    """Declares an exception to a clause for the work inside the block.

    ``with specspan.override("be_concise", by="developer", reason="long-form mode"): ...``

    Whether it is granted is for the chain of command: ``by`` must be a level at least as authoritative as the
    clause's. A refused one is recorded. Of several about one clause, the stronger level decides, and within one level
    the inner block.
    """

    def __init__(
        self,
        clause: str,
        *,
        by: str,
        reason: str,
        until: date | None = None,
        implicit: bool = False,
        source: str | Evidence | None = None,
    ) -> None:
        """Declare an exception.

        Args:
            clause: id of the clause.
            by: the level that declares it.
            reason: for the record.
            until: the last day it holds (UTC).
            implicit: nobody said it in so many words, as when a user asks for a pirate's speech. That is enough for
                guidelines alone.
            source: where in the call it was asked for, as a JSON pointer such as ``/input/3`` or
                ``/input/3/parts/0``, or as `Evidence` for some characters of a part. It then has no more authority
                than that place, and none where a tool, the assistant or quoted text asks.
        """
        kind = OverrideKind.IMPLICIT if implicit else OverrideKind.EXPLICIT
        super().__init__(Override(clause, by, reason, until, kind, source))


class revoke(OverrideBlock):
    """Has a clause hold again for the work inside the block, whatever override set it aside.

    ``with specspan.revoke("be_concise", by="user", reason="asked for short answers again"): ...``

    ``by`` must be a level at least as authoritative as that of the override; a later override can set the clause aside
    anew.
    """

    def __init__(
        self, clause: str, *, by: str, reason: str, until: date | None = None, source: str | Evidence | None = None
    ) -> None:
        super().__init__(Override(clause, by, reason, until, OverrideKind.REVOKE, source))


# MERGED spending: What work costs, as the application says it: specspan knows no prices.


def spend(amount: Decimal | float | str, currency: str) -> None:
    """Say that the work at hand has cost something, against every cost limit of the scopes it belongs to.

    ``specspan.spend("0.02", "EUR")``. Once a limit is reached, checks of kind ``scope`` and ``tools`` allow no tool. An
    amount that cannot be read, or one in another currency than the limit's, leaves nothing of it. Never raises.
    """
    standing = current_context().standing
    if standing is None or not standing.budgets:
        return
    cost = None
    try:
        cost = Cost(Decimal(str(amount)), currency)
    except (InvalidOperation, TypeError, ValueError):
        drop_counts.count("cost", "unreadable")
    for budget in standing.budgets:
        budget.spend(cost)
