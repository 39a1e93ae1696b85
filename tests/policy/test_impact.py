"""What a change of spec means for a policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from specspan.errors import PolicyError
from specspan.policy.impact import Impact, Need, assess_impact, load_with_either
from specspan.spec.diff import SpecDiff, diff
from specspan.spec.read import load_spec

POLICY = """\
spec: house.md
clauses:
  lock_door:
    checks: [{pattern: {any: [open]}}]
  greet_people:
    checks: [{pattern: {any: [hey]}}]
  be_brief:
overrides:
  - {clause: be_brief, by: guest, reason: a story}
"""


@pytest.fixture(autouse=True)
def policy(house: Path) -> Path:
    """A policy for the house, in the current directory."""
    Path("policy.yaml").write_text(POLICY)
    return house


def changed(*replacements: tuple[str, str]) -> SpecDiff:
    """The house against a version with some text replaced."""
    text = Path("house.md").read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    Path("new.md").write_text(text)
    return diff(load_spec("house.md"), load_spec("new.md"))


def of(found: SpecDiff) -> Impact:
    """What a change means for the policy."""
    return assess_impact(load_with_either("policy.yaml", found), found)


def reasons(found: SpecDiff) -> list[tuple[Need, str, str]]:
    """What needs attention, in short."""
    return [(item.need, item.key, item.reason) for item in of(found).attention]


def test_nothing_changed_needs_no_attention() -> None:
    """Where no clause differs, nothing is broken and nothing is stale."""
    assert of(changed()).attention == ()


def test_a_removed_clause_breaks_its_binding() -> None:
    """A binding of a clause that is gone is broken, and the message names it."""
    found = changed(("### Greet people {#greet_people authority=tenant}\n\nWith a smile.\n", ""))
    (item,) = of(found).attention
    assert (item.need, item.key, item.reason) == (Need.BROKEN, "clauses.greet_people", "clause_removed")
    assert "'greet_people'" in item.message


def test_a_renamed_clause_is_named_in_the_remedy() -> None:
    """Where an added clause reads like the one that is gone, the remedy names it."""
    (item,) = of(changed(("{#lock_door", "{#close_door"))).attention
    assert item.remedy == "It looks like 'close_door' now (100% of the words are the same)."


def test_a_clause_that_lost_its_level_breaks_its_binding() -> None:
    """A section that binds nobody cannot be bound."""
    assert reasons(changed((" authority=tenant", ""))) == [(Need.BROKEN, "clauses.greet_people", "level_removed")]


def test_an_override_of_a_clause_whose_authority_rose_is_broken() -> None:
    """A level that was enough for an override and is no longer is told with the levels that are."""
    (item,) = of(changed(("be_brief authority=guest", "be_brief authority=tenant"))).attention
    assert (item.need, item.key, item.reason) == (Need.BROKEN, "overrides[0].by", "insufficient_authority")
    assert "'owner' or 'tenant'" in item.remedy


def test_an_override_of_a_clause_that_rose_to_the_top_is_broken() -> None:
    """The top level is never overridden."""
    found = changed(("be_brief authority=guest", "be_brief authority=owner"))
    assert reasons(found) == [(Need.BROKEN, "overrides[0].clause", "top_level")]


def test_an_override_by_a_level_that_is_gone_is_broken() -> None:
    """A ladder without the level that declares an override has no place for it."""
    found = changed(("tenant, guest]", "tenant, visitor]"), ("authority=guest", "authority=visitor"))
    assert reasons(found) == [(Need.BROKEN, "overrides[0].by", "unknown_level")]


def test_an_override_of_a_clause_that_is_gone_names_its_new_id() -> None:
    """An override, too, is told what its clause looks like now."""
    item = of(changed(("{#be_brief", "{#be_terse"))).attention[-1]
    assert (item.key, item.reason) == ("overrides[0].clause", "unknown_clause")
    assert "'be_terse'" in item.remedy


def test_a_pin_on_the_old_text_is_broken() -> None:
    """A policy that admits the old bytes only is refused with the new ones, whatever they say."""
    found = changed(("Always.", "Always!"))
    Path("policy.yaml").write_text(
        POLICY.replace("spec: house.md", f"spec: {{path: house.md, digest: '{found.old.digest}'}}")
    )
    items = of(found).attention
    assert [(item.key, item.reason) for item in items] == [
        ("spec.digest", "pin_differs"),
        ("clauses.lock_door", "text_changed"),
    ]
    assert found.new.digest in items[0].remedy


def test_an_edition_of_the_catalogue_is_a_pin() -> None:
    """A policy that names its spec as name@version admits the bytes of that edition only."""
    found = changed(("With a smile.", "With a smile, always."))
    Path("policy.yaml").write_text(
        "spec: openai-model-spec@2025-12-18\nclauses: {be_brief: {}}\n",
    )
    assert reasons(found) == [(Need.BROKEN, "spec.digest", "pin_differs")]


def test_a_pin_on_the_new_text_is_kept() -> None:
    """Whoever pinned the new text already needs no reminder of it."""
    found = changed(("Rarely", "Seldom"))
    Path("policy.yaml").write_text(
        POLICY.replace("spec: house.md", f"spec: {{path: house.md, digest: '{found.new.digest}'}}")
    )
    assert reasons(found) == [(Need.STALE, "overrides[0]", "text_changed")]


def test_what_a_check_rests_on_and_changed_is_stale() -> None:
    """Another text, level or tag of a clause with a check needs a look; it breaks nothing."""
    found = changed(("Always.", "At night."), ("lock_door authority=owner", "lock_door authority=tenant tags=night"))
    assert reasons(found) == [
        (Need.STALE, "clauses.lock_door", "authority_changed"),
        (Need.STALE, "clauses.lock_door", "tags_changed"),
        (Need.STALE, "clauses.lock_door", "text_changed"),
    ]


def test_what_nothing_rests_on_is_not_stale() -> None:
    """A clause that is only named stays unassessed whatever it says; a title or a commentary binds nobody."""
    Path("policy.yaml").write_text(POLICY.split("overrides:")[0])
    found = changed(
        ("Rarely", "Seldom"), ("### Lock the door", "### Lock doors"), ("Always.\n", "Always.\n\n!!! meta\n    Why.\n")
    )
    assert reasons(found) == []


def test_new_clauses_that_the_policy_does_not_name_are_listed() -> None:
    """A clause that came, binds and is not in the policy is unassessed on every call, and that is said."""
    found = changed(("# Style", "### Wipe your feet {#wipe_feet authority=guest}\n\n### Notes {#notes}\n\n# Style"))
    assert [clause.id for clause in of(found).unbound] == ["wipe_feet"]


def test_a_policy_written_for_the_new_version_is_read_with_it() -> None:
    """A policy that names a clause only the new version has is not refused for it, and what changed is still stale."""
    found = changed(("{#lock_door", "{#close_door"), ("With a smile.", "With a nod."))
    Path("policy.yaml").write_text(POLICY.replace("lock_door", "close_door"))
    assert reasons(found) == [(Need.STALE, "clauses.greet_people", "text_changed")]


def test_a_policy_for_neither_version_is_refused() -> None:
    """A policy that neither version suits is refused as it is with the old one."""
    found = changed(("{#lock_door", "{#close_door"))
    Path("policy.yaml").write_text(POLICY.replace("lock_door", "shut_door"))
    with pytest.raises(PolicyError, match="house has no clause 'shut_door'"):
        load_with_either("policy.yaml", found)


def test_the_spec_that_the_policy_names_is_not_read() -> None:
    """Two versions are compared wherever they lie; the path in the policy need not be one of them."""
    found = changed(("Always.", "At night."))
    Path("policy.yaml").write_text(POLICY.replace("spec: house.md", "spec: elsewhere/house.md"))
    assert reasons(found) == [(Need.STALE, "clauses.lock_door", "text_changed")]


COMPANY = """\
---
id: company
ladder: [must, may]
---
## Wear a tie {#wear_tie authority=may}

