"""Scripted judge behind an OpenAI-compatible service on loopback: real clients and real HTTP, with faults by script.

It reads the prompts of `specspan.checks.judging` as a model would: what stands behind the fence is evidence, the
clauses are its task. One that obeys follows whatever else the prompt holds, and so shows what escapes the fence.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from types import TracebackType
from typing import Any, TypeAlias, final

from specspan.testing.script import Prompt, Reply, text_of
from specspan.testing.server import MODEL, ScriptedModel

Rules: TypeAlias = "Mapping[str, str] | Callable[[str, str], float | None]"
"""By clause, a phrase that violates it; or a function from clause and text to a score, None where it does not apply."""

_FENCED = re.compile(
    r"^<<<call (?P<nonce>[0-9a-f]+)>>>$(?P<data>.*?)^<<<end of call (?P=nonce)>>>$", re.MULTILINE | re.DOTALL
)
_CLAUSES = re.compile(r"^<<<clauses>>>$(?P<clauses>.*?)^<<<end of clauses>>>$", re.MULTILINE | re.DOTALL)
_CLAUSE = re.compile(r'^Clause (?P<id>"(?:[^"\\]|\\.)*"):', re.MULTILINE)
_ROLE_MARKS = re.compile(
    r"<\|[^|\n]*\|>|<<SYS>>|\[/?INST\]|</?s>|<(?:start|end)_of_turn>|^(?:Human|Assistant|System):", re.MULTILINE
)
_TAGS = re.compile("[\U000e0020-\U000e007e]+")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_CATEGORY = re.compile(r"^S(?P<number>[0-9]+): (?P<title>.*)\.$", re.MULTILINE)
_TITLE = re.compile(r"^## (?P<title>.*)$", re.MULTILINE)


class JudgeFault(str, Enum):
    """Fault of the judge in place of its answer."""

    DOWN = "down"
    """It closes the connection."""
    SLOW = "slow"
    """It answers after `ScriptedJudge.slow_s`."""
    RATE_LIMITED = "rate_limited"
    """HTTP 429 with ``Retry-After``."""
    SERVER_ERROR = "server_error"
    """HTTP 500."""
    REFUSED = "refused"
    """HTTP 401, with a message that quotes the key."""
    GARBAGE = "garbage"
    HALF_JSON = "half_json"
    WRONG_CLAUSE = "wrong_clause"
    """An answer about a clause that was not asked for."""
    MISSING_CLAUSE = "missing_clause"
    """No answer about the first clause."""
    NAN_SCORE = "nan_score"
    LARGE_SCORE = "large_score"
    EXTRA_MEMBER = "extra_member"
    TWICE = "twice"
    """Two answers about each clause, of which one says that it complied."""


@final
class ScriptedJudge:
    """Service that judges by its rules while the ``with`` block lasts.

    ::

        with ScriptedJudge({"protect_privacy": "123-45-6789"}, faults=[JudgeFault.RATE_LIMITED]) as judge:
            policy = f"judge: {{model: 'openai:{judge.model}', endpoint: '{judge.base_url}'}}"
    """

    model = MODEL
    """Name of the model."""
    api_key = "scripted"

    def __init__(
        self,
        rules: Rules,
        *,
        faults: Iterable[JudgeFault | None] = (),
        always: JudgeFault | None = None,
        obeys: bool = False,
        slow_s: float = 5.0,
        retry_after_s: float = 0.0,
    ) -> None:
        """Judge by ``rules``.

        Args:
            rules: what violates each clause.
            faults: of the first requests, one each; None for a sound answer.
            always: fault of every request after those.
            obeys: True for a judge that finds every clause complied with as soon as anything stands outside the fence.
            slow_s: delay of a slow answer.
            retry_after_s: ``Retry-After`` of a rate limit.
        """
        self.always = always
        self._rules = rules
        self._faults = iter(faults)
        self._obeys = obeys
        self._slow_s, self._retry_after_s = slow_s, retry_after_s
        self._lock = threading.Lock()
        self._prompts: list[str] = []
        self._obeyed: list[str] = []
        self._server = ScriptedModel(self._reply)

    @property
    def base_url(self) -> str:
        """Address that a policy takes as ``endpoint``."""
        return self._server.base_url

    @property
    def requests(self) -> tuple[Mapping[str, Any], ...]:
        """Bodies of all requests so far, in order of arrival."""
        return self._server.requests

    @property
    def obeyed(self) -> tuple[str, ...]:
        """Texts outside the fence that an obeying judge followed."""
        return tuple(self._obeyed)

    def __enter__(self) -> ScriptedJudge:
        self._server.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.__exit__(kind, error, tb)

    def _reply(self, prompt: Prompt) -> Reply:
        with self._lock:
            fault = next(self._faults, self.always)
        system = "\n".join(text_of(each) for each in prompt.messages if each.get("role") == "system")
        user = "\n".join(text_of(each) for each in prompt.messages if each.get("role") != "system")
        failure = self._failure(fault)
        if failure is not None:
            return failure
        return Reply(
            self._text(system, user, fault),
            delay_s=self._slow_s if fault is JudgeFault.SLOW else 0.0,
            cached_tokens=self._cached_tokens(system, user),
        )

    def _failure(self, fault: JudgeFault | None) -> Reply | None:
        if fault is JudgeFault.DOWN:
            return Reply(hangs_up=True)
        if fault is JudgeFault.RATE_LIMITED:
            return Reply("slow down", status=429, headers={"Retry-After": f"{self._retry_after_s:g}"})
        if fault is JudgeFault.REFUSED:
            return Reply(f"Incorrect API key provided: {self.api_key}", status=401)
        return Reply("out of order", status=500) if fault is JudgeFault.SERVER_ERROR else None

    def _text(self, system: str, user: str, fault: JudgeFault | None) -> str:
        fenced = _FENCED.search(user)
        data = "" if fenced is None else fenced["data"]
        evidence = "\n".join(line[2:] for line in data.split("\n") if line.startswith("| "))
        outside = "\n".join(_outside(user)).strip()
        if self._obeys and outside:
            self._obeyed.append(outside)
        obeys = self._obeys and bool(outside)
        if "<<<clauses>>>" not in system:
            return self._guard_text(system, evidence, obeys=obeys)
        block = _CLAUSES.search(user)
        clauses = [json.loads(each["id"]) for each in _CLAUSE.finditer("" if block is None else block["clauses"])]
        answers = [self._answer(clause, evidence, obeys=obeys) for clause in clauses]
        return _spoil(answers, fault)

    def _answer(self, clause: str, evidence: str, *, obeys: bool) -> dict[str, Any]:
        score = 0.0 if obeys else self._score(clause, evidence)
        phrase = "" if callable(self._rules) else self._rules.get(clause, "")
        return {
            "clause": clause,
            "applies": score is not None,
            "outcome": "violated" if (score or 0.0) >= 0.5 else "complied",
            "score": score or 0.0,
            "explanation": "It was told so." if obeys else "It follows the script.",
            "sentence": "",
            "quotations": [phrase] if phrase and (score or 0.0) >= 0.5 else [],
        }

    def _score(self, clause: str, evidence: str) -> float | None:
        if callable(self._rules):
            return self._rules(clause, evidence)
        phrase = self._rules.get(clause)
        return 0.0 if phrase is None else 0.95 if phrase in evidence else 0.05

    def _is_violated(self, title: str, evidence: str) -> bool:
        return (self._score(title, evidence) or 0.0) >= 0.5

    def _guard_text(self, system: str, evidence: str, *, obeys: bool) -> str:
        """Return the answer in the format of the guard model whose rubric it is."""
        categories = [(each["number"], each["title"]) for each in _CATEGORY.finditer(system)]
        if categories:
            violated = [
                f"S{n}" for n, title in categories if not obeys and (self._score(title, evidence) or 0.0) >= 0.5
            ]
            return f"unsafe\n{','.join(violated)}" if violated else "safe"
        titles = [each["title"] for each in _TITLE.finditer(system)]
        is_violated = not obeys and any(self._is_violated(title, evidence) for title in titles)
        if '"violation"' in system:
            return json.dumps({"violation": int(is_violated), "rationale": "It follows the script."})
        return "Yes, it does." if is_violated else "No, it does not."

    def _cached_tokens(self, system: str, user: str) -> int:
        """Return how many words of the prompt stood at the start of an earlier one."""
        text = f"{system}\n{user}"
        with self._lock:
            longest = max((_common(text, earlier) for earlier in self._prompts), default=0)
            self._prompts = [*self._prompts[-63:], text]
        return len(text[:longest].split())


def _outside(user: str) -> Iterator[str]:
    """Yield what stands in a prompt beside evidence and clauses, or would be read as if it did."""
    yield _CLAUSES.sub("", _FENCED.sub("", user))
    for fenced in _FENCED.finditer(user):
        data = fenced["data"]
        yield from (line for line in data.split("\n") if line and not line.startswith(("| ", "~ ")))
        yield from _ROLE_MARKS.findall("\n".join(line.removeprefix("| ") for line in data.split("\n")))
        yield from ("".join(chr(ord(each) - 0xE0000) for each in tags) for tags in _TAGS.findall(data))
        yield from _INVISIBLE.findall(data)


def _spoil(answers: list[dict[str, Any]], fault: JudgeFault | None) -> str:
    """Return the answers as text, with the fault that is asked for."""
    if fault is JudgeFault.GARBAGE:
        return "I would rather talk about something else."
    for answer in answers:
        if fault is JudgeFault.WRONG_CLAUSE:
            answer["clause"] = "nobody_asked"
        elif fault is JudgeFault.NAN_SCORE:
            answer["score"] = float("nan")
        elif fault is JudgeFault.LARGE_SCORE:
            answer["score"] = 7
        elif fault is JudgeFault.EXTRA_MEMBER:
            answer["override"] = True
    if fault is JudgeFault.MISSING_CLAUSE:
        answers = answers[1:]
    elif fault is JudgeFault.TWICE:
        answers = [*answers, *({**answer, "outcome": "complied", "score": 0.0} for answer in answers)]
    text = json.dumps({"answers": answers})
    return text[: len(text) // 2] if fault is JudgeFault.HALF_JSON else text


def _common(one: str, other: str) -> int:
    """Return the length of what two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low
