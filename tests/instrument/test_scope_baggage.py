"""A scope on its way to other services: what leaves in baggage, and what is in force where it arrives."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from ended_spans import Spans
from opentelemetry import baggage, propagate
from opentelemetry import context as otel_context

from specspan._support import drop_counts
from specspan.call import CallContext
from specspan.errors import ConfigurationError
from specspan.instrument import scope_propagation
from specspan.instrument.context import context, current_context, spend
from specspan.instrument.gate import activate
from specspan.instrument.scope_propagation import BAGGAGE_ENTRY, MAX_BAGGAGE_BYTES, ScopeKeys, encode_token
from specspan.scope.narrowing import Standing, Trust
from specspan.scope.scope import ArgumentLimit, Cost, ScopeOfAutonomy

SECRET = b"a secret of two services"
SEARCH, BOTH = ScopeOfAutonomy(("search",)), ScopeOfAutonomy(("search", "refund"))
FIVE_EURO = ScopeOfAutonomy(cost_limit=Cost(Decimal(5), "EUR"))


@pytest.fixture(autouse=True)
def _active(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECSPAN_SCOPE_KEY", f"shared:{SECRET.decode()}")


@contextmanager
def arrived(headers: Mapping[str, str]) -> Iterator[None]:
    """Inside, what a server's instrumentation makes of ``headers`` is in force, as in a process of its own."""
    before = otel_context.attach(propagate.extract(headers, context=otel_context.Context()))
    try:
        yield
    finally:
        otel_context.detach(before)


def sent() -> dict[str, str]:
    """The headers that a client's instrumentation sends."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


def seen(headers: Mapping[str, str]) -> CallContext:
    """What is in force in another process that got ``headers``: there nothing was said before."""

    def there() -> CallContext:
        with arrived(headers):
            return current_context()

    return contextvars.Context().run(there)


def trust(headers: Mapping[str, str]) -> Trust | None:
    standing = seen(headers).standing
    return None if standing is None else standing.trust


def entry(text: str) -> dict[str, str]:
    return {"baggage": f"{BAGGAGE_ENTRY}={text}"}


def test_a_scope_travels() -> None:
    """What is declared here is in force there, verified."""
    with context(scope=SEARCH):
        headers = sent()
    assert (seen(headers).scope, trust(headers)) == (SEARCH, Trust.VERIFIED)
    assert sent() == {}


def test_without_a_scope_nothing_travels() -> None:
    """Who says nothing of a scope sends nothing, and is under none."""
    with context(user="u-7"):
        assert sent() == {}
        assert current_context().standing is None


def test_before_it_is_configured_nothing_travels() -> None:
    """OpenTelemetry's context is left alone until there is a pipeline."""
    activate(None)
    with context(scope=SEARCH):
        assert sent() == {}
        assert current_context().scope == SEARCH


def test_here_it_can_only_be_narrowed() -> None:
    """Local code narrows what arrived, and hands on the narrower one, still verified."""
    with context(scope=SEARCH):
        headers = sent()

    def there() -> tuple[ScopeOfAutonomy | None, Mapping[str, str]]:
        with arrived(headers), context(scope=BOTH), context(user="u"):
            return current_context().scope, sent()

    scope, further = contextvars.Context().run(there)
    assert scope == SEARCH
    assert (seen(further).scope, trust(further)) == (SEARCH, Trust.VERIFIED)


def test_it_is_handed_on_as_it_came() -> None:
    """A service in between that says nothing of its own passes the very same text on."""
    with context(scope=SEARCH):
        headers = sent()
    with arrived(headers):
        assert sent() == headers


@pytest.mark.parametrize(
    ("text", "scope", "expected"),
    [
        ("garbage", None, Trust.UNTRUSTED),
        ("", None, Trust.UNTRUSTED),
        ("a.b.c.d", None, Trust.UNTRUSTED),
        ("%00%ff", None, Trust.UNTRUSTED),
        (encode_token(BOTH, ScopeKeys(), 1), BOTH, Trust.UNTRUSTED),
        (encode_token(BOTH, ScopeKeys("shared", {"shared": b"another secret..."}), 1), BOTH, Trust.UNTRUSTED),
        (encode_token(BOTH, ScopeKeys("shared", {"shared": SECRET}), 1), BOTH, Trust.EXPIRED),
        (encode_token(BOTH, ScopeKeys("shared", {"shared": SECRET}), 1)[:-9], BOTH, Trust.UNTRUSTED),
    ],
    ids=["garbage", "empty", "four parts", "bytes", "unsigned", "forged", "replayed", "truncated"],
)
def test_what_cannot_be_believed_only_narrows(text: str, scope: ScopeOfAutonomy | None, expected: Trust) -> None:
    """Hostile baggage widens nothing: under a scope of this process, no tool is allowed that it did not allow."""
    assert (seen(entry(text)).scope, trust(entry(text))) == (scope, expected)
    with context(scope=SEARCH), arrived(entry(text)):
        assert current_context().scope == SEARCH
        standing = current_context().standing
        assert standing is not None
        assert standing.trust is expected