On Mondays.
"""


@pytest.fixture
def beside_a_company(house: Path) -> None:
    """A policy for the house and a company in it."""
    (house / "company.md").write_text(COMPANY)
    text = POLICY.replace("spec: house.md", "specs: [house.md, company.md]\norder: [owner, must, tenant, may, guest]")
    Path("policy.yaml").write_text(text.replace("  be_brief:\n", "  be_brief:\n  wear_tie:\n"))


@pytest.mark.usefixtures("beside_a_company")
def test_of_several_specs_the_one_that_changes_is_looked_at() -> None:
    """What the others say is as it was; an added clause is new to the policy whatever else it binds."""
    found = changed(
        ("Always.", "Nearly always."),
        ("# Style", "## Tidy up {#tidy_up authority=guest}\n\nAt times.\n\n# Style"),
    )
    assert reasons(found) == [(Need.STALE, "clauses.lock_door", "text_changed")]
    assert [clause.id for clause in of(found).unbound] == ["tidy_up"]


def test_a_change_is_not_another_specs_of_the_same_id(house: Path) -> None:
    """Where both have a clause of one id, only the binding of the one that changed is stale."""
    (house / "company.md").write_text(COMPANY.replace("wear_tie", "lock_door"))
    checked = "{checks: [{pattern: {any: [open]}}]}"
    Path("policy.yaml").write_text(
        "specs: [house.md, company.md]\norder: [owner, must, tenant, may, guest]\n"
        f"clauses:\n  house:lock_door: {checked}\n  company:lock_door: {checked}\n"
    )
    assert reasons(changed(("Always.", "Nearly always."))) == [(Need.STALE, "clauses.house:lock_door", "text_changed")]


@pytest.mark.usefixtures("beside_a_company")
def test_a_name_that_becomes_ambiguous_breaks_its_binding() -> None:
    """A new clause with another spec's id leaves the bare id meaning either."""
    found = changed(("# Style", "## Tie {#wear_tie authority=guest}\n\nNever.\n\n# Style"))
    (item,) = of(found).attention
    assert (item.need, item.key, item.reason) == (Need.BROKEN, "clauses.wear_tie", "ambiguous")
    assert item.remedy == "Write 'house:wear_tie' or 'company:wear_tie'."


@pytest.mark.usefixtures("beside_a_company")
def test_a_ladder_that_changes_breaks_the_order() -> None:
    """The order names a level that is gone, and cannot place one that is new."""
    found = changed(
        ("ladder: [owner, tenant, guest]", "ladder: [owner, tenant, visitor]"), ("authority=guest", "authority=visitor")
    )
    assert (Need.BROKEN, "order[4]", "levels_changed") in reasons(found)
