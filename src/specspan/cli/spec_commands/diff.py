"""`specspan spec diff`: what changed between two versions, and what that means for a policy."""

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
from specspan.cli.elision import elided
from specspan.cli.options import imported, in_environment, own_checks
from specspan.cli.spec_commands.show import level_style
from specspan.cli.terminal import console, print_json, printable
from specspan.policy.impact import Attention, Impact, Need, impact, load_either
from specspan.spec.conversation import example_text
from specspan.spec.diff import Aspect, Change, ClauseChange, SpecDiff, by_place, diff, likenesses
from specspan.spec.diff_json import diff_to_json
from specspan.spec.read import find_spec, load_spec
from specspan.spec.spec import Clause, Example, Spec
from specspan.spec.word_diff import Edit, word_diff

# MERGED diff_view: A diff of two specs in a terminal: a summary, then clause by clause, and what it means for a policy.


_SIGNS = {Edit.ADDED: ("+", "bold green"), Edit.REMOVED: ("−", "bold red"), Edit.SAME: ("~", "bold yellow")}
_WORDS = {Edit.ADDED: ("bold green", "{+", "+}"), Edit.REMOVED: ("red strike", "[-", "-]"), Edit.SAME: ("", "", "")}
_NEEDS = {Need.BROKEN: ("✘ broken", "bold red"), Need.STALE: ("≈ stale", "yellow")}
_PROSE = (Aspect.TEXT, Aspect.COMMENTARY)
_WIDTH = 110


def diff_view(found: SpecDiff, impact: Impact | None, *, colours: bool) -> Group:
    """The whole diff. Without ``colours``, words that go stand in ``[-…-]`` and words that come in ``{+…+}``."""
    return Group(*_parts(found, impact, colours))


def _parts(found: SpecDiff, impact: Impact | None, colours: bool) -> Iterator[RenderableType]:
    yield from _identity(found)
    yield summary(found)
    if found.ladder is not None:
        old, new = _ladder(found.old), _ladder(found.new)
        yield Text.assemble(("chain of command  ", "dim"), old, ("  →  ", "dim"), new)
    if found.reordered:
        yield Text("The clauses that both have stand in another order.", "dim")
    alike = likenesses(found)
    for entry in by_place(found):
        yield Text()
        if isinstance(entry, ClauseChange):
            yield from _changed(found, entry, colours)
        else:
            yield _one_sided(found, entry, alike.get(entry.id))
    if impact is not None:
        yield Text()
        yield from _impact(impact)


def _identity(found: SpecDiff) -> Iterator[Text]:
    for label, spec in (("from", found.old), ("to", found.new)):
        digest = (f"  {spec.digest[:19]}", "dim")
        words = (f"{spec.id} {spec.version or ''}".rstrip(), "bold")
        yield Text.assemble((f"{label:<6}", "dim"), words, digest, (f"  {printable(spec.source)}", "dim"))


def summary(found: SpecDiff) -> Text:
    """How much changed, in a line."""
    if found.empty:
        same = found.old.digest == found.new.digest
        return Text("Nothing differs." if same else "No clause differs; the bytes do.", "bold green")
    sides = ((Edit.ADDED, found.added, "added"), (Edit.REMOVED, found.removed, "removed"))
    parts = [Text(f"{len(clauses)} {word}", _SIGNS[edit][1] if clauses else "dim") for edit, clauses, word in sides]
    parts.append(Text(f"{len(found.changed)} changed", _SIGNS[Edit.SAME][1] if found.changed else "dim"))
    parts.append(Text(f"{found.unchanged} unchanged", "dim"))
    counts = ((aspect.value, sum(1 for _ in found.with_aspect(aspect))) for aspect in Aspect)
    what = ", ".join(f"{name} {count}" for name, count in counts if count)
    return Text(" · ", "dim").join(parts).append(f"  ({what})" if what else "", "dim")


def _ladder(spec: Spec) -> Text:
    return Text(" › ", "dim").join(Text(level, level_style(spec, level)) for level in spec.ladder)


def _one_sided(found: SpecDiff, clause: Clause, alike: tuple[str, float] | None) -> Text:
    """A clause that only one version has, and which one of the other version it looks like."""
    added = clause.id in found.new.clauses
    spec, edit = (found.new, Edit.ADDED) if added else (found.old, Edit.REMOVED)
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


