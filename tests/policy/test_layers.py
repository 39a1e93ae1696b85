"""A policy of several files and environments: what holds, what names it, and where each refusal stands."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thorough import examples

from specspan.decision import Action, Mode, Severity
from specspan.errors import PolicyError
from specspan.policy.load import load_policy
from specspan.policy.policy import ClausePolicy, Layer, OnError, Policy
from specspan.policy.sources import MAX_LAYERS

BASE = """\
spec: house.md
defaults: {severity: low, on_error: closed}
clauses:
  lock_door:
    action: block
    objective: {target: 99%, window: 30d}
    checks:
      - pattern: {any: [key], reason: key}
  greet_people:
    severity: high
overrides:
  - {clause: be_brief, by: owner, reason: the base says so}
environments:
  production:
    mode: enforce
    clauses: {greet_people: {action: replace}}
"""

SHOP = """\
extends: base.yaml
defaults: {action: redact}
clauses:
  lock_door:
    severity: critical
    checks+:
      - pattern: {any: [door], reason: door}
  be_brief:
overrides+:
  - {clause: greet_people, by: owner, reason: the shop says so}
environments:
  production:
    clauses: {lock_door: {checks: []}}
  staging:
"""

pytestmark = pytest.mark.usefixtures("house")


def write(**files: str) -> None:
    """Write files of the current directory, each named without its ``.yaml``."""
    for name, text in files.items():
        Path(f"{name}.yaml").write_text(text, encoding="utf-8")


def shop(environment: str | None = None) -> Policy:
    """The policy of both files in an environment."""
    write(base=BASE, shop=SHOP)
    return load_policy("shop.yaml", environment=environment)


def refused(path: str, environment: str | None = None) -> str:
    """What a refused policy is told."""
    with pytest.raises(PolicyError) as error:
        load_policy(path, environment=environment)
    return str(error.value)


def digest_of(text: str) -> str:
    """The digest of a text."""
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def reasons(clause: ClausePolicy) -> list[str]:
    """The names of a clause's checks."""
    return [binding.check.ref.name for binding in clause.checks]


def test_what_a_file_says_holds_over_what_it_extends() -> None:
    """Words are replaced, clauses and defaults put together key by key; what is not said again stays."""
    policy = shop()
    door, people, brief = policy.clauses.values()
    assert [clause.clause.id for clause in (door, people, brief)] == ["lock_door", "greet_people", "be_brief"]
    assert (door.severity, door.action, door.on_error) == (Severity.CRITICAL, Action.BLOCK, OnError.CLOSED)
    assert (people.severity, people.action) == (Severity.HIGH, Action.REDACT)
    assert (brief.severity, brief.action, brief.on_error) == (Severity.LOW, Action.REDACT, OnError.CLOSED)
    assert door.objective is not None
    assert (policy.mode, policy.environment, policy.source) == (Mode.OBSERVE, None, "shop.yaml")


def test_a_list_replaces_and_a_list_with_a_plus_adds() -> None:
    """The checks and overrides of the base stay before those of a file that writes ``checks+`` and ``overrides+``."""
    assert reasons(shop().clauses["lock_door"]) == ["key", "door"]
    assert [override.reason for override in shop().overrides] == ["the base says so", "the shop says so"]
    write(shop=SHOP.replace("checks+", "checks").replace("overrides+", "overrides"))
    policy = load_policy("shop.yaml")
    assert reasons(policy.clauses["lock_door"]) == ["door"]
    assert [override.reason for override in policy.overrides] == ["the shop says so"]


@pytest.mark.parametrize(("said", "left"), [("checks: []", []), ("checks:", ["key"]), ("{}", ["key"])])
def test_only_a_list_takes_checks_away(said: str, left: list[str]) -> None:
    """A key with nothing under it, as when all of it is commented out, leaves what is there."""
    write(base=BASE, top=f"extends: base.yaml\nclauses:\n  lock_door:\n    {said}\n")
    assert reasons(load_policy("top.yaml").clauses["lock_door"]) == left


def test_an_environment_holds_over_all_files() -> None:
    """What is said of the environment, in whichever file, comes after what every file says of all."""
    policy = shop("production")
    assert (policy.mode, policy.environment) == (Mode.ENFORCE, "production")
    assert policy.clauses["greet_people"].action is Action.REPLACE
    assert policy.clauses["lock_door"].checks == ()
    staging = shop("staging")
    assert (staging.mode, staging.environment) == (Mode.OBSERVE, "staging")
    assert reasons(staging.clauses["lock_door"]) == ["key", "door"]


def test_an_environment_that_is_not_there_is_refused() -> None:
    """A misspelt environment would silently be another policy; the nearest name is offered."""
    write(base=BASE, shop=SHOP)
    assert refused("shop.yaml", "prodction") == (
        "shop.yaml:11: environments: unknown environment 'prodction', the known ones are 'production' and 'staging'. "
        "Did you mean 'production'?"
    )
    assert "Add it here, with nothing under it where nothing differs." in refused("shop.yaml", "zzz")


