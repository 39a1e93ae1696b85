"""A diff of two specs as one HTML page that stands alone: an index, every change, and what it means for a policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from urllib.parse import quote

from specspan.cli.diff_page_style import STYLE
from specspan.cli.elision import Shown, elided
from specspan.cli.output import printable
from specspan.policy.impact import Impact, Need
from specspan.spec.diff import Aspect, ClauseChange, SpecDiff, by_place, likenesses
from specspan.spec.example_text import example_text
from specspan.spec.model import Clause, Example, Spec
from specspan.spec.word_diff import Edit, word_diff

_SIGNS = {"added": "+", "removed": "−", "changed": "~"}
_TAGS = {Edit.ADDED: "ins", Edit.REMOVED: "del"}
_WORDED = (Aspect.TITLE, Aspect.TEXT, Aspect.COMMENTARY)
_LEVELS = 5  # colours that levels are shown in
# Nothing is fetched and no script runs, whatever a spec holds.
_HEAD = """<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""


def diff_page(found: SpecDiff, impact: Impact | None) -> str:
    """The whole page."""
    entries, alike = list(by_place(found)), likenesses(found)
    title = f"{found.old.id} {_version(found.old)} → {_version(found.new)}"
    parts = (
        f'<!doctype html>\n<html lang="en">\n<head>\n{_HEAD}\n<title>{_text(title)}</title>',
        f'<style>{STYLE}</style>\n</head>\n<body>\n<div class="frame">',
        _index(found, entries),
        "<main>",
        _header(found),
        "" if impact is None else _policy(impact),
        *(_article(found, entry, alike.get(entry.id)) for entry in entries),
        "</main>\n</div>\n</body>\n</html>\n",
    )
    return "\n".join(part for part in parts if part)


def _text(value: object) -> str:
    """Any text as it may stand in the page, between tags or in an attribute."""
    return escape(printable(str(value)))


def _version(spec: Spec) -> str:
    return spec.version or spec.digest[:19]


def _anchor(id_: str) -> str:
    return f"c-{id_}"


def _kind(found: SpecDiff, entry: Clause | ClauseChange) -> str:
    if isinstance(entry, ClauseChange):
        return "changed"
    return "added" if entry.id in found.new.clauses else "removed"


def _index(found: SpecDiff, entries: Sequence[Clause | ClauseChange]) -> str:
    lines = (_index_line(found, entry) for entry in entries)
    return f'<nav aria-label="Clauses">\n<h2>{len(entries)} clauses differ</h2>\n<ol>\n{_joined(lines)}\n</ol>\n</nav>'


def _index_line(found: SpecDiff, entry: Clause | ClauseChange) -> str:
    kind = _kind(found, entry)
    id_ = _text(entry.id).replace("_", "_<wbr>")
    line = f'<span class="sign">{_SIGNS[kind]}</span><span class="id">{id_}</span>{_now(found, entry)}'
    return f'<li class="{kind}"><a href="#{quote(_anchor(entry.id))}">{line}</a></li>'


def _now(found: SpecDiff, entry: Clause | ClauseChange) -> str:
    """The level of a clause whose level changed: what an index is searched for first."""
    if isinstance(entry, ClauseChange) and Aspect.AUTHORITY in entry.aspects:
        return _chip(found.new, entry.new.authority)
    return ""


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _header(found: SpecDiff) -> str:
    versions = "".join(
        f"<span>{label}</span><span><b>{_text(_version(spec))}</b> <code>{_text(spec.digest[:19])}</code> "
        f'<span class="dim">{_text(spec.source)}</span></span>'
        for label, spec in (("from", found.old), ("to", found.new))
    )
    counted = (("added", len(found.added)), ("removed", len(found.removed)), ("changed", len(found.changed)))
    counts = [f'<li class="{name}"><b>{count}</b> {name}</li>' for name, count in counted]
    counts.append(f"<li><b>{found.unchanged}</b> unchanged</li>")
    aspects = ((aspect.value, sum(1 for _ in found.with_aspect(aspect))) for aspect in Aspect)
    what = " · ".join(f"{name} {count}" for name, count in aspects if count)
    ladder = f"{_ladder(found.old)} <span class='dim'>→</span> {_ladder(found.new)}" if found.ladder else ""
    order = "The clauses that both have stand in another order." if found.reordered else ""
    notes = "".join(f'<p class="dim">{line}</p>' for line in (what, ladder, order) if line)
    return (
        f'<header>\n<h1>{_text(found.new.id)}: what changed</h1>\n<div class="versions">{versions}</div>\n'
        f'<ul class="counts">{"".join(counts)}</ul>\n{notes}\n</header>'
    )


def _ladder(spec: Spec) -> str:
    return " › ".join(_chip(spec, level) for level in spec.ladder)


def _chip(spec: Spec, authority: str | None) -> str:
    """A level in its colour: the strongest and the weakest of any ladder look the same."""
    if authority is None:
        return '<span class="chip">no level</span>'
    steps = len(spec.ladder) - 1 or 1
    step = round(spec.rank(authority) * (_LEVELS - 1) / steps)
    return f'<span class="chip l{step}">{_text(authority)}</span>'


