"""A diff of two specs as one HTML page that stands alone: an index, every change, and what it means for a policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from urllib.parse import quote

from specspan.cli.elision import ElidedPiece, elide
from specspan.cli.terminal import printable
from specspan.policy.impact import Impact, Need
from specspan.spec.conversation import example_text
from specspan.spec.diff import Aspect, ClauseChange, SpecDiff, in_document_order, similar_clauses
from specspan.spec.spec import Clause, Example, Spec
from specspan.spec.word_diff import Edit, word_diff

STYLE = """
:root { color-scheme: light dark;
  --page: #fbfbfa; --card: #fff; --ink: #1f2328; --dim: #656d76; --line: #dfe2e6; --link: #0a5cc2;
  --add-ink: #116329; --add: #d5f5dd; --del-ink: #a40e26; --del: #ffe3e1; --warn-ink: #7a4d00; --warn: #fff2cc;
  --l0: #b42318; --l1: #8b2fc9; --l2: #1d5fd1; --l3: #0f7490; --l4: #2f7d32; }
@media (prefers-color-scheme: dark) { :root {
  --page: #111417; --card: #181c20; --ink: #dfe3e8; --dim: #939ba5; --line: #2d333a; --link: #6cb0ff;
  --add-ink: #7ee29a; --add: #123a20; --del-ink: #ff9d97; --del: #4b191b; --warn-ink: #f2cc60; --warn: #3d3210;
  --l0: #ff8a80; --l1: #d0a2ff; --l2: #82b1ff; --l3: #6fd3ea; --l4: #8ddb90; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
code, .id { font: 0.9em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.25; margin: 0; text-wrap: balance; }
.frame { display: grid; grid-template-columns: minmax(14rem, 22rem) minmax(0, 52rem); gap: 2.5rem;
  max-width: 80rem; margin: 0 auto; padding: 2rem 1.5rem 6rem; }
nav { position: sticky; top: 1rem; align-self: start; max-height: calc(100vh - 2rem); overflow: auto;
  scrollbar-width: thin; font-size: 0.85rem; }
nav ol { list-style: none; margin: 0.5rem 0 1.5rem; padding: 0; }
nav a { display: flex; gap: 0.5rem; padding: 0.12rem 0; color: inherit; }
nav .id { flex: 1; }
nav h2, .dim, .where, dt { color: var(--dim); }
nav h2 { font-size: 0.8rem; font-weight: 600; text-transform: uppercase; letter-spacing: 0.05em; }
header h1 { font-size: 1.7rem; }
.versions { display: grid; grid-template-columns: auto 1fr; gap: 0.1rem 1rem; margin: 1rem 0; font-size: 0.92rem; }
.versions span:nth-child(odd) { color: var(--dim); }
.counts { display: flex; flex-wrap: wrap; gap: 0.5rem; margin: 1rem 0 0.5rem; padding: 0; list-style: none; }
.counts li { padding: 0.25rem 0.8rem; border: 1px solid var(--line); border-radius: 99px; background: var(--card); }
.counts b { font-variant-numeric: tabular-nums; }
.sign { width: 1.1em; text-align: center; font-weight: 700; flex: none; }
.added .sign, .added b { color: var(--add-ink); } .removed .sign, .removed b { color: var(--del-ink); }
.changed .sign, .changed b { color: var(--warn-ink); }
article, .policy { background: var(--card); border: 1px solid var(--line); border-left-width: 4px; border-radius: 8px;
  padding: 1rem 1.25rem 1.1rem; margin: 1.25rem 0; }
article.added { border-left-color: var(--add-ink); } article.removed { border-left-color: var(--del-ink); }
article.changed { border-left-color: var(--warn-ink); }
article:target { outline: 2px solid var(--link); outline-offset: 3px; }
article h3 { font-size: 1.12rem; display: flex; flex-wrap: wrap; gap: 0.3rem 0.6rem; align-items: baseline; }
.where { font-size: 0.82rem; margin: 0.15rem 0 0.6rem; }
.where a { color: inherit; }
dl { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: 0.75rem 1rem; margin: 0.8rem 0 0; }
dt { font-size: 0.85rem; padding-top: 0.15rem; } dd { margin: 0; }
.prose { white-space: pre-wrap; overflow-wrap: anywhere; }
ins { background: var(--add); color: var(--add-ink); text-decoration: none; border-radius: 3px; padding: 0.06em 0.1em;
  box-decoration-break: clone; -webkit-box-decoration-break: clone; }
del { background: var(--del); color: var(--del-ink); text-decoration-thickness: 1px; border-radius: 3px;
  padding: 0.06em 0.1em; box-decoration-break: clone; -webkit-box-decoration-break: clone; }
.chip { display: inline-block; font-size: 0.76rem; font-weight: 600; line-height: 1.35; padding: 0.08rem 0.55rem;
  border: 1px solid currentColor; border-radius: 99px; white-space: nowrap; color: var(--dim); }
.l0 { color: var(--l0); } .l1 { color: var(--l1); } .l2 { color: var(--l2); }
.l3 { color: var(--l3); } .l4 { color: var(--l4); }
nav .chip { font-size: 0.68rem; align-self: center; }
.gap { cursor: pointer; } .gap input { position: absolute; opacity: 0; }
.gap .dots { color: var(--dim); font-size: 0.8rem; background: var(--page); border: 1px solid var(--line);
  border-radius: 99px; padding: 0 0.55rem; margin: 0 0.35rem; white-space: nowrap; }
.gap .rest { display: none; } .gap input:checked ~ .rest { display: inline; }
.gap input:checked ~ .dots { display: none; } .gap input:focus-visible ~ .dots { outline: 2px solid var(--link); }
details summary { cursor: pointer; } details[open] > summary { margin-bottom: 0.4rem; }
.examples { list-style: none; margin: 0; padding: 0; } .examples li { margin-bottom: 0.6rem; }
.examples .prose { border-left: 2px solid var(--line); padding-left: 0.9rem; font-size: 0.93rem; margin-top: 0.4rem; }
.policy.needs { border-left-color: var(--del-ink); }
.policy h2 { font-size: 1.15rem; } .policy ul { margin: 0.7rem 0 0; padding: 0; list-style: none; }
.policy li { margin: 0.55rem 0; } .policy li > .dim { display: block; font-size: 0.92rem; }
.broken { color: var(--del-ink); background: var(--del); } .stale { color: var(--warn-ink); background: var(--warn); }
.broken, .stale { border-color: transparent; margin-right: 0.5rem; }
@media (max-width: 60rem) { .frame { display: block; padding: 1.25rem 1rem 4rem; } dl { display: block; }
  dt { margin-top: 0.8rem; } nav { position: static; max-height: 16rem; margin-bottom: 1.5rem;
  border: 1px solid var(--line); border-radius: 8px; padding: 0.75rem 1rem; } }
@media print { nav, .gap { display: none; } .frame { display: block; } article { break-inside: avoid-page; } }
"""


_SIGNS = {"added": "+", "removed": "−", "changed": "~"}
_TAGS = {Edit.ADDED: "ins", Edit.REMOVED: "del"}
_WORDED = (Aspect.TITLE, Aspect.TEXT, Aspect.COMMENTARY)
_LEVELS = 5  # colours that levels are shown in
# Nothing is fetched and no script runs, whatever a spec holds.
_HEAD = """<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""


def diff_page(found: SpecDiff, impact: Impact | None) -> str:
    """Return the page as HTML."""
    entries, alike = list(in_document_order(found)), similar_clauses(found)
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
    broken, stale = len(impact.with_need(Need.BROKEN)), len(impact.with_need(Need.STALE))
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
    for shown in elide(word_diff(old, new), context_chars=160):
        yield _hidden(shown) if shown.is_elided else _piece(shown)


def _piece(shown: ElidedPiece) -> str:
    tag, text = _TAGS.get(shown.edit), _text(shown.text)
    return text if tag is None else f"<{tag}>{text}</{tag}>"


def _hidden(shown: ElidedPiece) -> str:
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
