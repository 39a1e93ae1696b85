"""Lists, laid out for a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.cli.list_table import Column, ListTable

_CLAUSE = "assume_an_objective_point_of_view_and_say_what_is_contested"  # as long as the longest of a real spec


def table() -> ListTable:
    """Two records, one of them with three violated clauses."""
    made = ListTable(
        Column("time", gives_way=2),
        Column("trace"),
        Column("name", gives_way=3, is_text=True),
        Column("took", gives_way=1, align_right=True),
        Column("violated"),
    )
    made.add_row("11-29 20:26:44", "566c0a55", "answer a customer of ours", "9 ms", ["privacy", "be_brief", "be_kind"])
    made.add_row("11-29 20:26:43", "b79675a9", "chat", "60.5 ms", [])
    return made


def lines(width: int | None, of: ListTable | None = None) -> list[str]:
    return [line.plain for line in (of or table()).lines(width)]


def test_a_wide_terminal_shows_all() -> None:
    """Numbers stand to the right, and no line has blanks at its end."""
    assert lines(120) == [
        "time            trace     name                          took  violated",
        "11-29 20:26:44  566c0a55  answer a customer of ours     9 ms  privacy be_brief be_kind",
        "11-29 20:26:43  b79675a9  chat                       60.5 ms",
    ]
    assert lines(None) == lines(120)


@pytest.mark.parametrize(
    ("width", "row"),
    [
        (84, "11-29 20:26:44  566c0a55  answer a customer of ours     9 ms  privacy be_brief …"),
        (62, "11-29 20:26:44  566c0a55  answer a custom…     9 ms  privacy …"),
        (52, "11-29 20:26:44  566c0a55  answer a custo…  privacy …"),
        (36, "566c0a55  answer a custo…  privacy …"),
        (22, "566c0a55  privacy …"),
    ],
)
def test_what_tells_least_gives_way_first(width: int, row: str) -> None:
    """First the later ids of a list, then ends of texts, then columns in their order; never a part of an id."""
    assert lines(width)[1] == row


def test_an_id_wider_than_the_terminal_has_a_line_of_its_own() -> None:
    """It is not torn."""
    made = ListTable(Column("trace"), Column("verdict"), Column("violated"))
    made.add_row("566c0a55", "✘ violated", [_CLAUSE])
    made.add_row("b79675a9", "✔ complied", [])

    assert lines(70, made) == ["trace     verdict", "566c0a55  ✘ violated", f"  {_CLAUSE}", "b79675a9  ✔ complied"]


@given(st.lists(st.tuples(*[st.text("abc語", max_size=30)] * 2, st.lists(st.text("abc", min_size=1, max_size=30)))))
def test_no_line_is_wider_than_the_terminal_unless_an_id_is(rows: list[tuple[str, str, list[str]]]) -> None:
    """Whatever is listed."""
    made = ListTable(Column("id"), Column("name", gives_way=1, is_text=True), Column("clauses"))
    for row in rows:
        made.add_row(*row)

    for line in made.lines(64):
        assert line.cell_len <= 64
        assert line.plain == line.plain.rstrip()
