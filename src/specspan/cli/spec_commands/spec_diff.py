"""`specspan spec diff`: changes between two versions of a spec, and their impact on a policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from specspan.cli.diff_page import diff_page
from specspan.cli.elision import elide
from specspan.cli.options import environment_option, import_modules, import_option
from specspan.cli.terminal import console, level_style, print_json, printable
from specspan.policy.impact import Attention, Impact, Need, assess_impact, load_with_either
from specspan.spec.conversation import example_text
from specspan.spec.diff import Aspect, Change, ClauseChange, SpecDiff, diff, in_document_order, similar_clauses
from specspan.spec.diff_json import diff_to_json
from specspan.spec.read import find_spec, load_spec
from specspan.spec.spec import Clause, Example, Spec
from specspan.spec.word_diff import Edit, word_diff

_SIGNS = {Edit.ADDED: ("+", "bold green"), Edit.REMOVED: ("−", "bold red"), Edit.SAME: ("~", "bold yellow")}
_WORD_STYLES = {
    Edit.ADDED: ("bold green", "{+", "+}"),
    Edit.REMOVED: ("red strike", "[-", "-]"),
    Edit.SAME: ("", "", ""),
}
_NEED_STYLES = {Need.BROKEN: ("✘ broken", "bold red"), Need.STALE: ("≈ stale", "yellow")}
_WORDED_ASPECTS = (Aspect.TITLE, Aspect.TEXT, Aspect.COMMENTARY)
_MAX_WIDTH = 110


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option("--policy", type=click.Path(path_type=Path), help="Say which of its bindings break or need another look.")
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write a page that stands alone.")
@environment_option
@import_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON in the form of docs/diff.md.")
def command(
    old: str,
    new: str,
    policy: Path | None,
    page: Path | None,
    environment: str | None,
    modules: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what changed from the spec in OLD to the one in NEW, clause by clause.

    Each is a file, or an edition of the catalogue such as openai-model-spec@2025-12-18 that is on this machine.

    The exit code is 1 when the policy needs attention, and 0 without one.
    """
    before, after = (load_spec(find_spec(reference, Path())) for reference in (old, new))
    spec_diff = diff(before, after)
    with import_modules(modules):
        affected = (
            None if policy is None else assess_impact(load_with_either(policy, spec_diff, environment), spec_diff)
        )
    if page is not None:
        _write_page(page, diff_page(spec_diff, affected))
    if as_json:
        print_json({**diff_to_json(spec_diff), "policy": affected and _impact_json(affected)})
    else:
        out = console()
        out.print(diff_view(spec_diff, affected, colours=out.color_system is not None))
    if affected is not None and affected.attention:
        raise click.exceptions.Exit(1)


def _write_page(page: Path, text: str) -> None:
    """Write the page. One of an earlier run is overwritten."""
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{page} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {page}.", err=True)


def _impact_json(affected: Impact) -> dict[str, Any]:
    """Return the impact on a policy, for a program."""
    return {
        "source": affected.policy.source,
        "digest": affected.policy.digest,
        "counts": {need.value: len(affected.with_need(need)) for need in Need},
        "attention": [
            {
                "need": item.need.value,
                "key": item.key,
                "clause": item.clause,
                "reason": item.reason,
                "message": item.message,
                "remedy": item.remedy,
            }
            for item in affected.attention
        ],
        "unbound": [clause.id for clause in affected.unbound],
    }


def diff_view(spec_diff: SpecDiff, impact: Impact | None, *, colours: bool) -> Group:
    """Return the diff. Without ``colours``, removed words stand in ``[-…-]`` and added words in ``{+…+}``."""
    return Group(*_parts(spec_diff, impact, colours))


def _parts(spec_diff: SpecDiff, impact: Impact | None, colours: bool) -> Iterator[RenderableType]:
    yield from _identity(spec_diff)
    yield summary(spec_diff)
    if spec_diff.ladder is not None:
        old, new = _ladder(spec_diff.old), _ladder(spec_diff.new)
        yield Text.assemble(("chain of command  ", "dim"), old, ("  →  ", "dim"), new)
    if spec_diff.reordered:
        yield Text("The clauses that both have stand in another order.", "dim")
    alike = similar_clauses(spec_diff)
    for entry in in_document_order(spec_diff):
        yield Text()
        if isinstance(entry, ClauseChange):
            yield from _changed_clause(spec_diff, entry, colours)
        else:
            yield _one_sided(spec_diff, entry, alike.get(entry.id))
    if impact is not None:
        yield Text()
        yield from _impact(impact)


def _identity(spec_diff: SpecDiff) -> Iterator[Text]:
    for label, spec in (("from", spec_diff.old), ("to", spec_diff.new)):
        digest = (f"  {spec.digest[:19]}", "dim")
        words = (f"{spec.id} {spec.version or ''}".rstrip(), "bold")
        yield Text.assemble((f"{label:<6}", "dim"), words, digest, (f"  {printable(spec.source)}", "dim"))


def summary(spec_diff: SpecDiff) -> Text:
    """Return a line that says how much changed."""
    if spec_diff.empty:
        same = spec_diff.old.digest == spec_diff.new.digest
        return Text("Nothing differs." if same else "No clause differs; the bytes do.", "bold green")
    sides = ((Edit.ADDED, spec_diff.added, "added"), (Edit.REMOVED, spec_diff.removed, "removed"))
    parts = [Text(f"{len(clauses)} {word}", _SIGNS[edit][1] if clauses else "dim") for edit, clauses, word in sides]
    parts.append(Text(f"{len(spec_diff.changed)} changed", _SIGNS[Edit.SAME][1] if spec_diff.changed else "dim"))
    parts.append(Text(f"{spec_diff.unchanged} unchanged", "dim"))
    counts = ((aspect.value, sum(1 for _ in spec_diff.with_aspect(aspect))) for aspect in Aspect)
    aspects = ", ".join(f"{name} {count}" for name, count in counts if count)
    return Text(" · ", "dim").join(parts).append(f"  ({aspects})" if aspects else "", "dim")


