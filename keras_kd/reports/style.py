"""The style sheet of the page: no network, light and dark, wide and narrow."""

# How many colors there are for rows and curves: --c0, --c1, ...
SERIES = 9

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f6f7f9; --ink: #1a1d23; --soft: #565d6b; --rule: #d9dde4; --grid: #e7eaef;
  --accent: #0b5cad; --good: #e6f3ea;
  --c0: #1a1d23; --c1: #0b6bcb; --c2: #c2410c; --c3: #0f8a5f; --c4: #a21caf; --c5: #b7791f; --c6: #0e7c93;
  --c7: #d02f5b; --c8: #6d5bd0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --panel: #1c2027; --ink: #e8eaee; --soft: #a7afbd; --rule: #363c47; --grid: #2a2f38;
    --accent: #7db8f5; --good: #1d3a2a;
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
p { margin: .4rem 0; }
.byline, figcaption, caption, .small { color: var(--soft); font-size: .9rem; }
.facts { list-style: none; margin: 1.4rem 0 0; padding: 0; display: grid; gap: .5rem; }
.facts li { border-left: 4px solid var(--accent); background: var(--panel); padding: .6rem .9rem; }
.scroll { overflow-x: auto; border: 1px solid var(--rule); border-radius: 8px; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .82rem; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .42rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--rule); }
thead th {
  border-top: 0; background: var(--panel); color: var(--soft); font-weight: 600; vertical-align: bottom;
  white-space: normal; line-height: 1.3;
}
th.text, td.text { text-align: left; }
tbody th {
  font-weight: 600; position: sticky; left: 0; background: var(--paper); max-width: 15rem; overflow: hidden;
  text-overflow: ellipsis; padding-left: 1.7rem; text-indent: -1.2rem;
}
thead th:first-child { position: sticky; left: 0; }
td.best { background: var(--good); font-weight: 600; }
tr.baseline th::after {
  content: "baseline"; display: block; text-indent: 0; font-size: .72rem; font-weight: 400;
  color: var(--soft);
}
.swatch {
  display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin-right: .5rem;
}
.baseline .swatch { border-radius: 0; }
.plots {
  display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr));
}
figure { margin: 0; border: 1px solid var(--rule); border-radius: 8px; padding: .8rem .8rem .6rem; }
figure h3 { font-size: 1rem; margin: 0 0 .3rem .3rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; font-family: inherit; }
svg .name text { stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; paint-order: stroke; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: 0; font-size: .92rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
details { margin-top: 1rem; }
summary { cursor: pointer; margin-bottom: .5rem; }
ul.plain { margin: 0; padding-left: 1.2rem; font-size: .95rem; }
ul.plain li { margin: .25rem 0; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
@media (max-width: 560px) {
  body { padding: 1.2rem .9rem 2rem; }
  h1 { font-size: 1.5rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .6rem; }
  table { font-size: .86rem; }
  tbody th { min-width: 8rem; max-width: 9rem; white-space: normal; overflow-wrap: break-word; }
  figure { padding: .6rem .2rem .5rem; }
  figcaption { padding: 0 .5rem; }
}
@media print { body { max-width: none; } .scroll { overflow: visible; } }
"""
