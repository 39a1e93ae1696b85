"""Loading a policy: what a good one becomes, and what every bad one is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specspan.checks.base import Check, CheckConfigError, CheckKindModule
from specspan.checks.registry import kinds as registered_kinds
from specspan.decision import Action, CheckKind, Mode, Override, Severity, Stage
from specspan.errors import PolicyError, Problem
from specspan.policy.load import DEFAULT_REPLACEMENT, load_policy
from specspan.policy.model import Objective, OnError, Policy
from specspan.wording import listed

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


def load(text: str, kinds: Mapping[str, CheckKindModule] | None = None) -> Policy:
    """Load text as the file ``policy.yaml`` of the current directory."""
    Path("policy.yaml").write_text(text, encoding="utf-8")
    return load_policy("policy.yaml", kinds=kinds)


def refused(text: str, kinds: Mapping[str, CheckKindModule] | None = None) -> str:
    """What a refused policy is told."""
    with pytest.raises(PolicyError) as error:
        load(text, kinds)
    return str(error.value)


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
    assert [(check.ref.kind, check.stage) for check in door.checks] == [
        (CheckKind.PATTERN, Stage.INPUT),
        (CheckKind.PATTERN, Stage.OUTPUT),
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


CLAUSE = "spec: house.md\nclauses:\n  greet_people:\n    "
OVERRIDE = "spec: house.md\noverrides:\n  - "

REFUSALS = {
    "unknown clause": (
        "spec: house.md\nclauses:\n  lock_dor:\n",
        "policy.yaml:3: clauses.lock_dor: house has no clause 'lock_dor'. Did you mean 'lock_door'?",
    ),
    "unknown clause, none near": (
        "spec: house.md\nclauses:\n  zzz:\n",
        "policy.yaml:3: clauses.zzz: house has no clause 'zzz'. `specspan spec show house.md` lists the clauses.",
    ),
    "clause that binds nobody": (
        "spec: house.md\nclauses:\n  doors:\n",
        (
            "policy.yaml:3: clauses.doors: the section 'doors' carries no level, so it binds nobody. "
            "Name a clause in it, such as 'lock_door' or 'greet_people'."
        ),
    ),
    "section of sections": (
        "spec: house.md\nclauses:\n  about:\n",
        (
            "policy.yaml:3: clauses.about: the section 'about' carries no level, so it binds nobody. "
            "Name a clause in it, such as 'lock_door' or 'greet_people'."
        ),
    ),
    "unknown key at the top": (
        "spec: house.md\nclausse: {}\n",
        "policy.yaml:2: clausse: 'clausse' is no key here. Did you mean 'clauses'?",
    ),
    "unknown key of a clause": (
        CLAUSE + "actoin: block\n",
        "policy.yaml:4: clauses.greet_people.actoin: 'actoin' is no key here. Did you mean 'action'?",
    ),
    "unknown key, none near": (
        "spec: house.md\ndefaults: {x: 1}\n",
        "policy.yaml:2: defaults.x: 'x' is no key here. Known here: 'action', 'mode', 'on_error' and 'severity'.",
    ),
    "unknown word": (
        CLAUSE + "severity: hihg\n",
        (
            "policy.yaml:4: clauses.greet_people.severity: 'hihg' is none of low, medium, high, critical. "
            "Did you mean 'high'?"
        ),
    ),
    "number for a word": (
        "spec: house.md\nmode: 1\n",
        "policy.yaml:2: mode: 1 is none of observe, enforce. Write one of them.",
    ),
    "number for text": (
        CLAUSE + "replacement: 3\n",
        "policy.yaml:4: clauses.greet_people.replacement: 3 is not text. Put it in quotes.",
    ),
    "text for a mapping": (
        "spec: house.md\nclauses:\n  greet_people: block\n",
        "policy.yaml:3: clauses.greet_people: 'block' is not a mapping. Write 'key: value' lines under it.",
    ),
    "list for a clause": (
        "spec: house.md\nclauses:\n  greet_people: [{patern: x}]\n",
        "policy.yaml:3: clauses.greet_people: a list is not a mapping. Write 'key: value' lines under it.",
    ),
    "list for a mapping": (
        "spec: house.md\nclauses: [greet_people]\n",
        "policy.yaml:2: clauses: a list is not a mapping. Write 'key: value' lines under it.",
    ),
    "mapping for a list": (
        CLAUSE + "checks: {pattern: x}\n",
        (
            "policy.yaml:4: clauses.greet_people.checks: a mapping is not a list. "
            "Write a list: '[a, b]', or a line '- a' each."
        ),
    ),
    "no spec": ("mode: observe\n", "policy.yaml:1: spec: 'spec' is missing. Add 'spec: …'."),
    "empty spec": (
        "spec:\n",
        "policy.yaml:1: spec: nothing is no path. Write the path of the spec's file.",
    ),
    "spec file absent": (
        "mode: observe\nspec: hause.md\n",
        "policy.yaml:2: spec: hause.md: there is no such file. Check the path.",
    ),
    "malformed digest": (
        "spec: {path: house.md, digest: 123abc}\n",
        (
            "policy.yaml:1: spec.digest: '123abc' is no digest. "
            "Write 'sha256:' and 64 hexadecimal digits, in small letters."
        ),
    ),
    "path of two lines": (
        'spec: "house\\nmd"\n',
        "policy.yaml:1: spec.path: 'house\\nmd' is no text of one line. Write one line, at least a character long.",
    ),
    "unknown kind of check": (
        CLAUSE + "checks:\n      - patern: x\n",
        "policy.yaml:5: clauses.greet_people.checks[0]: 'patern' is no kind of check. Did you mean 'pattern'?",
    ),
    "unknown kind, none near": (
        CLAUSE + "checks: [{divination: x}]\n",
        "policy.yaml:4: clauses.greet_people.checks[0]: 'divination' is no kind of check. KINDS",
    ),
    "two kinds in one check": (
        CLAUSE + "checks:\n      - pattern: x\n        reason: y\n",
        (
            "policy.yaml:5: clauses.greet_people.checks[0]: a check has one kind, here it has 'pattern' and 'reason'. "
            "Start each check with '- ' and its kind, and indent the rest under the kind."
        ),
    ),
    "check without a kind": (
        CLAUSE + "checks: [{}]\n",
        (
            "policy.yaml:4: clauses.greet_people.checks[0]: a check has one kind, here it has none. "
            "Start each check with '- ' and its kind, and indent the rest under the kind."
        ),
    ),
    "check that is no mapping": (
        CLAUSE + "checks: [pattern]\n",
        "policy.yaml:4: clauses.greet_people.checks[0]: 'pattern' is not a mapping. Write 'key: value' lines under it.",
    ),
    "unknown key of a check": (
        CLAUSE + "checks:\n      - pattern:\n          any: [x]\n          stge: input\n",
        "policy.yaml:7: clauses.greet_people.checks[0].pattern.stge: 'stge' is no key here. Did you mean 'stage'?",
    ),
    "duplicate key": (
        CLAUSE + "action: flag\n    action: block\n",
        (
            "policy.yaml:5: clauses.greet_people.action: 'action' stands here a second time, first on line 4. "
            "Keep one of the two."
        ),
    ),
    "share above one": (
        CLAUSE + "objective: {target: 99.9, window: 30d}\n",
        (
            "policy.yaml:4: clauses.greet_people.objective.target: the share 99.9 is not above 0 and at most 1. "
            "Write a share such as 99.9% or 0.999."
        ),
    ),
    "share of nothing": (
        CLAUSE + "objective: {target: most, window: 30d}\n",
        (
            "policy.yaml:4: clauses.greet_people.objective.target: 'most' is no share. "
            "Write a share such as 99.9% or 0.999."
        ),
    ),
    "window without a unit": (
        CLAUSE + "objective: {target: 99%, window: 30}\n",
        (
            "policy.yaml:4: clauses.greet_people.objective.window: 30 is no time span. "
            "Write a number and m, h, d or w, such as 30d; at most a year."
        ),
    ),
    "window of years": (
        CLAUSE + "objective: {target: 99%, window: 900000w}\n",
        (
            "policy.yaml:4: clauses.greet_people.objective.window: '900000w' is longer than a year. "
            "Write a number and m, h, d or w, such as 30d; at most a year."
        ),
    ),
    "objective without a window": (
        CLAUSE + "objective: {target: 99%}\n",
        "policy.yaml:4: clauses.greet_people.objective.window: 'window' is missing. Add 'window: …'.",
    ),
    "override of the top level": (
        OVERRIDE + "{clause: lock_door, by: owner, reason: party}\n",
        (
            "policy.yaml:3: overrides[0].clause: 'lock_door' stands at 'owner', "
            "the top level, and is never overridden. "
            "Remove the override."
        ),
    ),
    "override by a weaker level": (
        OVERRIDE + "{clause: greet_people, by: guest, reason: party}\n",
        (
            "policy.yaml:3: overrides[0].by: 'guest' is weaker than 'tenant', the level of 'greet_people'. "
            "It takes 'owner' or 'tenant', or the override has to go."
        ),
    ),
    "override by an unknown level": (
        OVERRIDE + "{clause: greet_people, by: root, reason: party}\n",
        (
            "policy.yaml:3: overrides[0].by: 'root' is no level of house; its ladder is owner, tenant, guest. "
            "This clause takes 'owner' or 'tenant'."
        ),
    ),
    "override by a misspelt level": (
        OVERRIDE + "{clause: greet_people, by: tennant, reason: party}\n",
        (
            "policy.yaml:3: overrides[0].by: 'tennant' is no level of house; its ladder is owner, tenant, guest. "
            "Did you mean 'tenant'?"
        ),
    ),
    "override of an unknown clause": (
        OVERRIDE + "{clause: be_breif, by: owner, reason: party}\n",
        "policy.yaml:3: overrides[0].clause: house has no clause 'be_breif'. Did you mean 'be_brief'?",
    ),
    "override of what binds nobody": (
        OVERRIDE + "{clause: style, by: owner, reason: party}\n",
        (
            "policy.yaml:3: overrides[0].clause: the section 'style' carries no level, so it binds nobody. "
            "Name a clause in it, such as 'be_brief'."
        ),
    ),
    "override without a reason": (
        OVERRIDE + "{clause: be_brief, by: guest}\n",
        "policy.yaml:3: overrides[0].reason: 'reason' is missing. Add 'reason: …'.",
    ),
    "override with an empty reason": (
        OVERRIDE + "{clause: be_brief, by: guest, reason: ''}\n",
        "policy.yaml:3: overrides[0].reason: '' is no text of one line. Write one line, at least a character long.",
    ),
    "override until no day": (
        OVERRIDE + "{clause: be_brief, by: guest, reason: party, until: 2027-02-30}\n",
        "policy.yaml:3: overrides[0].until: '2027-02-30' is no date. Write it as YYYY-MM-DD.",
    ),
    "override until a number": (
        OVERRIDE + "{clause: be_brief, by: guest, reason: party, until: '86400'}\n",
        "policy.yaml:3: overrides[0].until: '86400' is no date. Write it as YYYY-MM-DD.",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_policy_is_told_what_and_where_and_what_to_do(name: str) -> None:
    """File, line, key, what is wrong and the remedy, for each thing that can be wrong."""
    text, said = REFUSALS[name]
    assert refused(text) == said.replace("KINDS", f"The kinds are {listed(sorted(registered_kinds()))}.")


def test_a_pattern_that_needs_backtracking_is_refused_where_it_stands() -> None:
    """The kind of check says what is wrong, the loader on which line."""
    said = refused(CLAUSE + "checks:\n      - pattern:\n          any:\n            - fine\n            - '(a)\\1'\n")
    assert said.startswith("policy.yaml:8: clauses.greet_people.checks[0].pattern.any[1]: pattern '(a)")
    assert "linear time" in said


def test_all_problems_are_named_at_once() -> None:
    """Broken entries do not hide what is wrong elsewhere, nor in the very same clause."""
    said = refused(
        "mode: enfroce\n"
        "spec: house.md\n"
        "clauses:\n"
        "  lock_dor:\n"
        "    severity: hihg\n"
        "    checks:\n"
        "      - patern: x\n"
        "      - pattern: {any: [1]}\n"
        "  greet_people: 3\n"
        "overrides:\n"
        "  - {clause: lock_door, by: owner, reason: x}\n"
        "  - {clause: be_brief, by: owner}\n"
        "  - {clause: be_brief, by: nobody, reason: x}\n"
    )
    lines = [line.split(":")[1] for line in said.splitlines()]
    assert lines == ["1", "4", "5", "7", "8", "9", "11", "12", "13"]


def test_without_its_spec_the_rest_of_a_policy_is_still_looked_at() -> None:
    """A spec that is absent hides only what depends on it."""
    said = refused("spec: absent.md\nclauses:\n  lock_dor: {checks: [{patern: x}]}\n")
    assert [line.split(": ")[1] for line in said.splitlines()] == ["spec", "clauses.lock_dor.checks[0]"]


def test_what_is_wrong_in_the_spec_is_told_with_its_line_there() -> None:
    """The spec's own file, line and remedy stand in the message."""
    Path("house.md").write_text("## Door {#door authority=onwer}\n")
    assert refused("spec: house.md\n").startswith("policy.yaml:1: spec: house.md:1: ")


def _kind(build: Any) -> dict[str, CheckKindModule]:
    """A kind of check as a plug-in could bring it."""
    kind: Any = SimpleNamespace(KIND="fake", build=build, SCHEMA={})
    return {"fake": kind}


FAKE = "spec: house.md\nclauses:\n  greet_people:\n    checks:\n      - fake:\n          a:\n            - b\n"


def test_a_kind_is_handed_its_clause_and_configuration() -> None:
    """Whatever stands under the kind, plain; what it builds is bound to the clause."""
    seen: list[tuple[str, Any]] = []
    check: Any = object()

    def build(clause_id: str, configuration: Any) -> Check:
        seen.append((clause_id, configuration))
        built: Check = check
        return built

    policy = load(FAKE, _kind(build))
    assert seen == [("greet_people", {"a": ["b"]})]
    assert policy.clauses["greet_people"].checks == (check,)


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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
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
