"""Loading a policy: what a good one becomes, and that every other is refused whatever stands in it."""

from __future__ import annotations

from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policies import says
from policy_files import load, refused
from thorough import examples

from specspan.checks.check import Check, CheckConfigError, CheckKindModule
from specspan.decision import Action, CheckMechanism, Mode, Override, Severity, Stage
from specspan.errors import PolicyError, Problem
from specspan.policy.load import DEFAULT_REPLACEMENT, load_policy
from specspan.policy.policy import CheckBinding, Objective, OnError

GOOD = """\
spec: house.md
mode: enforce
defaults: {severity: low, action: block, on_error: closed}
clauses:
  lock_door:
    severity: critical
    action: replace
    on_error: escalate
    replacement: Ask the owner.
    objective: {target: 99.9%, window: 30d}
    checks:
      - pattern: {stage: input, any: ['open .* door'], reason: door}
      - pattern: {any: ['key']}
  greet_people:
overrides:
  - {clause: be_brief, by: tenant, reason: long-form product, until: 2027-01-01}
"""

pytestmark = pytest.mark.usefixtures("house")


def test_everything_a_policy_says_is_in_what_is_loaded() -> None:
    """Spec, mode, defaults, clauses with checks and objectives, overrides and digest."""
    policy = load(GOOD)
    assert (policy.spec.id, policy.spec.version) == ("house", "3")
    assert policy.mode is Mode.ENFORCE
    assert policy.digest == f"sha256:{sha256(GOOD.encode()).hexdigest()}"
    assert policy.source == "policy.yaml"
    assert policy.overrides == (Override("be_brief", "tenant", "long-form product", date(2027, 1, 1)),)
    door, people = policy.clauses.values()
    assert door.clause is policy.spec.clauses["lock_door"]
    assert (door.severity, door.action, door.on_error) == (Severity.CRITICAL, Action.REPLACE, OnError.ESCALATE)
    assert door.replacement == "Ask the owner."
    assert door.objective == Objective(0.999, timedelta(days=30))
    assert [(binding.check.ref.mechanism, binding.check.traits.stage) for binding in door.checks] == [
        (CheckMechanism.PATTERN, Stage.INPUT),
        (CheckMechanism.PATTERN, Stage.OUTPUT),
    ]
    assert (people.clause.id, people.checks) == ("greet_people", ())
    assert (people.severity, people.action, people.on_error) == (Severity.LOW, Action.BLOCK, OnError.CLOSED)


def test_the_least_policy_names_a_spec() -> None:
    """Everything else has a default: observe, medium, flag, open. Empty keys are empty."""
    policy = load("spec: house.md\ndefaults:\nclauses:\n  lock_door:\n  be_brief: {checks: }\noverrides:\n")
    assert policy.mode is Mode.OBSERVE
    door = policy.clauses["lock_door"]
    assert (door.severity, door.action, door.on_error) == (Severity.MEDIUM, Action.FLAG, OnError.OPEN)
    assert policy.overrides == ()


