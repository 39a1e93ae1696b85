"""`length`: characters, words, sentences and tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from policies import answered
from ready_made import build, decide, redact, stream

from specspan.call import Response, Usage
from specspan.checks.check import CheckConfigError
from specspan.decision import Outcome


@pytest.mark.parametrize(
    ("text", "words", "sentences"),
    [
        ("", 0, 0),
        ("One.", 1, 1),
        ("It's a well-known fact. Isn't it?! Yes", 7, 3),
        ("Version 1.2 costs $3.50. Fine.", 5, 2),
        ("天气很好。我们走吧！", 8, 2),
        ("… --- ...", 0, 0),
        ("Он сказал: «Да.» Потом ушёл.", 5, 2),
    ],
)
def test_words_and_sentences_are_those_of_the_script(text: str, words: int, sentences: int) -> None:
    """Where no blanks part words, each character counts."""
    for unit, count in (("words", words), ("sentences", sentences)):
        assert decide(build("length", {f"max_{unit}": count}), answered(text)).outcome is Outcome.COMPLIED
        if count:
            finding = decide(build("length", {f"max_{unit}": count - 1}), answered(text))
            assert (finding.reason, finding.score) == ("too_long", count)
        finding = decide(build("length", {f"min_{unit}": count + 1}), answered(text))
        assert (finding.reason, finding.score) == ("too_short", count)


@pytest.mark.parametrize(
    ("configuration", "kept"),
    [(3, "One"), ({"max_words": 2}, "One two"), ({"max_sentences": 1}, "One two."), ({"max_words": 0}, "")],
)
def test_a_redaction_takes_what_is_too_much(configuration: Any, kept: str) -> None:
    """The start of the answer stays."""
    assert redact(build("length", configuration), "One two. Three.") == f"{kept}[redacted:too_long]"


def test_tokens_are_those_that_the_provider_counts() -> None:
    """Nobody else's count is what is paid."""
    call, check = answered("One two"), build("length", {"max_tokens": 5})
    assert decide(check, call).reason == "tokens_not_counted"
    for count, outcome in ((5, Outcome.COMPLIED), (6, Outcome.VIOLATED)):
        counted = Response(output=call.output, usage=Usage(1, count))
        assert decide(check, replace(call, response=counted)).outcome is outcome


def test_a_stream_that_grows_too_long_is_cut_and_one_that_is_short_yet_is_not() -> None:
    """An upper limit is decided on the way, a lower one at the end."""
    assert stream(build("length", 500), *["x" * 50] * 20)[1] is not None
    check = build("length", {"max_chars": 500, "min_chars": 10})
    with pytest.raises(AssertionError, match="nothing of the check"):
        stream(check, "x")


@pytest.mark.parametrize(
    "configuration", [{}, None, {"max_words": 2, "min_words": 3}, {"max_tokens": 2, "stage": "input"}]
)
def test_limits_that_cannot_hold_are_refused(configuration: Any) -> None:
    """When the policy is loaded."""
    with pytest.raises(CheckConfigError):
        build("length", configuration)
