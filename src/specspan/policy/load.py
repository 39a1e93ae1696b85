"""Loading of a policy: files, environments and specs become a `Policy`, or every problem is named.

Several files, and their parts for one environment, are merged. A later word replaces an earlier one; clauses and
defaults are merged key by key; lists and objectives are replaced as a whole. A list under a key that ends in ``+`` is
appended to the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from specspan._support.messages import Problems, did_you_mean, format_value, quoted_list
from specspan.call import Scalar
from specspan.checks.check import CheckKindModule
from specspan.checks.registry import kinds as registered_kinds
from specspan.decision import CheckMechanism, Mode
from specspan.errors import ConfigurationError, PolicyError, SpecError
from specspan.policy.authority import Authority, build_authority
from specspan.policy.file import ENVIRONMENTS, LayerPart, LayerReader, PolicyDocument
from specspan.policy.overrides import rule_override
from specspan.policy.policy import (
    DETECT,
    CheckBinding,
    ClausePolicy,
    Layer,
    Objective,
    Policy,
    ReviewRule,
    condition_from_facts,
    condition_from_tags,
    hold_back_from,
)
from specspan.policy.schema import ClauseEntry, DefaultsEntry, OverrideEntry, PolicyFile, ReviewEntry
from specspan.policy.sources import SpecLoader, digest_of, read_layers
from specspan.spec.catalogue import find_edition
from specspan.spec.spec import Clause, Spec

if TYPE_CHECKING:
    from specspan.calibration.calibration_file import Calibration

E = TypeVar("E", bound=BaseModel)
DEFAULT_REPLACEMENT = "[withheld]"
"""Text handed over under ``action: replace`` when the policy gives no ``replacement``."""


def load_policy(
    path: str | PathLike[str],
    *,
    kinds: Mapping[str, CheckKindModule] | None = None,
    spec: Spec | None = None,
    environment: str | None = None,
) -> Policy:
    """Load a policy file, those that it extends, and the specs they name.

    Args:
        path: the policy file.
        kinds: kinds of check by their key; None for every one that is registered.
        spec: a version to load it with in place of the one it names, pinned or not; of several, the one of its id.
        environment: the environment to load it for; None for the settings of all. It counts only where the files tell
            environments apart, and must then be one of theirs.

    Raises:
        PolicyError: the policy is refused. Every problem is named with file, line, key and remedy, also those under
            other environments.
    """
    documents = read_layers(Path(path))
    return _Loader(documents, registered_kinds() if kinds is None else kinds, spec, environment).load()


class _Loader:
    """Loader of one policy that gathers problems and goes on with the rest."""

    def __init__(
        self,
        documents: Sequence[PolicyDocument],
        kinds: Mapping[str, CheckKindModule],
        given: Spec | None,
        environment: str | None,
        *,
        is_candidate: bool = False,
    ) -> None:
        top = documents[-1].source
        self._problems = Problems(top, PolicyError)
        self._layers = [LayerReader(document, kinds, self._problems, top) for document in documents]
        self._top = self._layers[-1]
        self._spec_layer = next((layer for layer in reversed(self._layers) if layer.has_key("spec", "specs")), None)
        self._given = given
        self._environment = environment
        self._kinds = kinds
        self._is_candidate = is_candidate

    def load(self) -> Policy:
        """Return the policy of the files, once nothing is wrong with them.

        Raises:
            PolicyError: naming every problem.
        """
        environment = self._known_environment()
        specs = self._specs()
        authority = None if specs is None else self._authority(specs)
        if authority is not None:
            for layer in self._layers:
                layer.check_against(authority)
        self._problems.raise_if_any()
        if authority is None or self._spec_layer is None or self._spec_layer.file is None:
            raise self._problems.error()
        named_in = next((each for each in reversed(self._layers) if each.has_key("calibration")), None)
        read = None if named_in is None else self._calibration(named_in)
        self._problems.raise_if_any()
        policy = _assemble(self._layers, self._spec_layer.file, authority, environment, read)
        if policy.mode is Mode.ENFORCE and _has_judge(policy.clauses):
            from specspan.policy.calibrated_judges import idle_problems

            calibration = None if read is None else read[1]
            for name, problem in idle_problems(policy.clauses, calibration).items():
                remedy = "Calibrate it, observe the clause, or leave out 'min_specificity'; its other checks would act."
                self._top.add_problem(("clauses", name), f"a judge may not act: {problem}", remedy)
        candidate = self._candidate()
        self._problems.raise_if_any()
        return policy if candidate is None else replace(policy, candidate=candidate)

    def _candidate(self) -> Policy | None:
        """Return the candidate that the files name last, or None with its problems; a candidate has none itself."""
        layer = next((each for each in reversed(self._layers) if each.has_key("candidate")), None)
        path = None if layer is None or layer.file is None else layer.file.candidate
        if layer is None or path is None or self._is_candidate:
            return None
        try:
            documents = read_layers(Path(layer.document.source).parent / path)
            return _Loader(documents, self._kinds, None, self._environment, is_candidate=True).load()
        except PolicyError as error:
            for problem in error.problems:
                where = error.source if problem.line is None else f"{error.source}:{problem.line}"
                layer.add_problem(("candidate",), f"{where}: {problem.message}", problem.remedy)
            return None

    @staticmethod
    def _calibration(layer: LayerReader) -> tuple[Layer, Calibration] | None:
        """Return the calibration that a file names, or None with the problems that it has."""
        path = None if layer.file is None else layer.file.calibration
        if path is None:
            return None
        from specspan.calibration.calibration_file import read_calibration  # not without a calibration

        try:
            calibration = read_calibration(Path(layer.document.source).parent / path)
        except ConfigurationError as error:
            for problem in error.problems:
                where = error.source if problem.line is None else f"{error.source}:{problem.line}"
                layer.add_problem(("calibration",), f"{where}: {problem.message}", problem.remedy)
            return None
        return Layer(path, calibration.digest), calibration

    def _known_environment(self) -> str | None:
        """Return the environment, or None where the files tell no environments apart."""
        known = list(dict.fromkeys(name for layer in self._layers for name in layer.environments()))
        if not known or self._environment is None:
            return None
        if self._environment not in known:
            message = f"unknown environment {format_value(self._environment)}, the known ones are {quoted_list(known)}"
            remedy = "Add it here, with nothing under it where nothing differs."
            self._top.add_problem((ENVIRONMENTS,), message, did_you_mean(self._environment, known, remedy))
        return self._environment

    def _specs(self) -> tuple[Spec, ...] | None:
        layer = self._spec_layer
        if layer is None:
            self._top.add_problem(("spec",), "'spec' is missing", "Add 'spec: …'.")
            return None if self._given is None else (self._given,)
        folder = Path(layer.document.source).parent
        loader = SpecLoader(layer.document.root, folder, layer.add_problem, layer.is_valid)
        return loader.load(self._given)

    def _authority(self, specs: tuple[Spec, ...]) -> Authority | None:
        """Return the chain of command, or None. An order says nothing of specs that are named above it."""
        spec_layer = self._spec_layer or self._top
        above = self._layers[self._layers.index(spec_layer) :]
        order = next((layer for layer in reversed(above) if layer.has_key("order")), spec_layer).order(specs)
        try:
            return None if order is None else build_authority(specs, order)
        except ValueError as error:
            spec_layer.add_problem(("specs",), str(error), "Then every clause has a name of its own.")
            return None


def _assemble(
    readers: Sequence[LayerReader],
    spec_file: PolicyFile,
    authority: Authority,
    environment: str | None,
    calibration: tuple[Layer, Calibration] | None,
) -> Policy:
    """Return the policy of files without problems; ``spec_file`` is the one that names the specs."""
    general = (reader.part() for reader in readers)
    special = (reader.part(environment) for reader in readers if environment is not None)
    parts = (part for part in (*general, *special) if part is not None)
    whole = merge_parts(parts, lambda written: authority.find_clauses(written)[0])
    own = tuple(Layer(reader.document.source, reader.document.digest) for reader in readers)
    layers = own if calibration is None else (calibration[0], *own)  # it says by which thresholds judges decide
    clauses = {
        name: _bind(authority.clauses[name], entry, whole.defaults, whole.checks[name])
        for name, entry in whole.clauses.items()
    }
    if _has_judge(clauses):
        from specspan.policy.calibrated_judges import calibrate_clauses  # not where no check is a judge

        clauses = calibrate_clauses(clauses, None if calibration is None else calibration[1])
    return Policy(
        specs=authority.specs,
        mode=whole.mode,
        digest=digest_of(layers, environment),
        clauses=clauses,
        overrides=tuple(rule_override(authority, entry.override, date.min).override for entry in whole.overrides),
        source=layers[-1].source,
        pins=_pins(spec_file, authority.specs),
        layers=layers,
        environment=environment,
        order=authority.order,
        context=whole.context,
    )


def _has_judge(clauses: Mapping[str, ClausePolicy]) -> bool:
    checks = (binding.check for bound in clauses.values() for binding in bound.checks)
    return any(check.ref.mechanism is CheckMechanism.JUDGE for check in checks)


def _pins(spec_file: PolicyFile, specs: Sequence[Spec]) -> dict[str, str]:
    entries = spec_file.specs or [entry for entry in (spec_file.spec,) if entry is not None]
    pins = {spec.id: entry.digest or _edition_digest(entry.path) for spec, entry in zip(specs, entries, strict=True)}
    return {id_: pin for id_, pin in pins.items() if pin is not None}


def _edition_digest(reference: str) -> str | None:
    """Return the digest that ``name@version`` of the catalogue stands for; None for a path."""
    with suppress(SpecError):  # an unknown version is reported where the spec is loaded
        edition = find_edition(reference)
        return None if edition is None else edition.digest
    return None


def _bind(
    clause: Clause, entry: ClauseEntry, defaults: DefaultsEntry, checks: tuple[CheckBinding, ...]
) -> ClausePolicy:
    return ClausePolicy(
        clause=clause,
        severity=entry.severity or defaults.severity,
        action=entry.action or defaults.action,
        on_error=entry.on_error or defaults.on_error,
        on_unread=entry.on_unread or defaults.on_unread,
        hold_back=hold_back_from(entry.hold_back or defaults.hold_back) or DETECT,
        mode=entry.mode or defaults.mode,
        review=_review_rule(entry.review or defaults.review),
        checks=tuple(check.for_clause(clause) for check in checks),
        replacement=DEFAULT_REPLACEMENT if entry.replacement is None else entry.replacement,
        objective=None if entry.objective is None else Objective(entry.objective.target, entry.objective.window),
        when=condition_from_tags(clause.tags) if entry.when is None else condition_from_facts(entry.when),
    )


def _review_rule(entry: ReviewEntry | None) -> ReviewRule | None:
    if entry is None:
        return None
    return ReviewRule(frozenset(entry.when), entry.sample or 0.0, entry.rulings, entry.within)


@dataclass(slots=True)
class MergedParts:
    """Settings that remain after merging."""

    mode: Mode = Mode.OBSERVE
    defaults: DefaultsEntry = field(default_factory=DefaultsEntry)
    clauses: dict[str, ClauseEntry] = field(default_factory=dict)
    checks: dict[str, tuple[CheckBinding, ...]] = field(default_factory=dict)
    """Checks of each clause that is named."""
    overrides: tuple[OverrideEntry, ...] = ()
    context: dict[str, Scalar] = field(default_factory=dict)


def merge_parts(parts: Iterable[LayerPart], clause_name: Callable[[str], str]) -> MergedParts:
    """Return ``parts`` merged, the last ones overruling those before them.

    ``clause_name`` returns the one name of a clause, however it is written.
    """
    whole = MergedParts()
    for part in parts:
        entry = part.entry
        whole.mode = entry.mode or whole.mode
        whole.defaults = _overlay(whole.defaults, entry.defaults)
        if entry.overrides is not None:
            whole.overrides = ()
        whole.overrides += (*(entry.overrides or ()), *(entry.more_overrides or ()))
        whole.context |= entry.context
        for written, clause in entry.clauses.items():
            clause_id = clause_name(written)
            whole.clauses[clause_id] = _overlay(whole.clauses.get(clause_id, ClauseEntry()), clause)
            before = whole.checks.get(clause_id, ()) if clause.checks is None else ()
            whole.checks[clause_id] = (*before, *part.checks[written])
    return whole


def _overlay(below: E, above: E) -> E:
    """Return ``above``, with the values of ``below`` where ``above`` has none."""
    given = {name: value for name in above.model_fields_set if (value := getattr(above, name)) is not None}
    return below.model_copy(update=given)
