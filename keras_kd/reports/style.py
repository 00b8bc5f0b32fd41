"""The style sheet of the page: no network, light and dark, wide and narrow."""

# How many colors there are for rows and curves: --c0, --c1, ...
SERIES = 9
# How many shapes there are for rows: a disk, then .shape1, .shape2, ...
SHAPES = 4


def look(index: int) -> tuple[int, int]:
    """The number of the color and that of the shape of a row or curve: no two of the first 33 are alike.

    The first color, which stands out least, is that of the first one alone, mostly a baseline.

    Examples:
        >>> look(0), look(8), look(9), look(16), look(17)
        ((0, 0), (8, 0), (1, 1), (8, 1), (1, 2))
    """
    if index < SERIES:
        return index, 0
    turn, place = divmod(index - SERIES, SERIES - 1)
    return 1 + place, (1 + turn) % SHAPES


STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1a1d23; --soft: #565d6b; --rule: #d9dde4; --grid: #e7eaef;
  --accent: #0b5cad; --chosen: #eaf2fb; --helped: #12693f; --hurt: #a3231c; --inconclusive: #59606e;
  --c0: #1a1d23; --c1: #0b6bcb; --c2: #c2410c; --c3: #0f8a5f; --c4: #a21caf; --c5: #b7791f; --c6: #0e7c93;
  --c7: #d02f5b; --c8: #6d5bd0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --panel: #1c2027; --ink: #e8eaee; --soft: #a7afbd; --rule: #363c47; --grid: #2a2f38;
    --accent: #7db8f5; --chosen: #1b2a3d; --helped: #58cf94; --hurt: #ff9086; --inconclusive: #a7afbd;
    --c0: #f1f3f6; --c1: #6cb2ff; --c2: #ff9a62; --c3: #4fd1a0; --c4: #e58af0; --c5: #f0c060; --c6: #5fd0e6;
    --c7: #ff86a5; --c8: #b3a5ff;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 1240px; padding: 2rem 1.25rem 3rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .7rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; }
a { color: var(--accent); }
.byline, figcaption, .small { color: var(--soft); font-size: .9rem; }
.card {
  margin: 1.4rem 0 0; border: 1px solid var(--rule); border-radius: 12px; background: var(--panel);
  padding: 1.1rem 1.3rem; overflow-wrap: anywhere;
}
.card > * + * { margin-top: 1rem; }
.warning { margin: 0 0 1rem; padding-left: .9rem; border-left: 4px solid var(--hurt); font-weight: 600; }
.verdict { margin: 0; padding-left: .9rem; border-left: 4px solid var(--inconclusive); }
.verdict.helped { border-color: var(--helped); }
.verdict.hurt { border-color: var(--hurt); }
.badge { color: var(--inconclusive); margin-right: .4rem; }
.helped .badge { color: var(--helped); }
.hurt .badge { color: var(--hurt); }
.card h2 { margin: 0; font-size: 1.45rem; line-height: 1.3; }
.card p.small { margin: .2rem 0 0; }
.stats dl { display: flex; flex-wrap: wrap; gap: .5rem 2.2rem; margin: .6rem 0; }
.stats dt { font-size: .85rem; }
.stats dd { font-size: 1.35rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums; }
.files { list-style: none; padding: 0; margin-bottom: 0; display: flex; flex-wrap: wrap; gap: .5rem; }
.files li {
  border: 1px solid var(--rule); border-radius: 999px; padding: .15rem .8rem; background: var(--paper);
  font-size: .9rem;
}
.files li.ship { border: 2px solid var(--accent); font-weight: 600; }
.files li.ship::before { content: "✓ "; }
.files span { color: var(--soft); font-weight: 400; }
.facts { margin: 1.2rem 0 0; padding-left: 1.2rem; }
.facts li { margin: .25rem 0; }
.scroll { overflow-x: auto; border: 1px solid var(--rule); border-radius: 8px; }
.scroll:focus-visible, pre:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .82rem; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .32rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--rule); }
thead th {
  border-top: 0; background: var(--panel); color: var(--soft); font-weight: 600; vertical-align: bottom;
  white-space: normal; line-height: 1.3;
}
th.text, td.text { text-align: left; }
tbody th {
  font-weight: 600; position: sticky; left: 0; background: var(--paper); max-width: 15rem; overflow: hidden;
  text-overflow: ellipsis;
}
thead th:first-child { position: sticky; left: 0; }
#figures tbody th {
  padding-left: 1.7rem; text-indent: -1.2rem; white-space: normal; overflow-wrap: break-word;
}
tr.ship th, tr.ship td { background: var(--chosen); }
td.front { font-weight: 600; }
.front::before { content: "◆\\a0"; color: var(--accent); font-size: .8em; }
tr.baseline th::after, tr.ship th::after {
  content: "baseline"; display: block; text-indent: 0; font-size: .72rem; font-weight: 400;
  color: var(--soft); white-space: nowrap;
}
tr.ship th::after { content: "ship this one"; color: var(--accent); font-weight: 600; }
tr.baseline.ship th::after { content: "baseline, ship this one"; }
.swatch {
  display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin-right: .5rem;
}
.shape1 { border-radius: 0; clip-path: polygon(50% 0, 100% 100%, 0 100%); }
.shape2 { border-radius: 0; clip-path: polygon(50% 0, 100% 50%, 50% 100%, 0 50%); }
.shape3 { border-radius: 0; clip-path: polygon(0 0, 100% 0, 50% 100%); }
.baseline .swatch { border-radius: 0; clip-path: none; }
.plots {
  display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr));
}
.tables {
  display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr));
}
.tables th, .tables td { padding: .3rem .5rem; }
.plots > *, .tables > * { min-width: 0; }
figure { margin: 0; border: 1px solid var(--rule); border-radius: 8px; padding: .8rem .8rem .6rem; }
figure h3 { margin: 0 0 .3rem .3rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; font-family: inherit; }
svg .name text { stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; paint-order: stroke; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: 0; font-size: .92rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
details { margin-top: 1rem; }
summary { cursor: pointer; margin-bottom: .5rem; }
ul.plain { margin: 0; padding-left: 1.2rem; font-size: .95rem; }
ul.plain li { margin: .25rem 0; overflow-wrap: anywhere; }
code { font: .82rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code.option { white-space: nowrap; }
dd code.option { font: inherit; }
pre {
  margin: 0; padding: .9rem 1rem; overflow-x: auto; background: var(--panel); border: 1px solid var(--rule);
  border-radius: 8px; tab-size: 4; user-select: all;
}
@media (max-width: 560px) {
  body { padding: 1.2rem .7rem 2rem; }
  h1 { font-size: 1.5rem; }
  .card { padding: .9rem .9rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .6rem; }
  .stats dl { gap: .2rem 1.4rem; }
  .stats dd { font-size: 1.15rem; margin: 0; }
  table { font-size: .8rem; }
  th, td { padding: .5rem .3rem; }
  td.spread { white-space: normal; }
  tbody th { min-width: 4.5rem; max-width: 7rem; white-space: normal; overflow-wrap: break-word; }
  #figures tbody th { min-width: 6.4rem; }
  #figures tbody th { padding-left: 1.3rem; text-indent: -1rem; }
  .swatch { width: .6rem; height: .6rem; margin-right: .4rem; }
  figure { padding: .6rem .2rem .5rem; }
  figcaption { padding: 0 .5rem; }
}
@media print {
  body { max-width: none; }
  .scroll { overflow: visible; }
  pre { white-space: pre-wrap; }
  figure, .card, tr { break-inside: avoid; }
}
"""
