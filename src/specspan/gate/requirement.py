"""Requirements of a gate: a measure, a comparison and a threshold, as in ``protect_privacy.recall >= 95%``. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from specspan._support.messages import did_you_mean, quoted_list

MEASURES: Mapping[str, Mapping[str, bool]] = MappingProxyType(
    {
        "tests": {"passed": False, "failed": False},
        "examples": {
            "recall": True,
            "precision": True,
            "agreement": True,
            "missed": True,
            "false_alarms": True,
            "undecided": True,
            "unassessed": True,
        },
        "dataset": {
            "recall": True,
            "precision": True,
            "agreement": True,
            "missed": True,
            "false_alarms": True,
            "undecided": True,
            "enforced": True,
            "cases": True,
        },
        "replay": {
            "newly_blocked": False,
            "no_longer_blocked": False,
            "would_newly_block": False,
            "newly_violated": True,
            "newly_complied": True,
            "newly_unassessed": True,
            "changed": True,
            "unknown": True,
        },
        "judges": {"sensitivity": True, "specificity": True, "uncalibrated": False},
        "coverage": {"checked": False, "unassessed": False},
        "spec": {"broken": False, "stale": False, "unbound": False},
    }
)
"""Names of measures by source; True for one that a clause can be named of."""
_COUNTS = frozenset(
    (
        *(("tests", name) for name in MEASURES["tests"]),
        *(("spec", name) for name in MEASURES["spec"]),
        *(("dataset", "cases"), ("judges", "uncalibrated"), ("coverage", "unassessed")),
    )
)
"""Measures that are numbers; every other is a share."""
ENDS = ("low", "high")
"""Ends of the 95 % interval of a share, as the last part of a name."""
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt}
)
_FORM = re.compile(r"\s*(?P<name>\S+?)\s*(?P<sign>>=|<=|==|>|<)\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<percent>%?)\s*")
_EXAMPLE = "Write a measure, a comparison and a number, such as 'protect_privacy.recall >= 95%'."
_BY_CLAUSE = frozenset(("recall", "precision", "agreement", "missed", "false_alarms", "enforced"))


class InvalidRequirement(ValueError):
    """Text that is no requirement; with a remedy."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Requirement:
    """Threshold that one measure has to keep to."""

    text: str
    """As it was written."""
    source: str
    """One of `MEASURES`."""
    name: str
    clause: str | None
    """Clause that it is about; None for all."""
    end: str | None
    """One of `ENDS`, where an end of the interval has to keep to the threshold; None for the value itself."""
    sign: str
    threshold: float
    """Share from 0 to 1 where it was written in percent."""
    line: int | None = None

    def holds(self, value: float) -> bool:
        """Return whether a value keeps to the threshold."""
        return COMPARISONS[self.sign](value, self.threshold)


def parse_requirement(text: str, default_source: str, line: int | None = None) -> Requirement:
    """Return the requirement that a text writes.

    Args:
        text: the text.
        default_source: source of a measure of a clause that names none: ``dataset`` or ``examples``.
        line: its line in the file.

    Raises:
        InvalidRequirement: the text has another form, or names a measure that there is not.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise InvalidRequirement(f"invalid requirement {text!r}", _EXAMPLE)
    words = form["name"].split(".")
    end = words.pop() if words[-1] in ENDS else None
    source = words.pop(0) if words[0] in MEASURES else default_source
    known = MEASURES[source]
    name = words.pop() if words else ""
    if name not in known:
        every = sorted({each for measures in MEASURES.values() for each in measures})
        remedy = did_you_mean(name, known or every, f"The measures of {source!r} are {quoted_list(sorted(known))}.")
        raise InvalidRequirement(f"unknown measure {name!r} of {source!r}", remedy)
    clause = ".".join(words) or None
    if clause is not None and not known[name]:
        raise InvalidRequirement(f"{source}.{name} is not of a clause", f"Write '{source}.{name}'.")
    if clause is None and source == "judges" and known[name]:
        raise InvalidRequirement(f"{source}.{name} is of a clause", f"Write 'judges.CLAUSE.{name}'.")
    threshold = _threshold(form, f"{source}.{name}", end, is_share=(source, name) not in _COUNTS)
    return Requirement(text, source, name, clause, end, form["sign"], threshold, line)


def _threshold(form: re.Match[str], measure: str, end: str | None, *, is_share: bool) -> float:
    """Return the number of a requirement; one that a share could not but keep to, or never keep to, is a slip."""
    number, is_percent = float(form["number"]), bool(form["percent"])
    if not is_share and (is_percent or end is not None):
        raise InvalidRequirement(f"{measure} is a number, not a share", f"Write '{measure} {form['sign']} {number:g}'.")
    share = number / 100 if is_percent else number
    if is_share and (share > 1 or (number == 1 and not is_percent and form["sign"] in ("<=", "<", ">"))):
        remedy = f"Write '{number:g}%'." if number <= 100 and not is_percent else "Write at most 100%."
        raise InvalidRequirement(
            f"{measure} is a share, which {form['number']}{form['percent']} does not bound", remedy
        )
    return share
