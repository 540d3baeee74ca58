"""The page's style sheet: light and dark, no font or image from anywhere else."""

CSS = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #17202c; --soft: #5a6776; --rule: #e0e4ea; --grid: #e8ebf0;
  --exact: #0f766e; --semantic: #5b5bd6; --coalesced: #0e7fb8; --router: #b45309; --rest: #c6cdd7;
  --wrong: #c42b2b; --good: #0f766e; --on: #ffffff; --on-rest: #2b3644;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f141b; --card: #18202a; --ink: #e7ecf2; --soft: #9aa7b6; --rule: #2a3441; --grid: #26303c;
    --exact: #2dbfae; --semantic: #8f90ff; --coalesced: #4ab6ea; --router: #f0a13c; --rest: #46525f;
    --wrong: #ff7b72; --good: #2dbfae; --on: #0c1117; --on-rest: #dfe6ee;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 40px 20px 56px; }
header h1 { margin: 0; font-size: 26px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
header p { margin: 6px 0 0; color: var(--soft); overflow-wrap: anywhere; }
h2 { margin: 0 0 14px; font-size: 17px; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 22px 24px;
  margin-top: 18px; }
.heads { display: grid; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); gap: 16px; margin-top: 24px; }
.head { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 18px 20px; }
.head b { display: block; font-size: 32px; line-height: 1.2; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; }
.head .what { font-weight: 600; }
.head .more { color: var(--soft); font-size: 13.5px; }
.good { color: var(--good); } .bad { color: var(--wrong); }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 10px; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; font-size: 13px; }
tr:last-child td { border-bottom: 0; }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal; overflow-wrap: break-word;
  min-width: 9.5em; max-width: 26em; }
th:last-child, td:last-child { padding-right: 0; }
tr.total td { font-weight: 600; } tr.own td { font-weight: 600; color: var(--semantic); }
.words td, .words th { text-align: left; white-space: normal; vertical-align: top; }
.words td:last-child { overflow-wrap: anywhere; }
.words td:first-child { white-space: nowrap; width: 1%; min-width: 0; padding-right: 22px; color: var(--soft); }
.key { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 9px; }
.note { color: var(--soft); font-size: 13.5px; margin: 12px 0 0; overflow-wrap: anywhere; }
.bar { display: block; border-radius: 7px; margin-bottom: 14px; background: var(--grid); }
.inside { font-size: 13px; font-weight: 600; text-anchor: middle; }
.fill-exact { fill: var(--exact); } .fill-semantic { fill: var(--semantic); }
.fill-coalesced { fill: var(--coalesced); }
.fill-router { fill: var(--router); } .fill-rest { fill: var(--rest); }
.on-exact, .on-semantic, .on-coalesced, .on-router { fill: var(--on); } .on-rest { fill: var(--on-rest); }
.key.exact { background: var(--exact); } .key.semantic { background: var(--semantic); }
.key.rest { background: var(--rest); }
.key.coalesced { background: var(--coalesced); } .key.router { background: var(--router); }
.key.blank { background: none; }
.plot { display: block; width: 100%; min-width: 520px; height: auto; }
.grid { stroke: var(--grid); } .line { fill: none; stroke: var(--semantic); stroke-width: 2; }
.band { fill: var(--semantic); opacity: 0.14; }
.dot { fill: var(--card); stroke: var(--semantic); stroke-width: 2; } .dot.own { fill: var(--semantic); }
.tick, .tag, .axis { fill: var(--soft); font-size: 12px; text-anchor: middle; }
.tick.end { text-anchor: end; } .axis { fill: var(--ink); } .axis.start { text-anchor: start; }
.tag { text-anchor: start; } .tag.own { fill: var(--ink); font-weight: 600; }
details { margin-top: 14px; } summary { cursor: pointer; color: var(--soft); } details table { margin-top: 8px; }
code { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
footer { margin-top: 22px; color: var(--soft); font-size: 13.5px; } footer p { margin: 4px 0; overflow-wrap: anywhere; }
@media (max-width: 600px) { section { padding: 16px; } th, td { padding: 6px; }
  th:first-child, td:first-child { min-width: 8em; } }
@media print { body { background: none; } section, .head { break-inside: avoid; } }
"""
