"""Functions as checks: registered by the decorator, named by a policy."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from specspan.call import ModelCall, Request
from specspan.checks import registry
from specspan.checks.check import Check, CheckConfigError, CheckFunction
from specspan.checks.registry import kinds
from specspan.decision import CheckMechanism, CheckRef, Finding, Outcome, Stage

CALL = ModelCall(Request("openai"))


@pytest.fixture(autouse=True)
def _isolated() -> Iterator[None]:
    with registry.isolated_registry():
        yield


def always(call: ModelCall) -> Finding | bool | None:
    """Comply with everything."""
    assert call is CALL
    return True


def never(call: ModelCall) -> bool:
    assert call is CALL
    return False


def build(configuration: object) -> Check:
    return kinds()["code"].build("clause", configuration)


def test_a_registered_function_is_found_by_its_name() -> None:
    """`code: <name>` in a policy asks the function registered under that name, as it was registered."""
    registry.check("always", stage="input", version="3", timeout_s=0.5)(always)
    check = build("always")
    assert check.decide(CALL, []) is True
    assert (check.ref, check.traits.stage, check.traits.timeout_s, check.traits.prefilter) == (
        CheckRef("always", CheckMechanism.CODE, "3"),
        Stage.INPUT,
        0.5,
        (),
    )


def test_the_decorator_returns_the_function_itself() -> None:
    """A check can still be called and tested by hand."""
    assert registry.check("always")(always) is always


def test_a_policy_can_say_otherwise() -> None:
    """Stage, version and time limit in the policy stand over those of the registration; a null limit is no limit."""
    registry.check("always")(always)
    check = build({"name": "always", "stage": "tool_call", "version": "9", "timeout_s": None})
    assert (check.ref.version, check.traits.stage, check.traits.timeout_s) == ("9", Stage.TOOL_CALL, None)


def test_a_function_is_imported_by_its_path() -> None:
    """`package.module:function` needs no registration."""
    check = build("operator:truth")
    assert check.decide(CALL, []) is True
    assert check.ref.name == "operator:truth"


def test_an_imported_function_keeps_what_it_was_registered_with() -> None:
    """Naming a registered function by its path loses neither its name nor its stage."""
    import operator

    registry.check("truth", stage="input")(operator.truth)
    check = build("operator:truth")
    assert (check.ref.name, check.traits.stage) == ("truth", Stage.INPUT)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    """A typo is answered by the name that was probably meant."""
    registry.check("no_account_numbers")(always)
    with pytest.raises(CheckConfigError) as refusal:
        build("no_acount_numbers")
    assert "'no_acount_numbers'" in refusal.value.message
    assert "'no_account_numbers'" in refusal.value.remedy


def test_an_unknown_name_near_nothing_says_how_to_register() -> None:
    """With nothing like it registered, the remedy is how one becomes registered."""
    with pytest.raises(CheckConfigError) as refusal:
        build("x")
    assert "@specspan.check" in refusal.value.remedy


@pytest.mark.parametrize(
    "name", ["no.such.module:f", "operator:no_such", "operator:", "math:pi", "asyncio:sleep", ":f"]
)
def test_a_path_that_gives_no_plain_function_is_refused(name: str) -> None:
    """What cannot be imported, called or awaited from a plain thread is refused when the policy is loaded."""
    with pytest.raises(CheckConfigError) as refusal:
        build(name)
    assert repr(name) in refusal.value.message


@pytest.mark.parametrize("configuration", [{}, {"name": "always", "x": 1}, {"name": "always", "timeout_s": 0}, 7])
def test_other_configurations_are_refused(configuration: object) -> None:
    """A missing name, an unknown key, a limit that is none and a number are refused."""
    registry.check("always")(always)
    with pytest.raises(ValidationError):
        build(configuration)


async def coroutine(call: ModelCall) -> bool:
    return True


async def async_generator(call: ModelCall) -> AsyncIterator[bool]:
    yield True


def generator(call: ModelCall) -> Iterator[bool]:
    yield True


class AsyncCallable:
    async def __call__(self, call: ModelCall) -> bool:
        return True


@pytest.mark.parametrize(
    "function",
    [coroutine, async_generator, generator, AsyncCallable(), functools.partial(coroutine), 7],
    ids=["coroutine", "async generator", "generator", "async object", "partial", "number"],
)
def test_what_could_never_decide_is_refused_when_decorated(function: Any) -> None:
    """A coroutine function returns no finding; the decorator says so at once."""
    with pytest.raises(TypeError, match=r"plain function|cannot be called"):
        registry.check("late")(function)


@pytest.mark.parametrize(
    "settings", [{"stage": "outptu"}, {"timeout_s": 0}, {"timeout_s": float("nan")}, {"timeout_s": True}]
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    """An unknown stage and a time limit that is none are errors of the one who writes them."""
    with pytest.raises(ValueError, match=r"unknown stage|positive number"):
        registry.check("always", **settings)


def test_the_bare_decorator_is_refused() -> None:
    """`@specspan.check` without a name says what to write."""
    bare: Any = registry.check
    with pytest.raises(TypeError, match="needs a name"):
        bare(always)


def test_the_later_of_two_functions_under_one_name_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    """Two functions under one name are a mistake that is said aloud."""
    registry.check("same")(always)
    with caplog.at_level(logging.WARNING, "specspan"):
        registry.check("same")(never)
    assert build("same").decide(CALL, []) is False
    assert "always" in caplog.text
    assert "never" in caplog.text


def test_a_function_defined_again_is_replaced_silently(caplog: pytest.LogCaptureFixture) -> None:
    """A notebook cell run twice or a module reloaded is no mistake."""

    def define(answer: bool) -> CheckFunction:
        def rule(call: ModelCall) -> bool:
            return answer

        return rule

    with caplog.at_level(logging.WARNING, "specspan"):
        registry.check("same")(define(answer=True))
        registry.check("same")(define(answer=False))
    assert build("same").decide(CALL, []) is False
    assert not caplog.records


def test_isolation_forgets_what_was_registered_inside() -> None:
    """Tests that register checks leave nothing behind, and see nothing of others'."""
    registry.check("outside")(always)
    with registry.isolated_registry():
        assert not registry.registered_functions()
        registry.check("inside")(always)
    assert set(registry.registered_functions()) == {"outside"}


def test_what_a_function_says_is_handed_on() -> None:
    """A finding reaches the engine as the function made it."""
    found = Finding(Outcome.UNCERTAIN, "ambiguous", score=0.5)
    registry.check("unsure")(lambda call: found)
    assert build("unsure").decide(CALL, []) is found