def test_the_spec_is_found_from_the_policy_file(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path starts where the policy lies, not where the program runs."""
    (house / "sub").mkdir()
    (house / "sub" / "policy.yaml").write_text("spec: ../house.md\n")
    monkeypatch.chdir("/")
    assert load_policy(house / "sub" / "policy.yaml").spec.id == "house"


def test_the_pinned_digest_admits_the_pinned_text() -> None:
    """A spec pinned by the digest of its bytes is loaded while those are its bytes, and no longer."""
    digest = f"sha256:{sha256(Path('house.md').read_bytes()).hexdigest()}"
    pinned = f"spec: {{path: house.md, digest: {digest}}}\n"
    assert load(pinned).spec.digest == digest
    Path("house.md").write_text(Path("house.md").read_text() + "\n")
    now = f"sha256:{sha256(Path('house.md').read_bytes()).hexdigest()}"
    assert refused(pinned) == (
        "policy.yaml:1: spec.digest: house.md is another text than the pinned one. "
        f"Restore the pinned text, or read what changed and pin {now}."
    )


@pytest.mark.parametrize(
    ("written", "text"), [("", DEFAULT_REPLACEMENT), ("replacement: ''", ""), ("replacement: No.", "No.")]
)
def test_a_replacement_always_has_a_text(written: str, text: str) -> None:
    """``replace`` without a text of its own takes the default one; an empty text is a text."""
    policy = load(f"spec: house.md\nclauses:\n  lock_door:\n    action: replace\n    {written}\n")
    assert policy.clauses["lock_door"].replacement == text


def test_an_expired_override_is_kept() -> None:
    """It is wrong on no line of the file; that it is never granted, every decision says."""
    policy = load("spec: house.md\noverrides:\n  - {clause: be_brief, by: guest, reason: party, until: 2001-01-01}\n")
    assert policy.overrides[0].until == date(2001, 1, 1)


@pytest.mark.parametrize("target", ["99.9%", "99.9 %", "0.999"])
@pytest.mark.parametrize(
    ("window", "span"),
    [
        ("30d", timedelta(days=30)),
        ("4w", timedelta(weeks=4)),
        ("12h", timedelta(hours=12)),
        ("5m", timedelta(minutes=5)),
    ],
)
def test_objectives_are_written_as_people_say_them(target: str, window: str, span: timedelta) -> None:
    """A percentage or a share, and a number with a unit."""
    policy = load(f"spec: house.md\nclauses: {{lock_door: {{objective: {{target: {target}, window: {window}}}}}}}\n")
    assert policy.clauses["lock_door"].objective == Objective(0.999, span)


def _kind(build: Any) -> dict[str, CheckKindModule]:
    """A kind of check as a plug-in could bring it."""
    kind: Any = SimpleNamespace(KIND="fake", build=build, SCHEMA={})
    return {"fake": kind}


FAKE = "spec: house.md\nclauses:\n  greet_people:\n    checks:\n      - fake:\n          a:\n            - b\n"


def test_a_kind_is_handed_its_clause_and_configuration() -> None:
    """Whatever stands under the kind, plain; what it builds is bound to the clause."""
    seen: list[tuple[str, Any]] = []
    check = says(True)

    def build(clause_id: str, configuration: Any) -> Check:
        seen.append((clause_id, configuration))
        return check

    policy = load(FAKE, _kind(build))
    assert seen == [("greet_people", {"a": ["b"]})]
    assert policy.clauses["greet_people"].checks == (CheckBinding(check),)


@pytest.mark.parametrize(
    ("key", "line", "shown"),
    [("a.0", 7, ".a[0]"), ("a[0]", 7, ".a[0]"), ("a", 6, ".a"), (None, 5, ""), ("x.y", 5, ".x.y")],
)
def test_a_kind_says_which_key_is_wrong_and_the_loader_finds_its_line(key: str | None, line: int, shown: str) -> None:
    """Keys inside a configuration are joined by dots or brackets."""

    def build(clause_id: str, configuration: Any) -> Check:
        raise CheckConfigError("no", "write yes", key)

    assert refused(FAKE, _kind(build)) == (
        f"policy.yaml:{line}: clauses.greet_people.checks[0].fake{shown}: no. Write yes."
    )


def test_a_kind_that_breaks_refuses_the_policy_and_no_more() -> None:
    """A plug-in's own failure is a problem of the line that called for it."""

    def build(clause_id: str, configuration: Any) -> Check:
        raise KeyError("nothing")

    assert refused(FAKE, _kind(build)) == (
        "policy.yaml:5: clauses.greet_people.checks[0].fake: the kind failed with KeyError: 'nothing'. "
        "Correct what stands under it."
    )


def test_a_policy_of_nothing_but_problems_is_refused_in_bounded_time() -> None:
    """Fifty thousand unknown clauses: a hundred are named."""
    with pytest.raises(PolicyError) as error:
        load("spec: house.md\nclauses:\n" + "".join(f"  lock_door_{i}:\n" for i in range(50_000)))
    assert len(error.value.problems) == 101
    assert isinstance(error.value.problems[0], Problem)


def test_a_name_as_long_as_the_file_is_refused() -> None:
    """It is shortened where it is shown, and not compared with anything."""
    said = refused(f"spec: house.md\nclauses:\n  ? {'lock_door' * 100_000}\n  : {{}}\n")
    assert len(said) < 400
    assert "has no clause 'lock_door" in said


WORDS = (
    "spec path digest mode clauses overrides defaults checks pattern code any stage lock_door be_brief about clause by "
    "reason until objective target window severity house.md enforce high owner tenant 99% 30d 2027-01-01 sha256:00 (a "
    "input extends environments production staging specs order context when sample timeout 10% 1s checks+ "
    "overrides+ no\0"
)
_words = st.sampled_from(WORDS.split(" "))
_scalars = _words | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=4), max_leaves=20
)
_clauses = st.dictionaries(_words, st.dictionaries(_words, _values, max_size=3), max_size=3)
_checks = st.lists(st.dictionaries(st.sampled_from(["pattern", "code"]), _values, max_size=2), max_size=3)
_files = st.fixed_dictionaries(
    {"spec": st.just("house.md") | _values},
    optional={
        "mode": _values,
        "clauses": _values | _clauses | st.fixed_dictionaries({"be_brief": st.fixed_dictionaries({"checks": _checks})}),
        "overrides": st.lists(st.dictionaries(_words, _values, max_size=4), max_size=3) | _values,
        "defaults": _values,
        "extends": st.sampled_from(["base.yaml", ".", "", "/dev/null", "no\0"]) | _values,
        "environments": st.dictionaries(_words, st.fixed_dictionaries({}, optional={"clauses": _clauses}) | _values),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(200))
@given(file=_files)
def test_whatever_stands_where_a_policy_is_loaded_or_refused(file: dict[str, Any]) -> None:
    """Any values under any keys: nothing but a `Policy` or a `PolicyError` comes out."""
    Path("base.yaml").write_text("spec: house.md\nclauses: {be_brief: {checks: [{pattern: x}]}}\n", encoding="utf-8")
    try:
        policy = load(yaml.safe_dump(file))
    except PolicyError as error:
        told = str(error)
    else:
        told = f"{policy.source}: loaded"
    assert told.startswith("policy.yaml:")
