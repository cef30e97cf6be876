"""How the page looks: one style sheet for screens of any width, light and dark, and for paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from factory.report.drawing import DARK, LIGHT


def _variables(colours: Mapping[str, str]) -> str:
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())


NARROW: Final = 340
WIDE: Final = 640
"""Widths at which each chart is drawn, in pixels; the page shows the one that fits."""

STYLE: Final = (
    f"""
:root{{{_variables(LIGHT)}--paper:#ffffff;--panel:#f6f8fa;color-scheme:light dark}}
@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}--paper:#14181d;--panel:#1d232a}}}}
@media print{{:root{{{_variables(LIGHT)}--paper:#ffffff;--panel:#ffffff;color-scheme:light}}}}
"""
    + """
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
  font:16px/1.5 system-ui,"Liberation Sans",Arial,sans-serif}
main{max-width:1400px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:48px 0 12px;padding-top:12px;border-top:1px solid var(--grid)}
h3{font-size:1.05rem;margin:0 0 8px;overflow-wrap:anywhere}
ul{margin:6px 0;padding-left:1.2em}
li{overflow-wrap:anywhere}
p{margin:6px 0;max-width:80ch;overflow-wrap:anywhere}
code,pre{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.85rem}
a{color:var(--c0)}
.id{color:var(--soft);overflow-wrap:anywhere}
.numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:20px 0}
.numbers div{background:var(--panel);border:1px solid var(--grid);border-radius:8px;padding:10px 14px}
.numbers dt{color:var(--soft);font-size:.85rem}
.numbers dd{margin:0;font-size:1.3rem;overflow-wrap:anywhere}
.numbers small{display:block;font-size:.8rem;color:var(--soft)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,520px),1fr));gap:36px 40px}
figure{margin:0;min-width:0;break-inside:avoid}
figure svg{display:block;overflow:visible;width:100%;height:auto;max-width:720px}
figcaption{color:var(--ink);font-size:.92rem;margin:8px 0;max-width:75ch;overflow-wrap:anywhere}
.narrow{display:none}
@media (max-width:560px){.wide{display:none}.narrow{display:block}body{font-size:15px}}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-size:.88rem;margin:8px 0}
th,td{text-align:left;padding:4px 12px 4px 0;border-bottom:1px solid var(--grid);vertical-align:top}
td{min-width:3.5rem}
td:not(.s,.n){min-width:11rem}
th{font-weight:600;color:var(--soft)}
td{overflow-wrap:break-word;max-width:48ch}
td.s{white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
details{margin:6px 0}
summary{cursor:pointer;overflow-wrap:anywhere}
summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--c0);outline-offset:2px}
figure summary{color:var(--soft);font-size:.88rem}
.rows{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:8px 32px}
.row{border-left:4px solid var(--grid);padding:2px 0 2px 12px;min-width:0}
.right{border-color:var(--c2)}.wrong{border-color:var(--c1)}.unsure{border-color:var(--c3)}
.tag{font-weight:600}
.right .tag{color:var(--c2)}.wrong .tag{color:var(--c1)}.unsure .tag{color:var(--c3)}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--panel);border:1px solid var(--grid);
  border-radius:6px;padding:8px 10px;margin:6px 0;unicode-bidi:isolate;max-height:30rem;overflow-y:auto}
@media print{body{font-size:11px}.charts,.rows{display:block}figure{margin-bottom:24px}
  pre{max-height:none}details::details-content{content-visibility:visible}
  details:not([open])::details-content{block-size:auto}}
"""
)