def _ladder(spec: Spec) -> Text:
    return Text(" › ", "dim").join(Text(level, level_style(spec, level)) for level in spec.ladder)


def _one_sided(spec_diff: SpecDiff, clause: Clause, alike: tuple[str, float] | None) -> Text:
    """Return the line of a clause that only one version has, and the clause of the other version it resembles."""
    added = clause.id in spec_diff.new.clauses
    spec, edit = (spec_diff.new, Edit.ADDED) if added else (spec_diff.old, Edit.REMOVED)
    line = _heading(spec, clause, edit)
    if alike is not None:
        line.append(f"  {'was' if added else 'now'} {alike[0]}? {alike[1]:.0%} alike", "cyan")
    return line


def _heading(spec: Spec, clause: Clause, edit: Edit) -> Text:
    sign, style = _SIGNS[edit]
    line = Text.assemble((f"{sign} {clause.id}", style), f"  {printable(clause.title)}")
    if clause.authority is not None:
        line.append(f"  {clause.authority}", level_style(spec, clause.authority))
    return line


def _changed_clause(spec_diff: SpecDiff, change: ClauseChange, colours: bool) -> Iterator[RenderableType]:
    yield _heading(spec_diff.new, change.new, Edit.SAME)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(max_width=_MAX_WIDTH)
    for aspect in change.aspects:
        grid.add_row(aspect.value, _aspect(spec_diff, change, aspect, colours))
    yield Padding(grid, (0, 0, 0, 4))


def _aspect(spec_diff: SpecDiff, change: ClauseChange, aspect: Aspect, colours: bool) -> RenderableType:
    old, new = getattr(change.old, aspect.value), getattr(change.new, aspect.value)
    if aspect is Aspect.EXAMPLES:
        return _examples(change, colours)
    if aspect in _WORDED_ASPECTS:
        return _words(old, new, colours)
    if aspect in (Aspect.TAGS, Aspect.REFERENCES):
        return _set(old, new)
    styles = ("red", "green")
    if aspect is Aspect.AUTHORITY:
        styles = level_style(spec_diff.old, old), level_style(spec_diff.new, new)
    return Text.assemble((_name(old), styles[0]), (" → ", "dim"), (_name(new), styles[1]))


def _name(value: object) -> str:
    return "none" if value is None else printable(str(value))


def _set(old: Sequence[str], new: Sequence[str]) -> Text:
    """Return the words that were removed and added, or a note that their order changed."""
    removed = [Text(f"−{printable(word)}", "red") for word in old if word not in new]
    added = [Text(f"+{printable(word)}", "green") for word in new if word not in old]
    return Text("  ").join((*removed, *added)) if removed or added else Text("in another order", "dim")


def _examples(change: ClauseChange, colours: bool) -> RenderableType:
    examples = change.examples
    sides = ((Edit.ADDED, examples.added), (Edit.REMOVED, examples.removed))
    parts: list[RenderableType] = [_example(edit, example) for edit, side in sides for example in side]
    for changed in examples.changed:
        parts += [_example(Edit.SAME, changed.new), Padding(_conversation(changed, colours), (0, 0, 0, 2))]
    return Group(*parts) if parts else Text("in another order", "dim")


def _example(edit: Edit, example: Example) -> Text:
    sign, style = _SIGNS[edit]
    return Text.assemble((f"{sign} ", style), (printable(example.title), "italic"))


def _conversation(change: Change[Example], colours: bool) -> Text:
    return _words(example_text(change.old), example_text(change.new), colours)


def _words(old: str, new: str, colours: bool) -> Text:
    text = Text()
    for piece in elide(word_diff(old, new)):
        style, before, after = _WORD_STYLES[piece.edit]
        if piece.is_elided:
            text.append(" ⋯ ", "dim")
        elif colours:
            text.append(printable(piece.text), style)
        else:
            text.append(f"{before}{printable(piece.text)}{after}")
    return text


def _impact(impact: Impact) -> Iterator[RenderableType]:
    """Yield the impact of the change on a policy; what needs attention comes last, where it is seen."""
    policy = impact.policy
    broken, stale = len(impact.with_need(Need.BROKEN)), len(impact.with_need(Need.STALE))
    if impact.unbound:
        ids = ", ".join(clause.id for clause in impact.unbound)
        yield Text(f"New and not in the policy, so unassessed on every call: {ids}", "dim")
    line = Text.assemble(("policy ", "dim"), (printable(policy.source), "bold"), "  ")
    if not impact.attention:
        yield line.append("needs no attention", "green")
        return
    yield (
        line.append(f"{broken} broken", "bold red" if broken else "dim")
        .append(" · ", "dim")
        .append(f"{stale} stale", "yellow" if stale else "dim")
    )
    yield _attention(impact.attention)


def _attention(items: Sequence[Attention]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for column in range(3):
        grid.add_column(no_wrap=column == 0, overflow="fold")
    for item in sorted(items, key=lambda item: item.need is Need.STALE):
        sign, style = _NEED_STYLES[item.need]
        message = Text.assemble(f"{printable(item.message)}. ", (printable(item.remedy), "dim"))
        grid.add_row(Text(sign, style), Text(item.key, "bold"), message)
    return grid
