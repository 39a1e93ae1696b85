"""Several specs under one policy: how their clauses and levels are called, and how their ladders stand together."""

from __future__ import annotations

from pathlib import Path

import pytest

from specspan.errors import PolicyError
from specspan.policy.load import load_policy
from specspan.policy.policy import Policy
from specspan.spec.read import load_spec

CLUB = """\
---
id: club
version: "7"
ladder: [board, tenant, visitor]
---
# Rooms {#rooms}

## Lock the door {#lock_door authority=tenant}

After ten.

## Sign the book {#sign_book authority=visitor}

With a pen.

## Style {#style authority=board}

Of the club.
"""
SPECS = "specs: [house.md, club.md]\n"
ORDER = "order: [owner, board, [house.tenant, club.tenant], guest, visitor]\n"


@pytest.fixture(autouse=True)
def club(house: Path) -> None:
    """A second spec beside the house."""
    (house / "club.md").write_text(CLUB)


def load(text: str) -> Policy:
    Path("policy.yaml").write_text(text)
    return load_policy("policy.yaml")


def refused(text: str) -> str:
    with pytest.raises(PolicyError) as error:
        load(text)
    return str(error.value)


def test_a_policy_over_two_specs_knows_both() -> None:
    """Both texts are in force, in the order the file names them, and all their binding clauses are considered."""
    policy = load(SPECS + ORDER)
    assert [spec.id for spec in policy.specs] == ["house", "club"]
    assert [clause.id for clause in policy.authority.binding] == [
        "house:lock_door",
        "greet_people",
        "be_brief",
        "club:lock_door",
        "sign_book",
        "style",
    ]


def test_the_order_ranks_levels_of_both() -> None:
    """The declared order decides, and levels in one list are equal."""
    authority = load(SPECS + ORDER).authority
    ranks = [authority.rank(level) for level in ("owner", "board", "house.tenant", "club.tenant", "guest", "visitor")]
    assert ranks == [0, 1, 2, 2, 3, 4]
    with pytest.raises(ValueError, match="unknown level 'tenant' of house and club"):
        authority.rank("tenant")


def test_a_clause_is_called_by_its_id_or_with_its_spec() -> None:
    """An id that one spec has needs no more; with its spec before it, it is the same clause."""
    policy = load(SPECS + ORDER + "clauses:\n  sign_book:\n  house:greet_people:\n  club:lock_door:\n")
    assert list(policy.clauses) == ["sign_book", "greet_people", "club:lock_door"]
    assert policy.clauses["club:lock_door"].clause.authority == "club.tenant"
    assert policy.clauses["greet_people"].clause.parent == "doors"


def test_a_section_does_not_take_a_clauses_name() -> None:
    """``style`` binds in one spec and is a mere section of the other: there is one clause to mean."""
    policy = load(SPECS + ORDER + "clauses: {style: }\n")
    assert policy.clauses["style"].clause.authority == "board"


def test_overrides_name_clauses_and_levels_of_either() -> None:
    """A level of one spec may override a clause of another that is no stronger; each goes by the name it is called."""
    policy = load(SPECS + ORDER + "overrides:\n  - {clause: 'club:lock_door', by: house.tenant, reason: moving}\n")
    (override,) = policy.overrides
    assert (override.clause, override.by) == ("club:lock_door", "house.tenant")


def test_a_message_has_the_weaker_of_two_levels_called_as_its_role() -> None:
    """Where both specs have a level for users, their messages have no more than either gives them."""
    for file, ladder in (("house.md", "[owner, tenant, guest]"), ("club.md", "[board, tenant, visitor]")):
        text = Path(file).read_text().replace(ladder, ladder.replace("tenant", "user")).replace("=tenant", "=user")
        Path(file).write_text(text)
    authority = load(SPECS + "order: [owner, board, house.user, club.user, guest, visitor]\n").authority
    assert authority.level_of_role("user") == "club.user"
    assert authority.level_of_role("developer") is None


def test_system_messages_spoke_for_the_platform_before_there_was_a_system() -> None:
    """In ladders without the level of its name, a system message has the older one's."""
    Path("house.md").write_text(Path("house.md").read_text().replace("owner", "platform"))
    assert load("spec: house.md\n").authority.level_of_role("system") == "platform"


def test_one_spec_is_called_as_it_calls_itself() -> None:
    """Under ``specs`` with a single path nothing needs an order, and clauses are the spec's own."""
    policy = load("specs: [house.md]\nclauses: {'house:lock_door': }\n")
    assert policy.clauses["lock_door"].clause is policy.spec.clauses["lock_door"]
    assert policy.order == (("owner",), ("tenant",), ("guest",))


def test_a_given_version_takes_the_place_of_the_spec_it_is_a_version_of() -> None:
    """Of several, the one with its id."""
    Path("policy.yaml").write_text(SPECS + ORDER)
    Path("new.md").write_text(CLUB.replace('"7"', '"8"'))
    policy = load_policy("policy.yaml", spec=load_spec("new.md"))
    assert [spec.version for spec in policy.specs] == ["3", "8"]


def test_pins_are_each_specs_own() -> None:
    """A digest beside a path pins that text alone."""
    digest = load_spec("club.md").digest
    policy = load(f"specs: [house.md, {{path: club.md, digest: '{digest}'}}]\n{ORDER}")
    assert policy.pins == {"club": digest}