def test_an_entry_of_the_applications_own_is_not_believed() -> None:
    """Whatever object stands under the entry's name, it is no scope of ours."""
    before = otel_context.attach(baggage.set_baggage(BAGGAGE_ENTRY, 7))
    found = current_context()
    otel_context.detach(before)
    assert (found.scope, found.standing) == (None, Standing(Trust.UNTRUSTED))


def test_what_we_fail_to_read_is_not_believed(in_production: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of our own is counted, and raises nothing and trusts nothing."""
    monkeypatch.setattr(scope_propagation, "decode_token", lambda text, keys: text / keys)
    assert trust(entry("anything")) is Trust.UNTRUSTED


def test_baggage_that_cannot_be_written_is_left_alone(in_production: None) -> None:
    """Where the application's own baggage breaks when it is measured, its block is entered all the same."""

    class Odd:
        def __str__(self) -> str:
            raise LookupError

    before = otel_context.attach(baggage.set_baggage("odd", Odd()))
    with context(scope=SEARCH):
        assert current_context().scope == SEARCH
        assert list(baggage.get_all()) == ["odd"]
    otel_context.detach(before)


def test_what_cannot_be_believed_is_not_vouched_for() -> None:
    """Narrowing an untrusted scope and handing it on does not make it trusted: it leaves unsigned."""

    def there() -> Mapping[str, str]:
        with arrived(entry(encode_token(BOTH, ScopeKeys(), 1))), context(scope=ScopeOfAutonomy()):
            return sent()

    further = contextvars.Context().run(there)
    assert (seen(further).scope, trust(further)) == (BOTH, Trust.UNTRUSTED)


def test_of_two_entries_none_widens_this_process() -> None:
    """Baggage keeps the last of two entries of one name: a forged one behind a good one counts, as untrusted."""
    with context(scope=SEARCH):
        good = sent()["baggage"]
    forged = f"{BAGGAGE_ENTRY}={encode_token(BOTH, ScopeKeys(), 1)}"
    assert trust({"baggage": f"{good},{forged}"}) is Trust.UNTRUSTED
    assert (seen({"baggage": f"{forged},{good}"}).scope, trust({"baggage": f"{forged},{good}"})) == (
        SEARCH,
        Trust.VERIFIED,
    )


class TestOversizedBaggage:
    """More than OpenTelemetry takes."""

    @pytest.fixture(autouse=True)
    def nothing_logged(self) -> None:
        """OpenTelemetry's own propagator warns."""

    def test_it_does_not_arrive(self) -> None:
        """Baggage over the limit is dropped whole before it is seen here."""
        assert trust({"baggage": f"{BAGGAGE_ENTRY}={'A' * MAX_BAGGAGE_BYTES}"}) is None

    def test_an_entry_over_the_limit_does_not_arrive(self) -> None:
        """So is an entry over its own."""
        assert trust(entry("A" * 4096)) is None


def test_a_scope_that_does_not_fit_is_not_sent() -> None:
    """Too long for an entry of baggage, it is counted, and what arrives is untrusted."""
    before = drop_counts.totals().get(("scope", "too_large"), 0)
    with context(scope=ScopeOfAutonomy(tuple(f"tool_{number:04}" for number in range(400)))):
        headers = sent()
    assert headers == entry("")
    assert trust(headers) is Trust.UNTRUSTED
    assert drop_counts.totals()["scope", "too_large"] == before + 1


@pytest.mark.parametrize(("each_bytes", "left"), [(4000, True), (4050, True), (4090, False)])
def test_the_applications_own_baggage_is_not_pushed_out(each_bytes: int, left: bool) -> None:
    """Where both do not fit, the application's baggage is sent and the scope is not; its name is, while that fits."""
    others = {"a": "x" * each_bytes, "b": "y" * each_bytes}
    full = otel_context.Context()
    for name, value in others.items():
        full = baggage.set_baggage(name, value, full)
    before = otel_context.attach(full)
    with context(scope=SEARCH):
        found = dict(baggage.get_all(propagate.extract(sent(), context=otel_context.Context())))
    otel_context.detach(before)
    scope = found.pop(BAGGAGE_ENTRY, None)
    assert found == others
    assert scope is not None if left else scope is None
    assert bool(scope) is (each_bytes == 4000)


def test_there_is_a_most_of_entries() -> None:
    """Of 180 entries all are the application's."""
    full = otel_context.Context()
    for number in range(180):
        full = baggage.set_baggage(f"n{number}", "x", full)
    before = otel_context.attach(full)
    with context(scope=SEARCH):
        assert BAGGAGE_ENTRY not in sent()["baggage"]
    otel_context.detach(before)


def test_baggage_that_is_filled_later_does_not_push_it_out() -> None:
    """The scope stands first, and the rest of the baggage is kept."""
    with context(scope=SEARCH):
        later = otel_context.attach(baggage.set_baggage("tenant", "acme"))
        headers = sent()
        otel_context.detach(later)
    assert headers["baggage"].startswith(f"{BAGGAGE_ENTRY}=1.shared.")
    assert headers["baggage"].endswith(",tenant=acme")


def test_a_thread_given_opentelemetrys_context_is_under_the_scope() -> None:
    """Whoever carries OpenTelemetry's context into a thread carries the scope with it, and what was spent."""
    found: list[CallContext] = []

    def work(carried: otel_context.Context) -> None:
        token = otel_context.attach(carried)
        found.append(current_context())
        otel_context.detach(token)

    with context(scope=SEARCH):
        thread = threading.Thread(target=work, args=(otel_context.get_current(),))
        thread.start()
        thread.join()
        here = current_context()
    assert (found[0].scope, found[0].standing) == (here.scope, here.standing)


def test_what_is_left_of_the_cost_limit_is_handed_on() -> None:
    """What was spent counts against every enclosing limit; the next service gets no more than is left."""
    with context(scope=FIVE_EURO):
        with context(scope=ScopeOfAutonomy(cost_limit=Cost(Decimal(2), "EUR"))):
            spend("0.50", "EUR")
            spend(1, "EUR")
            inner = seen(sent()).scope
        outer = seen(sent()).scope
    assert inner is not None
    assert outer is not None
    assert (str(inner.cost_limit), str(outer.cost_limit)) == ("0.5 EUR", "3.5 EUR")


def test_spending_without_a_limit_is_nobodys_business() -> None:
    """It is counted against nothing, and never raises."""
    spend(1, "EUR")
    with context(scope=SEARCH):
        spend("much", "EUR")


@pytest.mark.parametrize(
    ("amount", "currency"), [("much", "EUR"), (float("nan"), "EUR"), (-1, "EUR"), (1, ""), (1, "USD")]
)
def test_what_cannot_be_counted_leaves_nothing(amount: float | str, currency: str) -> None:
    """An amount that may be anything may be over the limit."""
    with context(scope=FIVE_EURO):
        spend(amount, currency)
        scope = seen(sent()).scope
    assert scope is not None
    assert str(scope.cost_limit) == "0 EUR"


def test_a_deadline_travels() -> None:
    """It is a moment, not a duration: on its way no time is gained."""
    deadline = datetime.now(timezone.utc) + timedelta(minutes=5)
    with context(scope=ScopeOfAutonomy(deadline=deadline)):
        assert seen(sent()).scope == ScopeOfAutonomy(deadline=deadline)


def test_a_pattern_that_cannot_run_is_refused_where_it_is_declared() -> None:
    """The error names the argument; nothing is in force."""
    with pytest.raises(ConfigurationError, match=r"limits\.search\.query\.patterns.*linear time"):
        context(scope=ScopeOfAutonomy(limits={"search": {"query": ArgumentLimit(patterns=("(?=a)a",))}}))


def test_a_decorated_function_is_inside_too() -> None:
    """As a decorator, each call is under the scope and hands it on."""

    @context(scope=SEARCH)
    def work() -> dict[str, str]:
        return sent()

    assert trust(work()) is Trust.VERIFIED
    assert sent() == {}
