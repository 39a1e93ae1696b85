"""Files of gates: the policy, what it is measured by, and the thresholds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from specspan._support.files import read_text_file
from specspan._support.messages import Problems
from specspan.documents.node import Limits, key_of
from specspan.documents.validation import validate
from specspan.documents.yaml import read_yaml
from specspan.errors import ConfigurationError, Problem
from specspan.gate.requirement import InvalidRequirement, Requirement, parse_requirement
from specspan.policy.schema import Entry, Line

_MAX_BYTES = 1 << 20
_LIMITS = Limits(max_weight=4_000_000)
_SOURCES = {
    "tests": "tests",
    "examples": "examples",
    "dataset": "dataset",
    "replay": "dataset",
    "judges": "calibration",
    "spec": "previous_spec",
}
"""Key of the file that a source of measures needs."""


def _as_list(value: Any) -> Any:
    """Return a text alone as a list of it."""
    return [value] if isinstance(value, str) else value


Paths = Annotated[list[Line], BeforeValidator(_as_list)]
"""Paths relative to the file: one, or a list."""


class GateEntry(Entry):
    """File of a gate."""

    policy: Line
    """Policy that is to come into force, relative to this file."""
    environment: Line | None = None
    """Environment of the policy."""
    baseline: Line | None = None
    """Policy that cases are compared with, in place of what was decided then."""
    tests: Paths = Field(default_factory=list)
    """Files of policy tests; they have the policy of this file."""
    examples: bool = False
    """True to run the examples of the policy's specs."""
    dataset: Paths = Field(default_factory=list)
    """Datasets: the outcomes they expect, and a replay of their calls."""
    calibration: Paths = Field(default_factory=list)
    """Calibrations of the policy's judges."""
    previous_spec: Line | None = None
    """Text of the spec that holds now, with which the policy's is compared."""
    require: list[Line] = Field(min_length=1)
    """Requirements, of which each has to hold."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Gate, with every path made absolute or relative to the current folder."""

    source: str
    policy: Path
    environment: str | None
    baseline: Path | None
    tests: Sequence[Path]
    examples: bool
    datasets: Sequence[Path]
    calibrations: Sequence[Path]
    previous_spec: Path | None
    requirements: Sequence[Requirement]


def load_gate(path: str | os.PathLike[str]) -> Gate:
    """Load the file of a gate.

    Raises:
        ConfigurationError: the file is refused; every problem is named with line, key and remedy.
    """
    text = read_text_file(path, what="gate", max_bytes=_MAX_BYTES, error=ConfigurationError)
    problems = Problems(text.source, ConfigurationError)
    root = read_yaml(text.source, text.text, error=ConfigurationError, limits=_LIMITS)
    if root is None or not isinstance(root.value, dict):
        line = None if root is None else root.line
        raise problems.error(Problem("the top is not a mapping", "Start with 'policy:' and 'require:'.", line))
    entry = validate(GateEntry, root, problems)
    if entry is None:
        raise problems.error()
    requirements = []
    for index, written in enumerate(entry.require):
        line, key = root.at(("require", index)).line, key_of(("require", index))
        try:
            requirement = parse_requirement(written, "dataset" if entry.dataset else "examples", line)
        except InvalidRequirement as error:
            problems.add(Problem(error.message, error.remedy, line, key))
            continue
        needed = _SOURCES.get(requirement.source)
        if needed is not None and not getattr(entry, needed):
            problems.add(Problem(f"{written!r} needs {needed!r}", f"Add '{needed}: …'.", line, key))
        requirements.append(requirement)
    problems.raise_if_any()
    folder = Path(text.source).parent
    return Gate(
        source=text.source,
        policy=folder / entry.policy,
        environment=entry.environment,
        baseline=None if entry.baseline is None else folder / entry.baseline,
        tests=[folder / each for each in entry.tests],
        examples=entry.examples,
        datasets=[folder / each for each in entry.dataset],
        calibrations=[folder / each for each in entry.calibration],
        previous_spec=None if entry.previous_spec is None else folder / entry.previous_spec,
        requirements=requirements,
    )