def test_where_environments_do_not_differ_any_will_do() -> None:
    """A policy without environments holds in all of them, under its own digest."""
    write(plain="spec: house.md\n")
    policy = load_policy("plain.yaml", environment="anywhere")
    assert (policy.environment, policy.digest) == (None, digest_of("spec: house.md\n"))


def test_one_digest_covers_all_files_and_the_environment() -> None:
    """It is what `sha256sum` says of the layers' digests, a line each, and of the environment."""
    layers = [digest_of(BASE), digest_of(SHOP)]
    policy = shop()
    assert policy.layers == (Layer("base.yaml", layers[0]), Layer("shop.yaml", layers[1]))
    assert policy.digest == digest_of("".join(f"{layer}\n" for layer in layers))
    assert shop("staging").digest == digest_of("".join(f"{line}\n" for line in [*layers, "environment: staging"]))
    assert load_policy("base.yaml").digest == digest_of(BASE)


def test_a_change_of_any_file_changes_the_digest() -> None:
    """Even one that changes nothing else."""
    before = shop().digest
    write(base=BASE + "# a remark\n", shop=SHOP)
    assert load_policy("shop.yaml").digest != before


def test_a_spec_is_found_from_the_file_that_names_it(house: Path) -> None:
    """So is a base, from the file that extends it; the last file that names a spec decides."""
    (house / "deep").mkdir()
    write(base=BASE)
    Path("deep/shop.yaml").write_text("extends: ../base.yaml\n")
    assert load_policy("deep/shop.yaml").spec.id == "house"
    Path("deep/flat.md").write_text(Path("house.md").read_text().replace("id: house", "id: flat"))
    Path("deep/shop.yaml").write_text("extends: ../base.yaml\nspec: flat.md\n")
    assert load_policy("deep/shop.yaml").spec.id == "flat"


def test_every_problem_is_told_in_the_file_it_stands_in() -> None:
    """Its line, its key as that file has it, and the problems of all files at once."""
    write(
        base="clauses:\n  lock_dor:\n    severity: hihg\n",
        shop=(
            "extends: base.yaml\n"
            "spec: house.md\n"
            "clauses:\n"
            "  lock_door:\n"
            "    checks+:\n"
            "      - patern: x\n"
            "environments:\n"
            "  production:\n"
            "    clauses:\n"
            "      be_breif:\n"
            "        checks: [{pattern: {any: [x], stge: input}}]\n"
            "    overrides+:\n"
            "      - {clause: greet_people, by: guest, reason: x}\n"
        ),
    )
    assert refused("shop.yaml").splitlines() == [
        "shop.yaml:6: clauses.lock_door.checks+[0]: unknown kind of check 'patern'. Did you mean 'pattern'?",
        (
            "shop.yaml:10: environments.production.clauses.be_breif: house has no clause 'be_breif'. "
            "Did you mean 'be_brief'?"
        ),
        (
            "shop.yaml:11: environments.production.clauses.be_breif.checks[0].pattern.stge: unknown key 'stge'. "
            "Did you mean 'stage'?"
        ),
        (
            "shop.yaml:13: environments.production.overrides+[0].by: 'guest' is weaker than 'tenant', "
            "the level of 'greet_people'. It takes 'owner' or 'tenant', or the override has to go."
        ),
        "base.yaml:2: clauses.lock_dor: house has no clause 'lock_dor'. Did you mean 'lock_door'?",
        (
            "base.yaml:3: clauses.lock_dor.severity: unknown value 'hihg', not one of low, medium, high, critical. "
            "Did you mean 'high'?"
        ),
    ]