REFUSALS = {
    "no order": (
        SPECS,
        (
            "policy.yaml:1: order: how the levels of 'house' and 'club' stand to one another is missing. Add them, "
            "strongest first, such as 'order: [owner, house.tenant, guest, board, club.tenant, visitor]'; "
            "a list within it is of equals."
        ),
    ),
    "level left out": (
        SPECS + "order: [owner, board, house.tenant, club.tenant, guest]\n",
        "policy.yaml:2: order: 'visitor' is missing. Name every level once.",
    ),
    "level twice": (
        SPECS + ORDER.replace("guest,", "guest, owner,"),
        "policy.yaml:2: order[4]: duplicate level 'owner'. Keep one of the two.",
    ),
    "unknown level": (
        SPECS + ORDER.replace("guest", "gest"),
        "policy.yaml:2: order[3]: unknown level 'gest'. Did you mean 'guest'?",
    ),
    "level of both": (
        SPECS + ORDER.replace("house.tenant", "tenant"),
        (
            "policy.yaml:2: order[2][0]: 'tenant' is a level of more than one spec. "
            "Write 'house.tenant' or 'club.tenant'."
        ),
    ),
    "ladder upside down": (
        SPECS
        + "order: [owner, board, [house.tenant, club.tenant], visitor, guest]\n".replace(
            "owner, board", "board"
        ).replace("visitor,", "owner, visitor,"),
        (
            "policy.yaml:2: order[1]: 'owner' does not stand above 'house.tenant', as in the ladder of house. "
            "Keep its order: owner, house.tenant, guest."
        ),
    ),
    "levels of one ladder equal": (
        SPECS + "order: [owner, board, [house.tenant, guest], club.tenant, visitor]\n",
        (
            "policy.yaml:2: order[2]: 'house.tenant' does not stand above 'guest', as in the ladder of house. "
            "Keep its order: owner, house.tenant, guest."
        ),
    ),
    "level that is no name": (
        SPECS + "order: [owner, {a: b}]\n",
        "policy.yaml:2: order[1]: a mapping is not a level. Write a name, or a list of names of equal levels.",
    ),
    "clause of both": (
        SPECS + ORDER + "clauses:\n  lock_door:\n",
        (
            "policy.yaml:4: clauses.lock_door: more than one spec has a clause 'lock_door'. "
            "Write 'house:lock_door' or 'club:lock_door'."
        ),
    ),
    "clause of neither": (
        SPECS + ORDER + "clauses:\n  sign_bok:\n",
        "policy.yaml:4: clauses.sign_bok: house and club have no clause 'sign_bok'. Did you mean 'sign_book'?",
    ),
    "clause under two names": (
        SPECS + ORDER + "clauses:\n  sign_book:\n  club:sign_book:\n",
        "policy.yaml:5: clauses.'club:sign_book': names the clause 'sign_book' again. Keep one of the two.",
    ),
    "override by a level of both": (
        SPECS + ORDER + "overrides: [{clause: sign_book, by: tenant, reason: x}]\n",
        (
            "policy.yaml:3: overrides[0].by: 'tenant' is a level of more than one spec. "
            "Write 'house.tenant' or 'club.tenant'."
        ),
    ),
    "override of another ladder's top": (
        SPECS + ORDER + "overrides: [{clause: style, by: owner, reason: x}]\n",
        (
            "policy.yaml:3: overrides[0].clause: 'style' stands at 'board', the top level, and is never overridden. "
            "Remove the override."
        ),
    ),
    "one spec twice": (
        "specs: [house.md, house.md]\n",
        "policy.yaml:1: specs[1]: duplicate spec id 'house'. Give one of the two another id.",
    ),
    "both keys": (
        "spec: house.md\n" + SPECS + ORDER,
        "policy.yaml:1: spec: 'spec' and 'specs' are both given. Keep one of the two.",
    ),
    "no specs": ("specs: []\n", "policy.yaml:1: specs: names no spec. Write a list of paths."),
    "absent spec": (
        "specs:\n  - house.md\n  - clubb.md\n",
        "policy.yaml:3: specs[1]: clubb.md: no such file. Check the path.",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_told_apart_or_ordered_is_refused(name: str) -> None:
    """With line, key and remedy, as everything else in a policy."""
    text, said = REFUSALS[name]
    assert refused(text) == said


def test_a_version_of_a_spec_that_the_policy_lacks_is_refused() -> None:
    """There is no place for it to take."""
    Path("policy.yaml").write_text(SPECS + ORDER)
    Path("new.md").write_text(CLUB.replace("id: club", "id: pub"))
    with pytest.raises(PolicyError, match=r"specs: names no spec 'pub'\. Add the path of 'pub'\."):
        load_policy("policy.yaml", spec=load_spec("new.md"))


def test_names_that_would_meet_are_refused() -> None:
    """A clause whose own id looks like another's full name leaves two clauses with one name."""
    Path("club.md").write_text(CLUB + "\n## Odd {#house:lock_door authority=visitor}\n\nOdd.\n")
    assert refused(SPECS + ORDER) == (
        "policy.yaml:1: specs: 'house:lock_door' would name two clauses; give one of the specs another id. "
        "Then every clause has a name of its own."
    )
