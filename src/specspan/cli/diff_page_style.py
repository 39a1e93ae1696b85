"""How the page of a diff looks: one sheet, light and dark, nothing fetched from anywhere."""

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
