"""`specspan spec show`: overview of a spec, or one of its clauses."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
from rich.box import Box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from specspan.cli.options import find_clause
from specspan.cli.terminal import console, level_style, print_json, printable
from specspan.spec.read import load_spec
from specspan.spec.spec import Answer, Clause, Comparison, Example, Spec, Turn, Verdict
from specspan.spec.spec_json import clause_to_json, spec_counts, spec_to_json

_LABEL_STYLES = {"GOOD": "bold green", "BAD": "bold red", "OK": "bold yellow"}
_WIDTH = 100
_GAP = 2
_BAR = Box("    \n  │ \n    \n  │ \n    \n    \n  │ \n    \n")
THEME = Theme({"markdown.code": "cyan", "markdown.item.bullet": "dim", "markdown.item.number": "dim"})
"""Theme of the prose: an id in it stands out without a background of its own."""

_REFERENCE = re.compile(r"\[([^\]\[]*)\]\(#([\w.:-]+)\)")
_CODE_OR_FOOTNOTE = re.compile(r"(`[^`]*`)|\[\^\w+\]")


@click.command("show")
@click.argument("file")
@click.argument("clause", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON in the form of docs/specs.md.")
def command(file: str, clause: str | None, as_json: bool) -> None:
    """Show the spec in FILE, or one CLAUSE of it by its id."""
    spec = load_spec(file)
    only = None if clause is None else find_clause(spec, clause)
    if as_json:
        print_json(spec_to_json(spec) if only is None else clause_to_json(only))
    else:
        out = console()
        out.push_theme(THEME)
        out.print(overview(spec, out.width) if only is None else clause_view(spec, only))


def overview(spec: Spec, width: int) -> RenderableType:
    """Return the spec's identity, its chain of command, its totals and every section, in ``width`` columns."""
    return Group(_identity(spec), Text(), _ladder(spec), _totals(spec), Text(), _sections_table(spec, width))


def clause_view(spec: Spec, clause: Clause) -> RenderableType:
    """Return one clause with its text, commentary, examples and links."""
    parts: list[RenderableType] = [_heading(spec, clause), _links_table(spec, clause)]
    if clause.text:
        parts += [Text(), _prose(clause.text)]
    if clause.commentary:
        parts += [Text(), Text("commentary, binds nobody", "dim"), Padding(_prose(clause.commentary), (0, 0, 0, 2))]
    for number, example in enumerate(clause.examples, 1):
        parts += [Text(), *_example(number, example)]
    return Constrain(Group(*parts), _WIDTH)


def _identity(spec: Spec) -> Text:
    algorithm, _, digest = spec.digest.partition(":")
    return Text.assemble(
        (spec.id, "bold"),
        f"  {spec.version or 'no version'}",
        (f"  {algorithm}:{digest[:12]}", "dim"),
        (f"\n{printable(spec.source)}", "dim"),
    )


def _ladder(spec: Spec) -> Text:
    levels = (Text(level, level_style(spec, level)) for level in spec.ladder)
    return Text.assemble(("chain of command  ", "dim"), Text(" › ", "dim").join(levels))


def _totals(spec: Spec) -> Group:
    totals = spec_counts(spec)
    sections = [("sections", totals["sections"], "bold")]
    sections += [(level, n, level_style(spec, level)) for level, n in totals["authority"].items()]
    sections += [("no label", totals["unlabelled"], "dim")]
    examples = [(name, totals[name], "bold") for name in ("examples", "comparisons")]
    examples += [(label, n, _LABEL_STYLES[label]) for label, n in totals["verdicts"].items()]
    return Group(_totals_row(sections), _totals_row(examples))


def _totals_row(cells: list[tuple[str, int, str]]) -> Table:
    table = _empty_table()
    for name, _, style in cells:
        table.add_column(name, justify="right", style=style)
    table.add_row(*(str(n) for _, n, _ in cells))
    return table


def _empty_table() -> Table:
    return Table(box=None, padding=(0, _GAP, 0, 0), header_style="dim", pad_edge=False)


def _sections_table(spec: Spec, width: int) -> Table:
    """Return the sections as a tree. A narrow terminal cuts titles, never ids or levels."""
    beside = max(cell_len(guides + entry.id) for guides, entry in _tree(spec))
    beside += max(map(cell_len, ("authority", *spec.ladder))) + len("examples") + 3 * _GAP
    table = _empty_table()
    table.add_column("clause", no_wrap=True)
    table.add_column("authority", no_wrap=True)
    table.add_column("title", no_wrap=True, overflow="ellipsis", max_width=max(width - beside, 8))
    table.add_column("examples", no_wrap=True, justify="right", style="dim")
    for guides, entry in _tree(spec):
        style = level_style(spec, entry.authority)
        table.add_row(
            Text.assemble((guides, "dim"), (entry.id, style if entry.authority else "bold")),
            Text(entry.authority or "", style),
            Text.assemble(printable(entry.title), *((f" #{printable(tag)}", "dim") for tag in entry.tags)),
            str(len(entry.examples) or ""),
        )
    return table


