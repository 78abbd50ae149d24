"""The look of the report: one style sheet, no script, nothing from the network."""

CSS = """
:root { --ink:#1d2a30; --muted:#5d6c73; --line:#e2e8ea; --tint:#f4f7f7; --accent:#0f7c8a; --warn:#8a4b0f; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0; color: var(--ink); background: #fff; line-height: 1.5;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header > div, footer > div { max-width: 70rem; margin: 0 auto; padding: 0 1.25rem; }
header { background: linear-gradient(160deg, #0b4f5c, #0f7c8a 60%, #58a89a); color: #fff; padding: 2.6rem 0 2.2rem; }
header h1 { margin: 0 0 .3rem; font-size: clamp(1.6rem, 5vw, 2.4rem); font-weight: 650; letter-spacing: -.01em; }
header p { margin: .2rem 0; opacity: .92; max-width: 46rem; }
nav { position: sticky; top: 0; z-index: 5; background: #fff; border-bottom: 1px solid var(--line);
  overflow-x: auto; white-space: nowrap; }
nav div { max-width: 70rem; margin: 0 auto; padding: .55rem 1.25rem; }
nav a { color: var(--muted); text-decoration: none; margin-right: 1.1rem; font-size: .92rem; }
nav a:hover { color: var(--accent); }
h2 { margin: 2.8rem 0 .4rem; font-size: 1.35rem; letter-spacing: -.01em; scroll-margin-top: 3.5rem; }
h3 { margin: 0 0 .4rem; font-size: 1rem; }
p.about { color: var(--muted); margin: 0 0 1rem; max-width: 46rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .8rem; margin: 1.6rem 0; }
.tile { border: 1px solid var(--line); border-radius: .7rem; padding: .8rem .95rem; }
.tile b { display: block; font-size: 1.65rem; font-weight: 650; letter-spacing: -.02em; color: var(--accent); }
.tile span { display: block; font-size: .86rem; line-height: 1.35; }
.tile small { color: var(--muted); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20.5rem, 100%), 1fr)); gap: 1rem; }
.card { border: 1px solid var(--line); border-radius: .7rem; padding: .9rem 1rem .6rem; min-width: 0; }
.card p { margin: 0 0 .4rem; color: var(--muted); font-size: .85rem; line-height: 1.4; }
.card table { font-size: .84rem; }
.card th, .card td { padding: .34rem .25rem; }
.card th { white-space: normal; vertical-align: bottom; line-height: 1.15; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .34rem .55rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--muted); font-weight: 550; font-size: .8rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; position: sticky; left: 0; background: #fff; }
td.text { text-align: left; }
tr:last-child td { border-bottom: 0; }
tr.ours td { font-weight: 600; }
.card td.best { color: var(--accent); }
td small { color: var(--muted); font-weight: 400; }
figure { margin: 1rem 0 1.6rem; }
figure img { width: 100%; min-width: 40rem; height: auto; display: block; }
figcaption { color: var(--muted); font-size: .88rem; }
.note { border-left: 3px solid var(--warn); background: #fdf7f0; padding: .6rem .9rem; margin: 1rem 0; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .25rem 1rem; font-size: .92rem; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
code { font: .86em ui-monospace, SFMono-Regular, Menlo, monospace; overflow-wrap: anywhere; }
footer { margin-top: 3rem; padding: 1.4rem 0 2.4rem; color: var(--muted); border-top: 1px solid var(--line);
  font-size: .88rem; }
details summary { cursor: pointer; color: var(--accent); margin: .4rem 0; }
@media print { nav { display: none; } header { color: #000; background: none; } }
"""
