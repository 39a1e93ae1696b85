"""Run of a replay over a window of a store, which can be broken off and gone on with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from specspan.errors import ConfigurationError, Problem
from specspan.policy.policy import Policy
from specspan.replay.differences import Differences
from specspan.replay.recorded_call import RecordedCall
from specspan.replay.replayer import Replayer
from specspan.replay.stored_calls import StoredCalls, recorded_result
from specspan.stores.protocols import StoreReader

_FORM = "specspan-replay-1"
_EVERY = 1000
"""Number of calls after which the state is written."""
_NOTHING_REVIEWED: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Window:
    """Decisions that are replayed."""

    since_unix_nano: int | None
    until_unix_nano: int


@dataclass(slots=True)
class Replay:
    """Replay of the calls of a window through a policy, against what was recorded or against another policy."""

    policy: Policy
    window: Window
    baseline: Policy | None = None
    """Policy to compare with; None compares with the recorded decisions."""
    asks_judges: bool = False
    differences: Differences = field(default_factory=Differences)
    calls: StoredCalls | None = None

    def run(
        self,
        reader: StoreReader,
        state: Path | None = None,
        on_call: Callable[[int], None] = lambda _: None,
        reviewed: Mapping[str, Mapping[str, Any]] = _NOTHING_REVIEWED,
    ) -> StoredCalls:
        """Replay every call of the window. Returns what was read.

        Args:
            reader: the store.
            state: file in which the replay keeps how far it got, and from which it goes on; None keeps nothing.
            on_call: called with the number of decisions read.
            reviewed: by id of a decision that reviewers amended, its ruling before.

        Raises:
            ConfigurationError: the state is that of another replay.
            StoreError: the store cannot be read.
        """
        self.calls = calls = StoredCalls(
            reader, self.window.since_unix_nano, self.window.until_unix_nano, reviewed=reviewed
        )
        if state is not None and state.exists():
            self._load(state, calls)
        after = Replayer(self.policy, asks_judges=self.asks_judges)
        before = None if self.baseline is None else Replayer(self.baseline, asks_judges=self.asks_judges)
        last: RecordedCall | None = None
        for number, recorded in enumerate(calls, 1):
            result = recorded_result(recorded) if before is None else before.replay(recorded)
            self.differences.add(recorded.id, result, after.replay(recorded))
            last = recorded
            if number % _EVERY == 0:
                on_call(calls.read)
                if state is not None:
                    self._save(state, calls, last)
        on_call(calls.read)
        if state is not None and last is not None:
            self._save(state, calls, last)
        return calls

    @property
    def key(self) -> Mapping[str, Any]:
        """Return what makes this replay the one that a state is of."""
        return {
            "form": _FORM,
            "policy": _identity(self.policy),
            "baseline": None if self.baseline is None else _identity(self.baseline),
            "asks_judges": self.asks_judges,
            "since": self.window.since_unix_nano,
            "until": self.window.until_unix_nano,
        }

    def _save(self, state: Path, calls: StoredCalls, last: RecordedCall) -> None:
        document = {
            "key": self.key,
            "last": [last.time_unix_nano, last.id],
            "read": calls.read,
            "skewed": calls.skewed,
            "left_out": dict(calls.left_out),
            "missing": dict(calls.missing),
            "policies": dict(calls.policies),
            "specs": dict(calls.specs),
            "differences": self.differences.to_json(),
        }
        written = state.with_name(f"{state.name}.new")
        written.write_text(json.dumps(document), encoding="utf-8")
        written.replace(state)

    def _load(self, state: Path, calls: StoredCalls) -> None:
        try:
            document = json.loads(state.read_text(encoding="utf-8"))
            if document["key"] != self.key:
                problem = Problem("it is the state of another replay", "Name another file, or remove this one.")
                raise ConfigurationError(f"state {str(state)!r}", problem)
            calls.after = int(document["last"][0]), str(document["last"][1])
            calls.read, calls.skewed = int(document["read"]), int(document["skewed"])
            calls.left_out, calls.missing = Counter(document["left_out"]), Counter(document["missing"])
            calls.policies, calls.specs = Counter(document["policies"]), Counter(document["specs"])
            self.differences = Differences.from_json(document["differences"])
        except (ValueError, KeyError, TypeError, IndexError) as error:
            problem = Problem("it is not the state of a replay", "Name another file, or remove this one.")
            raise ConfigurationError(f"state {str(state)!r}", problem) from error


def window_of_state(state: Path) -> Window | None:
    """Return the window of the replay that a state is of; None without one."""
    try:
        key = json.loads(state.read_text(encoding="utf-8"))["key"]
        return Window(key["since"], int(key["until"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _identity(policy: Policy) -> list[Any]:
    return [policy.digest, policy.mode.value, [spec.digest for spec in policy.specs]]
