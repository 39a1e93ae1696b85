"""Evaluation of a gate: everything that it names is run once, and each requirement is held against what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from specspan.calibration.calibration_file import Calibration, JudgeCalibration, read_calibration
from specspan.decision import Action, Mode, Outcome
from specspan.errors import ConfigurationError, Problem
from specspan.gate.gate_file import Gate
from specspan.gate.measure import Match, Measure, measure_matches
from specspan.gate.requirement import Requirement
from specspan.policy.coverage import Coverage, measure_coverage
from specspan.policy.impact import Impact, Need, assess_impact
from specspan.policy.judge_bindings import judge_checks_of
from specspan.policy.load import load_policy
from specspan.policy.policy import Policy
from specspan.policy.spec_problems import clause_problem
from specspan.policy_tests.case import Table
from specspan.policy_tests.runner import Result, run_tests
from specspan.policy_tests.table import load_tests
from specspan.replay.dataset import Dataset, iter_calls, read_dataset
from specspan.replay.differences import Differences
from specspan.replay.replayer import Replayed, Replayer
from specspan.replay.report import Report, build_report
from specspan.replay.stored_calls import recorded_result
from specspan.spec.diff import diff
from specspan.spec.read import load_spec
from specspan.spec_examples.evaluate import evaluate as evaluate_examples
from specspan.spec_examples.results import Match as ExampleMatch

_CLEAR = (Outcome.COMPLIED.value, Outcome.NOT_APPLICABLE.value)


@dataclass(frozen=True, slots=True)
class Checked:
    """Requirement, and what was measured."""

    requirement: Requirement
    measure: Measure
    holds: bool
    """False also for what could not be measured: nothing is known to keep to the threshold then."""


@dataclass(slots=True)
class GateResult:
    """Result of a gate."""

    gate: Gate
    policy: Policy
    checked: Sequence[Checked]
    tests: Sequence[tuple[Table, Sequence[Result]]]
    datasets: Sequence[Dataset]

    @property
    def passed(self) -> bool:
        """Return whether every requirement holds."""
        return all(each.holds for each in self.checked)


def run_gate(gate: Gate) -> GateResult:
    """Measure what a gate requires, and compare.

    Raises:
        ConfigurationError: a file that the gate names is refused, or a requirement names an unknown clause.
        PolicyError: the policy, or the baseline, is refused.
    """
    measuring = _Measuring(gate)
    _check_clauses(gate, measuring.policy)
    checked = []
    for requirement in gate.requirements:
        measure = measuring.measure(requirement)
        value = measure.end(requirement.end)
        checked.append(Checked(requirement, measure, holds=value is not None and requirement.holds(value)))
    is_tested = any(each.source == "tests" for each in gate.requirements)
    return GateResult(gate, measuring.policy, checked, measuring.tests if is_tested else (), measuring.datasets)


def _check_clauses(gate: Gate, policy: Policy) -> None:
    problems = [
        Problem(*problem, each.line, f"require: {each.text}")
        for each in gate.requirements
        if each.clause is not None and (problem := clause_problem(policy.authority, each.clause)) is not None
    ]
    if problems:
        raise ConfigurationError(gate.source, *problems)


@dataclass
class _Measuring:
    """Everything that requirements can ask for, each made when the first asks."""

    gate: Gate
    policy: Policy = field(init=False)

    def __post_init__(self) -> None:
        self.policy = load_policy(self.gate.policy, environment=self.gate.environment)

    def measure(self, requirement: Requirement) -> Measure:
        """Return what a requirement is about."""
        by_source: dict[str, Callable[[str, str | None], Measure]] = {
            "tests": self._test_measure,
            "examples": self._example_measure,
            "dataset": self._dataset_measure,
            "replay": self._replay_measure,
            "judges": self._judge_measure,
            "coverage": self._coverage_measure,
            "spec": self._spec_measure,
        }
        return by_source[requirement.source](requirement.name, requirement.clause)

    @cached_property
    def tests(self) -> list[tuple[Table, list[Result]]]:
        """Results of the policy tests, under the policy of the gate in the mode that each file asks for."""
        found = []
        for path in self.gate.tests:
            table = load_tests(path)
            table = replace(table, policy=replace(self.policy, mode=table.policy.mode))
            found.append((table, run_tests(table.policy, table.cases)))
        return found

    @cached_property
    def datasets(self) -> list[Dataset]:
        """Datasets of the gate."""
        return [read_dataset(path) for path in self.gate.datasets]

    @cached_property
    def matches(self) -> list[Match]:
        """Expected and decided outcomes of the datasets' cases, with every check on every call."""
        replayer = Replayer(replace(self.policy.without_sampling(), mode=Mode.OBSERVE))
        found = []
        for case, call in iter_calls(self.datasets):
            result = replayer.replay(call)
            for clause, expected in case.expected.items():
                outcome = result.outcomes.get(clause)
                decided = None
                if clause not in result.unknown:
                    decided = True if outcome == Outcome.VIOLATED.value else False if outcome in _CLEAR else None
                found.append(Match(call.id, clause, expected == Outcome.VIOLATED.value, decided))
        return found

    @cached_property
    def acted_on(self) -> frozenset[str]:
        """Ids of the datasets' calls that the policy stops or changes, in its own mode and without sampling."""
        replayer = Replayer(self.policy.without_sampling())
        return frozenset(call.id for _, call in iter_calls(self.datasets) if _is_acted_on(replayer.replay(call)))

    @cached_property
    def replay(self) -> Report:
        """Replay of the datasets' calls, against what was decided then or the baseline."""
        after, baseline = Replayer(self.policy), self.gate.baseline
        before = None
        if baseline is not None:
            before = Replayer(load_policy(baseline, environment=self.gate.environment))
        differences = Differences()
        for _, call in iter_calls(self.datasets):
            result = recorded_result(call) if before is None else before.replay(call)
            differences.add(call.id, result, after.replay(call))
        return build_report(differences)

    @cached_property
    def examples(self) -> list[Match]:
        """Answers of the specs' examples that a check assessed; those that none did have no decided outcome."""
        found = []
        for spec in self.policy.specs:
            for result in evaluate_examples(spec, self.policy).results:
                decided = None
                if result.match not in (ExampleMatch.UNASSESSED, ExampleMatch.UNDECIDED):
                    decided = result.outcome is Outcome.VIOLATED
                clause = self.policy.authority.name(spec, result.clause)
                found.append(Match(result.example.title or clause, clause, result.verdict.label == "BAD", decided))
        return found

    @cached_property
    def unassessed_examples(self) -> list[tuple[str, bool]]:
        """Clause of each answer of the specs' examples, and whether no check assessed it."""
        return [
            (self.policy.authority.name(spec, result.clause), result.match is ExampleMatch.UNASSESSED)
            for spec in self.policy.specs
            for result in evaluate_examples(spec, self.policy).results
        ]

    @cached_property
    def coverage(self) -> Coverage:
        """Coverage of the specs."""
        return measure_coverage(self.policy)

    @cached_property
    def impact(self) -> Impact:
        """Impact of the change of spec on the policy."""
        if self.gate.previous_spec is None:
            raise ValueError("a gate without a previous spec has no impact")
        return assess_impact(self.policy, diff(load_spec(self.gate.previous_spec), self.policy.spec))

    @cached_property
    def calibrations(self) -> list[Calibration]:
        """Calibrations of the gate, of which the last holds."""
        return [read_calibration(path) for path in self.gate.calibrations]

    def _test_measure(self, name: str, _clause: str | None) -> Measure:
        every = [(table, result) for table, results in self.tests for result in results]
        counted = [result for _, result in every if result.passed is (name == "passed")]
        return Measure(len(counted), None, tuple(result.case.name for result in counted[:5]))

    def _example_measure(self, name: str, clause: str | None) -> Measure:
        if name != "unassessed":
            return measure_matches(name, self.examples, clause)
        about = [unassessed for each, unassessed in self.unassessed_examples if clause in (None, each)]
        return Measure(sum(about), len(about))

    def _dataset_measure(self, name: str, clause: str | None) -> Measure:
        matches = self.matches
        if name == "enforced":
            matches = [replace(each, is_acted_on=each.case in self.acted_on) for each in matches]
        return measure_matches(name, matches, clause)

    def _replay_measure(self, name: str, clause: str | None) -> Measure:
        report = self.replay
        if name in ("newly_blocked", "no_longer_blocked", "would_newly_block"):
            paired = report.would_block if name == "would_newly_block" else report.blocked
            return Measure(paired.lost if name == "no_longer_blocked" else paired.gained, paired.compared)
        if clause is None and name in ("changed", "unknown"):
            if name == "changed":
                return Measure(report.calls - report.equal, report.calls)
            return Measure(report.with_unknown, report.calls)
        clauses = report.clauses if clause is None else [report.clause(clause)]
        examples = tuple(id_ for each in clauses for change in each.changes for id_ in change.examples)[:5]
        if name == "unknown":
            unknown = sum(sum(each.unknown.values()) for each in clauses)
            return Measure(unknown, unknown + sum(each.compared for each in clauses))
        counts = {
            "changed": lambda each: sum(change.calls for change in each.changes),
            "newly_violated": lambda each: each.newly_violated,
            "newly_complied": lambda each: each.newly_complied,
            "newly_unassessed": lambda each: each.newly_unassessed,
        }
        return Measure(sum(map(counts[name], clauses)), sum(each.compared for each in clauses), examples)

    def _judge_measure(self, name: str, clause: str | None) -> Measure:
        judges = [(check.clause.id, check.ref.version) for check in judge_checks_of(self.policy) if check.clause]
        if name == "uncalibrated":
            missing = [id_ for id_, version in judges if self._calibration_of(id_, version) is None]
            return Measure(len(missing), None, tuple(missing[:5]))
        known = (self._calibration_of(id_, version) for id_, version in judges if id_ == clause)
        found = next((each.errors for each in known if each is not None), None)
        if found is None:
            return Measure(0, 0)
        return Measure(found.found, found.violations) if name == "sensitivity" else Measure(found.cleared, found.others)

    def _calibration_of(self, clause: str, version: str) -> JudgeCalibration | None:
        found = (each.find(clause, version) for each in reversed(self.calibrations))
        return next((each for each in found if each is not None), None)

    def _coverage_measure(self, name: str, _clause: str | None) -> Measure:
        coverage = self.coverage
        if name == "checked":
            return Measure(len(coverage.checked), len(coverage.clauses))
        return Measure(len(coverage.unassessed), None, tuple(each.clause.id for each in coverage.unassessed[:5]))

    def _spec_measure(self, name: str, _clause: str | None) -> Measure:
        if name == "unbound":
            names = tuple(clause.id for clause in self.impact.unbound)
        else:
            names = tuple(item.key for item in self.impact.with_need(Need(name)))
        return Measure(len(names), None, names[:5])


def _is_acted_on(result: Replayed) -> bool:
    action = result.ruling.action
    return action is not None and Action(action).rank >= Action.REDACT.rank


def failures(result: GateResult) -> Iterator[Checked]:
    """Yield the requirements that do not hold."""
    return (each for each in result.checked if not each.holds)


def files_of(gate: Gate) -> Iterator[Path]:
    """Yield every file that a gate names."""
    yield gate.policy
    yield from (*gate.tests, *gate.datasets, *gate.calibrations)
    yield from (each for each in (gate.baseline, gate.previous_spec) if each is not None)