def _tree(spec: Spec) -> Iterator[tuple[str, Clause]]:
    """Yield every clause in the order of the document, with the lines of a tree before it."""
    children: dict[str | None, list[Clause]] = {}
    for entry in spec.clauses.values():
        children.setdefault(entry.parent, []).append(entry)

    def below(parent: str | None, indent: str) -> Iterator[tuple[str, Clause]]:
        siblings = children.get(parent, [])
        for entry in siblings:
            last = entry is siblings[-1]
            branch, onward = ("└ ", "  ") if last else ("├ ", "│ ")
            yield indent + (branch if parent else ""), entry
            yield from below(entry.id, indent + (onward if parent else ""))

    return below(None, "")


def _heading(spec: Spec, clause: Clause) -> Group:
    where = [clause]
    while (parent := where[0].parent) is not None:
        where.insert(0, spec.clauses[parent])
    label = clause.authority or "no label: binds nobody"
    facts = [
        Text(label, level_style(spec, clause.authority)),
        *(Text(f"#{printable(tag)}", "dim") for tag in clause.tags),
    ]
    return Group(
        Text(" › ".join(entry.id for entry in where), "dim"),
        Text.assemble((printable(clause.title), "bold"), "  ", Text("  ").join(facts)),
        Text(f"{spec.id} {spec.version or spec.digest[:19]}  {printable(spec.source)}:{clause.line}", "dim"),
    )


def _prose(text: str) -> Markdown:
    """Return Markdown for a terminal: references by their id, without the marks of footnotes that are elsewhere."""
    text = _CODE_OR_FOOTNOTE.sub(lambda match: match[1] or "", printable(text))
    return Markdown(_with_references(text, "`{}`"), code_theme="ansi_dark")


def _one_line(text: str) -> str:
    """Return one line of words with references by their id."""
    return _with_references(printable(text), "{}")


def _with_references(text: str, form: str) -> str:
    def replace(match: re.Match[str]) -> str:
        words, id_ = match[1], form.format(match[2])
        return id_ if words in ("?", "") else f"{words} ({id_})"

    return _REFERENCE.sub(replace, text)


def _example(number: int, example: Example) -> tuple[Text, Table]:
    table = Table(box=_BAR, show_header=False, show_edge=False, pad_edge=False, border_style="dim")
    table.add_column(justify="right", width=11, style="dim")
    table.add_column()
    compared: dict[int, list[Comparison]] = {}
    for comparison in example.comparisons:
        compared.setdefault(comparison.turn, []).append(comparison)
    for place, turn in enumerate((*example.turns, None)):
        for answer in (answer for comparison in compared.get(place, ()) for answer in comparison.answers):
            _add_answer(table, answer)
        if turn is not None:
            table.add_row(turn.role, _message(turn))
    return Text.assemble((f"Example {number}  ", "dim"), (_one_line(example.title), "italic")), table


def _add_answer(table: Table, answer: Answer) -> None:
    verdict = answer.verdict
    label = Text(verdict.label, _LABEL_STYLES.get(verdict.label, "bold")) if verdict else Text("answer")
    first, *rest = answer.turns
    reason = _verdict_text(verdict) if verdict else Text()
    table.add_row(label, Group(reason, _message(first)) if reason else _message(first))
    for turn in rest:
        table.add_row(turn.role, _message(turn))


def _verdict_text(verdict: Verdict) -> Text:
    parts = [Text(_one_line(verdict.reason), "italic")] if verdict.reason else []
    parts += [Text(_one_line(verdict.condition), "yellow")] if verdict.condition else []
    parts += [Text(f"charged against {verdict.charged}", "red")] if verdict.charged else []
    return Text(" · ", "dim").join(parts)


def _message(turn: Turn) -> Text:
    attributes = " ".join(f"{name}={value}" for name, value in turn.attributes.items())
    text = Text(printable(turn.content))
    return Text.assemble((printable(attributes), "dim"), "\n", text) if attributes else text


def _links_table(spec: Spec, clause: Clause) -> Table:
    """Return the clauses that this one refers to, those that refer to it, and those that stand in it."""
    others = [entry for entry in spec.clauses.values() if entry.id != clause.id]
    links = {
        "refers to": [id_ for id_ in clause.references if id_ != clause.id],
        "referred to by": [entry.id for entry in others if clause.id in entry.references],
        "contains": [entry.id for entry in others if entry.parent == clause.id],
    }
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    for name, ids in links.items():
        if ids:
            table.add_row(name, Text(" · ").join(_styled_id(spec, id_) for id_ in ids))
    return table


def _styled_id(spec: Spec, id_: str) -> Text:
    entry = spec.clauses.get(id_)
    return Text(id_, level_style(spec, entry.authority) if entry else "red strike")
