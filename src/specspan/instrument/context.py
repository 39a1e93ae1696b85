"""Statements of the application about its work: facts, a scope of autonomy, declared exceptions, and costs.

They travel in `contextvars`, so that they follow the work into tasks and stay out of everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from types import TracebackType
from typing import Any

from opentelemetry import context as otel_context

from specspan._support import drop_counts
from specspan._support.guard import guard
from specspan._support.interruption import raise_interruption
from specspan.call import CallContext, Scalar
from specspan.decision import Evidence, Override, OverrideKind
from specspan.engine.bound_check import IS_IN_CHECK
from specspan.instrument.block_base import Block, BlockUse
from specspan.instrument.gate import active
from specspan.instrument.scope_propagation import (
    BAGGAGE_KEY,
    combine_scopes,
    context_with_scope,
    local_scope,
    scope_from_baggage,
    validate_patterns,
)
from specspan.scope.scope import Cost, ScopeOfAutonomy

_EMPTY_CONTEXT = CallContext()
_context: ContextVar[CallContext] = ContextVar("specspan.context", default=_EMPTY_CONTEXT)
_overrides: ContextVar[tuple[Override, ...]] = ContextVar("specspan.overrides", default=())


def current_context() -> CallContext:
    """Return the merged facts of the enclosing `context` blocks, under the scope of autonomy in the baggage."""
    context = _context.get()
    if BAGGAGE_KEY not in otel_context.get_current():
        return context
    received = scope_from_baggage()
    if received is None or received[1] is context.standing:  # no scope there, or that of an enclosing block
        return context
    scope, standing = combine_scopes((context.scope, context.standing), received)
    return replace(context, scope=scope, standing=standing)


def current_overrides() -> tuple[Override, ...]:
    """Return the exceptions that the enclosing `override` and `revoke` blocks declare, outermost first."""
    return _overrides.get()


@dataclass(frozen=True, slots=True)
class AmbientState:
    """Everything in force at one place, to be put in force at another: context, overrides, OpenTelemetry's context."""

    context: CallContext = _EMPTY_CONTEXT
    overrides: tuple[Override, ...] = ()
    telemetry: otel_context.Context = field(default_factory=otel_context.Context)
    """OpenTelemetry's context: the current span, and baggage."""
    is_in_check: bool = False
    """Whether a check runs there."""

    @classmethod
    def capture(cls) -> AmbientState:
        """Return the state in force for the caller."""
        return cls(_context.get(), _overrides.get(), otel_context.get_current(), IS_IN_CHECK.get())

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call ``function`` with this state in force, in place of the caller's."""
        tokens = self.activate()
        try:
            return function(*args, **kwargs)
        finally:
            _restore_all(tokens)

    def activate(self) -> tuple[Any, ...]:
        """Put the state in force. Returns what `restore` takes to undo that, innermost last."""
        return (
            _context.set(self.context),
            _overrides.set(self.overrides),
            IS_IN_CHECK.set(self.is_in_check),
            otel_context.attach(self.telemetry),
        )


EMPTY = AmbientState()


def attach(telemetry: otel_context.Context) -> Any:
    """Make a context of OpenTelemetry current. Returns the token for `restore`.

    Where the application interrupts that, the context before it is current.
    """
    before = otel_context.get_current()
    try:
        return otel_context.attach(telemetry)
    except BaseException:
        otel_context.attach(before)
        raise


def restore(token: Any) -> None:
    """Put back the value that a context variable, or OpenTelemetry's context, held before ``token``.

    A block that is left in another task or thread than it was entered in has nothing to put back there: its value
    never was in force outside its own.
    """
    if isinstance(token, Token):
        try:  # every call passes here, and `contextlib.suppress` takes six times as long
            token.var.reset(token)
        except ValueError as error:
            raise_interruption(error)
    else:  # OpenTelemetry lets a runtime context be somebody else's make
        otel_context.detach(token)


def _restore_all(tokens: tuple[Any, ...]) -> None:
    for token in reversed(tokens):
        restore(token)


class _Statement(BlockUse):
    """Use of a block inside which context variables hold something more."""

    __slots__ = ("_activate", "_tokens")

    def __init__(self, activate: Callable[[], tuple[Any, ...]]) -> None:
        self._activate = activate

    def __enter__(self) -> None:
        before = AmbientState.capture()
        try:
            self._tokens = self._activate()
        except BaseException:  # an interruption: some of it may be in force
            before.activate()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        _restore_all(self._tokens)


class context(Block):
    """States what the work inside the block belongs to.

    ``with specspan.context(conversation="c-9", user="u-7", scope=ScopeOfAutonomy(...), under_18=True): ...``

    Blocks nest: an inner value takes the place of an outer one, attributes are merged, and a scope of autonomy only
    ever narrows: inside, what is allowed is what every enclosing scope allows, and one that arrived from another
    service. Once specspan is configured, a scope is put into OpenTelemetry's baggage, which hands it on.

    Raises:
        ConfigurationError: a pattern in the scope cannot be used.
    """

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
        self._stated = CallContext(conversation, user, scope, attributes)

    def new_use(self) -> BlockUse:
        return _Statement(self._activate)

    def _activate(self) -> tuple[Any, ...]:
        if self._stated.scope is None:
            return (_context.set(self._merged_into(_context.get())),)
        inside = self._merged_into(current_context())
        scope, standing = combine_scopes((inside.scope, inside.standing), local_scope(self._stated.scope))
        token = _context.set(replace(inside, scope=scope, standing=standing))
        if active() is not None and scope is not None:
            with guard("instrument.carrying"):
                return token, otel_context.attach(context_with_scope(scope, standing))
        return (token,)

    def _merged_into(self, outer: CallContext) -> CallContext:
        stated = self._stated
        return CallContext(
            conversation=stated.conversation if stated.conversation is not None else outer.conversation,
            user=stated.user if stated.user is not None else outer.user,
            scope=outer.scope,
            attributes={**outer.attributes, **stated.attributes},
            standing=outer.standing,
        )


class OverrideBlock(Block):
    """Block with an override, or the end of one, in force for the work inside."""

    def __init__(self, override: Override) -> None:
        self._override = override

    def new_use(self) -> BlockUse:
        return _Statement(lambda: (_overrides.set((*_overrides.get(), self._override)),))


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
    """Puts a clause back in force for the work inside the block, whatever override set it aside.

    ``with specspan.revoke("be_concise", by="user", reason="asked for short answers again"): ...``

    ``by`` must be a level at least as authoritative as that of the override; a later override can set the clause aside
    anew.
    """

    def __init__(
        self, clause: str, *, by: str, reason: str, until: date | None = None, source: str | Evidence | None = None
    ) -> None:
        super().__init__(Override(clause, by, reason, until, OverrideKind.REVOKE, source))


def spend(amount: Decimal | float | str, currency: str) -> None:
    """Count a cost of the work at hand against every cost limit of the scopes that it belongs to.

    ``specspan.spend("0.02", "EUR")``. specspan knows no prices: the application states them. Once a limit is reached,
    checks of kind ``scope`` and ``tools`` allow no tool. An amount that cannot be read, or one in another currency than
    the limit's, leaves nothing of the limit. Never raises.
    """
    standing = current_context().standing
    if standing is None or not standing.budgets:
        return
    cost = None
    try:
        cost = Cost(Decimal(str(amount)), currency)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise_interruption(error)
        drop_counts.count("cost", "unreadable")
    for budget in standing.budgets:
        budget.spend(cost)
