"""Loading a policy: what every bad one is told, where it stands and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from policy_files import refused

from specspan._support.messages import quoted_list
from specspan.checks.registry import kinds as registered_kinds

pytestmark = pytest.mark.usefixtures("house")

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
        "policy.yaml:2: clausse: unknown key 'clausse'. Did you mean 'clauses'?",
    ),
    "unknown key of a clause": (
        CLAUSE + "actoin: block\n",
        "policy.yaml:4: clauses.greet_people.actoin: unknown key 'actoin'. Did you mean 'action'?",
    ),
    "unknown key, none near": (
        "spec: house.md\ndefaults: {x: 1}\n",
        (
            "policy.yaml:2: defaults.x: unknown key 'x'. "
            "Known here: 'action', 'hold_back', 'mode', 'on_error', 'on_unread', 'review' and 'severity'."
        ),
    ),
    "unknown way to hold back": (
        CLAUSE + "hold_back: {chars: 0}\n",
        (
            "policy.yaml:4: clauses.greet_people.hold_back: unknown way to hold back a stream: a mapping. "
            "Write detect, sentence, all, or a number of characters such as {chars: 64}."
        ),
    ),
    "unknown word": (
        CLAUSE + "severity: hihg\n",
        (
            "policy.yaml:4: clauses.greet_people.severity: unknown value 'hihg', not one of low, medium, high, "
            "critical. Did you mean 'high'?"
        ),
    ),
    "number for a word": (
        "spec: house.md\nmode: 1\n",
        "policy.yaml:2: mode: unknown value 1, not one of observe, enforce. Write one of them.",
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
        "policy.yaml:1: spec: nothing is not a path. Write the path of the spec's file.",
    ),
    "spec file absent": (
        "mode: observe\nspec: hause.md\n",
        "policy.yaml:2: spec: hause.md: no such file. Check the path.",
    ),
    "malformed digest": (
        "spec: {path: house.md, digest: 123abc}\n",
        (
            "policy.yaml:1: spec.digest: invalid digest '123abc'. "
            "Write 'sha256:' and 64 hexadecimal digits, in small letters."
        ),
    ),
    "path of two lines": (
        'spec: "house\\nmd"\n',
        "policy.yaml:1: spec.path: 'house\\nmd' is not one line of text. Write one line, at least a character long.",
    ),
    "unknown kind of check": (
        CLAUSE + "checks:\n      - patern: x\n",
        "policy.yaml:5: clauses.greet_people.checks[0]: unknown kind of check 'patern'. Did you mean 'pattern'?",
    ),
    "unknown kind, none near": (
        CLAUSE + "checks: [{astrology: x}]\n",
        "policy.yaml:4: clauses.greet_people.checks[0]: unknown kind of check 'astrology'. KINDS",
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
        "policy.yaml:7: clauses.greet_people.checks[0].pattern.stge: unknown key 'stge'. Did you mean 'stage'?",
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
            "policy.yaml:4: clauses.greet_people.objective.target: 'most' is not a share. "
            "Write a share such as 99.9% or 0.999."
        ),
    ),
    "window without a unit": (
        CLAUSE + "objective: {target: 99%, window: 30}\n",
        (
            "policy.yaml:4: clauses.greet_people.objective.window: 30 is not a time span. "
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
            "policy.yaml:3: overrides[0].by: unknown level 'root' of house; its ladder is owner, tenant, guest. "
            "This clause takes 'owner' or 'tenant'."
        ),
    ),
    "override by a misspelt level": (
        OVERRIDE + "{clause: greet_people, by: tennant, reason: party}\n",
        (
            "policy.yaml:3: overrides[0].by: unknown level 'tennant' of house; its ladder is owner, tenant, guest. "
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
        "policy.yaml:3: overrides[0].reason: '' is not one line of text. Write one line, at least a character long.",
    ),
    "override until no day": (
        OVERRIDE + "{clause: be_brief, by: guest, reason: party, until: 2027-02-30}\n",
        "policy.yaml:3: overrides[0].until: '2027-02-30' is not a date. Write it as YYYY-MM-DD.",
    ),
    "override until a number": (
        OVERRIDE + "{clause: be_brief, by: guest, reason: party, until: '86400'}\n",
        "policy.yaml:3: overrides[0].until: '86400' is not a date. Write it as YYYY-MM-DD.",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_policy_is_told_what_and_where_and_what_to_do(name: str) -> None:
    """File, line, key, what is wrong and the remedy, for each thing that can be wrong."""
    text, said = REFUSALS[name]
    assert refused(text) == said.replace("KINDS", f"The kinds are {quoted_list(sorted(registered_kinds()))}.")


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
