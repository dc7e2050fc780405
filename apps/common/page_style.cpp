#include "page_style.h"

namespace loe::app {

const char* page_style() {
  return R"css(
:root { color-scheme: light dark; --ground: #ffffff; --text: #1c1f23; --soft: #5c646e; --line: #d9dde2;
  --panel: #f6f7f9; --best: #e3eefc; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171a; --text: #e4e7ea; --soft: #9aa3ad; --line: #343a41; --panel: #1c2024; --best: #1d3350; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 76rem; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { margin: 0 0 1rem; font-size: 1.7rem; line-height: 1.25; font-weight: 650; overflow-wrap: anywhere; }
h2 { margin: 3rem 0 0.5rem; font-size: 1.2rem; font-weight: 650; }
h3 { margin: 1.5rem 0 0.4rem; font-size: 1rem; font-weight: 600; }
p { margin: 0.4rem 0 0.9rem; max-width: 48rem; }
p.soft, .about, small, figcaption, .notes, td.missing { color: var(--soft); }
small, .about { font-size: 0.8rem; line-height: 1.35; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.15rem 1.25rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
code { font: 0.88em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; background: var(--panel);
  padding: 0.1rem 0.35rem; border-radius: 4px; }
.notes { margin: 1.2rem 0 0; padding: 0.7rem 1rem 0.7rem 1.9rem; background: var(--panel); border-radius: 6px;
  font-size: 0.9rem; }
.notes li { max-width: 60rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.5rem 0.55rem; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
thead th { font-weight: 600; font-size: 0.8rem; color: var(--soft); vertical-align: bottom; }
thead th.group { text-align: center; border-bottom: 1px solid var(--line); }
thead tr.groups th { border-bottom-color: transparent; padding-bottom: 0.1rem; }
thead tr.groups th.group { border-bottom-color: var(--line); }
thead tr:last-child th { border-bottom: 2px solid var(--line); }
th[scope="row"] { text-align: left; white-space: normal; min-width: 9rem; font-weight: 600; }
th:first-child, td:first-child { padding-left: 0.2rem; text-align: left; }
td small { display: block; }
td.best { background: var(--best); font-weight: 650; }
td.best small { font-weight: 400; }
.about { display: block; font-weight: 400; max-width: 19rem; }
.swatch { display: inline-block; width: 0.7em; height: 0.7em; margin-right: 0.5em; border-radius: 2px;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.narrow table { width: auto; min-width: 34rem; }
svg.chart { display: block; width: 100%; min-width: 40rem; height: auto; margin-top: 0.5rem; }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: 1.5rem 1rem; }
.frames { grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); }
figure { margin: 0; }
figcaption { font-size: 0.82rem; line-height: 1.35; }
figcaption strong { color: var(--text); }
.maps img { display: block; width: 100%; height: auto; margin-bottom: 4px; border-radius: 2px; }
.maps figcaption { margin-bottom: 0.4rem; min-height: 2.4em; }
.absent { display: block; padding: 2.5rem 0.5rem; margin-bottom: 4px; text-align: center; color: var(--soft);
  background: var(--panel); border-radius: 2px; font-size: 0.82rem; }
.pixels { image-rendering: pixelated; }
.scale { display: flex; align-items: center; gap: 0.6rem; margin: 0 0 1rem; font-size: 0.82rem; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.scale i { width: 14rem; height: 0.75rem; border-radius: 2px; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.layout { display: flex; flex-wrap: wrap; gap: 0.6rem; }
.layout img { display: block; width: 96px; height: 96px; border-radius: 2px; }
.layout figcaption { text-align: center; font-size: 0.75rem; }
footer { margin-top: 3rem; font-size: 0.8rem; color: var(--soft); }
@media (max-width: 40rem) { body { padding: 1.25rem 0.9rem 3rem; } h1 { font-size: 1.4rem; }
  dl { grid-template-columns: minmax(0, 1fr); } dd { margin-bottom: 0.4rem; }
  .maps { grid-template-columns: repeat(2, minmax(0, 1fr)); } .layout img { width: 72px; height: 72px; } }
@media print { :root { --ground: #ffffff; --text: #000000; --soft: #444444; --line: #bbbbbb; --panel: #f3f3f3;
    --best: #e3eefc; }
  @page { size: A4 landscape; margin: 12mm; }
  html { font-size: 11px; } body { max-width: none; padding: 0; font-size: 1rem; } .scroll { overflow: visible; }
  th, td { padding: 0.35rem 0.45rem; } figure, tr, svg { break-inside: avoid; } h2, h3 { break-after: avoid; } }
)css";
}

}  // namespace loe::app