def _changed(found: SpecDiff, change: ClauseChange, colours: bool) -> Iterator[RenderableType]:
    yield _heading(found.new, change.new, Edit.SAME)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(max_width=_WIDTH)
    for aspect in change.aspects:
        grid.add_row(aspect.value, _aspect(found, change, aspect, colours))
    yield Padding(grid, (0, 0, 0, 4))


def _aspect(found: SpecDiff, change: ClauseChange, aspect: Aspect, colours: bool) -> RenderableType:
    old, new = getattr(change.old, aspect.value), getattr(change.new, aspect.value)
    if aspect is Aspect.EXAMPLES:
        return _examples(change, colours)
    if aspect in _PROSE or aspect is Aspect.TITLE:
        return _words(old, new, colours)
    if aspect in (Aspect.TAGS, Aspect.REFERENCES):
        return _set(old, new)
    styles = ("red", "green")
    if aspect is Aspect.AUTHORITY:
        styles = level_style(found.old, old), level_style(found.new, new)
    return Text.assemble((_name(old), styles[0]), (" → ", "dim"), (_name(new), styles[1]))


def _name(value: object) -> str:
    return "none" if value is None else printable(str(value))


def _set(old: Sequence[str], new: Sequence[str]) -> Text:
    """Which of them went and which came, or that their order changed."""
    gone = [Text(f"−{printable(word)}", "red") for word in old if word not in new]
    come = [Text(f"+{printable(word)}", "green") for word in new if word not in old]
    return Text("  ").join((*gone, *come)) if gone or come else Text("in another order", "dim")


def _examples(change: ClauseChange, colours: bool) -> RenderableType:
    found = change.examples
    sides = ((Edit.ADDED, found.added), (Edit.REMOVED, found.removed))
    parts: list[RenderableType] = [_example(edit, example) for edit, examples in sides for example in examples]
    for one in found.changed:
        parts += [_example(Edit.SAME, one.new), Padding(_conversation(one, colours), (0, 0, 0, 2))]
    return Group(*parts) if parts else Text("in another order", "dim")


def _example(edit: Edit, example: Example) -> Text:
    sign, style = _SIGNS[edit]
    return Text.assemble((f"{sign} ", style), (printable(example.title), "italic"))


def _conversation(change: Change[Example], colours: bool) -> Text:
    return _words(example_text(change.old), example_text(change.new), colours)


def _words(old: str, new: str, colours: bool) -> Text:
    text = Text()
    for shown in elided(word_diff(old, new)):
        style, before, after = _WORDS[shown.edit]
        if shown.elided:
            text.append(" ⋯ ", "dim")
        elif colours:
            text.append(printable(shown.text), style)
        else:
            text.append(f"{before}{printable(shown.text)}{after}")
    return text


def _impact(impact: Impact) -> Iterator[RenderableType]:
    """What the change means for a policy; what needs attention last, where it is seen."""
    policy = impact.policy
    broken, stale = len(impact.having(Need.BROKEN)), len(impact.having(Need.STALE))
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
        sign, style = _NEEDS[item.need]
        said = Text.assemble(f"{printable(item.message)}. ", (printable(item.remedy), "dim"))
        grid.add_row(Text(sign, style), Text(item.key, "bold"), said)
    return grid


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option("--policy", type=click.Path(path_type=Path), help="Say which of its bindings break or need another look.")
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write a page that stands alone.")
@in_environment
@own_checks
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
    found = diff(before, after)
    with imported(modules):
        touched = None if policy is None else impact(load_either(policy, found, environment), found)
    if page is not None:
        _write(page, diff_page(found, touched))
    if as_json:
        print_json({**diff_to_json(found), "policy": touched and _impact_json(touched)})
    else:
        out = console()
        out.print(diff_view(found, touched, colours=out.color_system is not None))
    if touched is not None and touched.attention:
        raise click.exceptions.Exit(1)


def _write(page: Path, text: str) -> None:
    """Write the page, over one of an earlier run too."""
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{page} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {page}.", err=True)


def _impact_json(touched: Impact) -> dict[str, Any]:
    """What a change means for a policy."""
    return {
        "source": touched.policy.source,
        "digest": touched.policy.digest,
        "counts": {need.value: len(touched.having(need)) for need in Need},
        "attention": [
            {
                "need": item.need.value,
                "key": item.key,
                "clause": item.clause,
                "reason": item.reason,
                "message": item.message,
                "remedy": item.remedy,
            }
            for item in touched.attention
        ],
        "unbound": [clause.id for clause in touched.unbound],
    }