def _policy(impact: Impact) -> str:
    broken, stale = len(impact.having(Need.BROKEN)), len(impact.having(Need.STALE))
    said = f"{broken} broken, {stale} stale" if impact.attention else "needs no attention"
    items = (
        f'<li><span class="chip {item.need.value}">{item.need.value}</span><code>{_text(item.key)}</code> '
        f'{_text(item.message)}. <span class="dim">{_text(item.remedy)}{_see(item.clause)}</span></li>'
        for item in sorted(impact.attention, key=lambda item: item.need is Need.STALE)
    )
    ids = ", ".join(_link(clause.id) for clause in impact.unbound)
    unbound = f'<p class="dim">New and not in the policy, so unassessed on every call: {ids}</p>' if ids else ""
    needs = " needs" if impact.attention else ""
    return (
        f'<section class="policy{needs}">\n<h2>Policy <code>{_text(impact.policy.source)}</code>: {said}</h2>\n'
        f"<ul>{_joined(items)}</ul>\n{unbound}\n</section>"
    )


def _see(clause: str | None) -> str:
    return "" if clause is None else f' <a href="#{quote(_anchor(clause))}">see the change</a>'


def _link(id_: str) -> str:
    return f'<a class="id" href="#{quote(_anchor(id_))}">{_text(id_)}</a>'


def _article(found: SpecDiff, entry: Clause | ClauseChange, alike: tuple[str, float] | None) -> str:
    kind = _kind(found, entry)
    spec = found.old if kind == "removed" else found.new
    clause = entry.new if isinstance(entry, ClauseChange) else entry
    body = _changes(found, entry) if isinstance(entry, ClauseChange) else _whole(entry, kind, alike)
    parent = f" in <span class='id'>{_text(clause.parent)}</span>" if clause.parent else ""
    return (
        f'<article class="{kind}" id="{_text(_anchor(clause.id))}">\n'
        f'<h3><span class="sign">{_SIGNS[kind]}</span>{_text(clause.title)} {_chip(spec, clause.authority)}</h3>\n'
        f'<p class="where">{_link(clause.id)}{parent}, line {clause.line}, {kind}</p>\n{body}\n</article>'
    )


def _whole(clause: Clause, kind: str, alike: tuple[str, float] | None) -> str:
    """A clause that only one version has: what it looks like in the other, and its text."""
    hint = "" if alike is None else f"<p>Looks like {_link(alike[0])}: {alike[1]:.0%} alike.</p>"
    number = len(clause.examples)
    examples = f'<p class="dim">{number} example{"s" if number > 1 else ""}</p>' if number else ""
    text = f'<div class="prose">{_text(clause.text)}</div>{examples}' if clause.text else examples
    opened = " open" if kind == "added" else ""
    return hint + (f"<details{opened}><summary>text</summary>{text}</details>" if text else "")


def _changes(found: SpecDiff, change: ClauseChange) -> str:
    rows = (f"<dt>{aspect.value}</dt><dd>{_aspect(found, change, aspect)}</dd>" for aspect in change.aspects)
    return f"<dl>\n{_joined(rows)}\n</dl>"


def _aspect(found: SpecDiff, change: ClauseChange, aspect: Aspect) -> str:
    old, new = getattr(change.old, aspect.value), getattr(change.new, aspect.value)
    if aspect is Aspect.EXAMPLES:
        return _examples(change)
    if aspect in _WORDED:
        return _prose(old, new)
    if aspect is Aspect.AUTHORITY:
        return f"{_chip(found.old, old)} → {_chip(found.new, new)}"
    if isinstance(old, tuple):
        return _set(old, new)
    return f"<del>{_text(old or 'none')}</del> → <ins>{_text(new or 'none')}</ins>"


def _set(old: Sequence[str], new: Sequence[str]) -> str:
    gone = (f"<del>{_text(word)}</del>" for word in old if word not in new)
    come = (f"<ins>{_text(word)}</ins>" for word in new if word not in old)
    return " ".join((*gone, *come)) or '<span class="dim">in another order</span>'


def _prose(old: str, new: str) -> str:
    return f'<div class="prose">{"".join(_pieces(old, new))}</div>'


def _pieces(old: str, new: str) -> Iterator[str]:
    for shown in elided(word_diff(old, new), context_chars=160):
        yield _hidden(shown) if shown.elided else _piece(shown)


def _piece(shown: Shown) -> str:
    tag, text = _TAGS.get(shown.edit), _text(shown.text)
    return text if tag is None else f"<{tag}>{text}</{tag}>"


def _hidden(shown: Shown) -> str:
    """A long stretch that did not change, shown when somebody asks for it."""
    dots = f'<span class="dots">⋯ {len(shown.text.split()):,} words the same</span>'
    return f'<label class="gap"><input type="checkbox">{dots}<span class="rest">{_text(shown.text)}</span></label>'


def _examples(change: ClauseChange) -> str:
    found = change.examples
    items = [_example("added", example) for example in found.added]
    items += [_example("removed", example) for example in found.removed]
    items += [
        _example("changed", one.new, _prose(example_text(one.old), example_text(one.new))) for one in found.changed
    ]
    return f'<ul class="examples">{_joined(items)}</ul>' if items else '<span class="dim">in another order</span>'


def _example(kind: str, example: Example, told: str = "") -> str:
    body = told or f'<div class="prose">{_text(example_text(example))}</div>'
    line = f'<span class="sign">{_SIGNS[kind]}</span> {_text(example.title)}'
    return f'<li class="{kind}"><details{" open" if told else ""}><summary>{line}</summary>{body}</details></li>'