REFUSALS = {
    "absent": (
        {"top": "mode: observe\nextends: bsae.yaml\n"},
        "top.yaml:2: extends: bsae.yaml: no such file. Check the path.",
    ),
    "absent, two files down": (
        {"top": "extends: mid.yaml\n", "mid": "mode: observe\nextends: low.yaml\n"},
        "mid.yaml:2: extends: low.yaml: no such file. Check the path.",
    ),
    "not YAML": (
        {"top": "extends: low.yaml\n", "low": "spec: house.md\nspec: house.md\n"},
        "low.yaml:2: spec: 'spec' stands here a second time, first on line 1. Keep one of the two.",
    ),
    "itself": (
        {"top": "extends: ./top.yaml\n"},
        (
            "top.yaml:1: extends: the files extend one another in a circle: top.yaml extends top.yaml. "
            "Remove one 'extends'."
        ),
    ),
    "a circle": (
        {"top": "extends: mid.yaml\n", "mid": "spec: house.md\nextends: top.yaml\n"},
        (
            "mid.yaml:2: extends: the files extend one another in a circle: "
            "top.yaml extends mid.yaml extends top.yaml. Remove one 'extends'."
        ),
    ),
    "no path": (
        {"top": "extends: [a, b]\nspec: house.md\n"},
        "top.yaml:1: extends: a list is not text. Put it in quotes.",
    ),
    "a path that no file has": (
        {"top": 'spec: house.md\nextends: "a\\0b"\n'},
        "top.yaml:2: extends: 'a\\x00b' is not one line of text. Write one line, at least a character long.",
    ),
    "nobody names a spec": (
        {"top": "extends: low.yaml\n", "low": "mode: observe\n"},
        "top.yaml:1: spec: 'spec' is missing. Add 'spec: …'.",
    ),
    "both lists": (
        {"top": "spec: house.md\nclauses:\n  lock_door:\n    checks: []\n    checks+: []\n"},
        (
            "top.yaml:3: clauses.lock_door: 'checks', which replaces, and 'checks+', which adds, are both given. "
            "Keep one of the two."
        ),
    ),
    "a spec of an environment": (
        {"top": "spec: house.md\nenvironments:\n  production:\n    spec: other.md\n"},
        (
            "top.yaml:4: environments.production.spec: unknown key 'spec'. "
            "Known here: 'clauses', 'context', 'defaults', 'mode', 'overrides' and 'overrides+'."
        ),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_layers_that_do_not_make_a_policy_are_refused(name: str) -> None:
    """With the file and line at which to mend it."""
    files, said = REFUSALS[name]
    write(**files)
    assert refused("top.yaml") == said


def test_a_chain_is_bounded() -> None:
    """Eight files are read, a ninth is not, and the file that asks for it is named."""
    write(**{f"p{i}": f"extends: p{i + 1}.yaml\n" for i in range(40)})
    write(**{f"p{MAX_LAYERS - 1}": "spec: house.md\n"})
    assert len(load_policy("p0.yaml").layers) == MAX_LAYERS
    write(**{f"p{MAX_LAYERS - 1}": "extends: p8.yaml\nspec: house.md\n"})
    assert refused("p0.yaml").startswith("p7.yaml:1: extends: a policy has at most 8 files")


def test_a_link_is_no_way_around_the_circle(house: Path) -> None:
    """A file under another name is still the same file."""
    write(top="extends: link.yaml\n")
    (house / "link.yaml").symlink_to(house / "top.yaml")
    assert "the files extend one another in a circle" in refused("top.yaml")


_SETTINGS: dict[str, list[Any]] = {
    "severity": ["low", "high"],
    "action": ["flag", "block"],
    "mode": ["observe", "enforce"],
    "on_error": ["open", "closed"],
    "on_unread": ["open", "closed"],
    "hold_back": ["detect", "sentence", {"chars": 8}],
    "replacement": ["no", "never"],
    "checks": [[], [{"pattern": {"any": ["x"], "reason": "x"}}], [{"pattern": {"any": ["y"], "reason": "y"}}]],
}
_clause = st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in _SETTINGS.items()})
_file = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["observe", "enforce"]),
        "defaults": st.fixed_dictionaries({}, optional={"severity": st.sampled_from(["low", "critical"])}),
        "clauses": st.dictionaries(st.sampled_from(["lock_door", "greet_people", "be_brief"]), _clause),
    },
)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """What holds, put together by hand: mappings key by key, everything else replaced."""
    both = below.keys() & above.keys()
    nested = [key for key in both if isinstance(above[key], dict) and isinstance(below[key], dict)]
    put = {key: _over(below[key], above[key]) for key in nested}
    return {**below, **above, **put}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(50))
@given(files=st.lists(_file, min_size=1, max_size=4), production=_file)
def test_layers_make_the_policy_that_one_file_would(files: list[dict[str, Any]], production: dict[str, Any]) -> None:
    """However what is said is spread over files and an environment, the same holds as if one file said it."""
    for number, file in enumerate(files):
        below = {"extends": f"l{number - 1}.yaml"} if number else {"spec": "house.md"}
        write(**{f"l{number}": yaml.safe_dump({**below, **file})})
    write(top=f"extends: l{len(files) - 1}.yaml\n" + yaml.safe_dump({"environments": {"production": production}}))
    whole: dict[str, Any] = {"spec": "house.md"}
    for file in (*files, production):
        whole = _over(whole, file)
    write(one=yaml.safe_dump(whole))
    many, one = load_policy("top.yaml", environment="production"), load_policy("one.yaml")
    assert (many.mode, many.clauses.keys()) == (one.mode, one.clauses.keys())
    for clause_id, clause in one.clauses.items():
        found = many.clauses[clause_id]
        assert reasons(found) == reasons(clause)
        assert replace(found, checks=()) == replace(clause, checks=())
