"""How the report looks: narrow and wide, in light and in dark.

The colours are told apart by people who are colour-blind too (after Okabe and Ito).
"""

from __future__ import annotations

from collections.abc import Iterator

SHADES = 8
"""Of the cells of a confusion matrix."""

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1b1f24; --quiet: #57606a; --paper: #fff; --rule: #d0d7de; --fill: #f3f5f7;
  --link: #0550ae; --test: #0067a8; --optimum: #00735a; --baseline: #6a5a52; --second: #b34700;
  --right: #2a86c8; --wrong: #e07b39;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e8eb; --quiet: #a3abb5; --paper: #14171b; --rule: #3a414a; --fill: #1e2329;
    --link: #7ab8ff; --test: #63b3ed; --optimum: #4fc3a1; --baseline: #c0ada3; --second: #f0a060;
  }
}
* { box-sizing: border-box; }
body {
  background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif;
  margin: 0 auto; max-width: 62rem; overflow-wrap: break-word; padding: 1.5rem 1rem 4rem;
}
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; margin: 0 0 .3rem; }
section { border-top: 1px solid var(--rule); margin-top: 2.5rem; padding-top: 1.5rem; }
p { margin: .4rem 0; max-width: 46rem; }
a { color: var(--link); }
.quiet, small { color: var(--quiet); font-size: .875rem; }
.note { border-left: 3px solid var(--second); padding-left: .7rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0 1rem; }
caption { font-weight: 600; padding-bottom: .2rem; text-align: left; }
th, td { border-bottom: 1px solid var(--rule); padding: .3rem .9rem .3rem 0; text-align: left; }
thead th { color: var(--quiet); font-weight: 500; vertical-align: bottom; }
tbody th { font-weight: 400; }
.number { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
th.number { white-space: normal; }
nav table { width: 100%; }
nav td:last-child { padding-right: 0; width: 30%; }
nav small { display: block; }
nav tbody th { font-weight: 600; }
.matrix { white-space: nowrap; }
.matrix th, .matrix td { border: 1px solid var(--rule); padding: .25rem .5rem; }
.matrix thead td { color: var(--quiet); font-size: .8rem; }
.matrix thead th { text-align: right; }
svg {
  display: block; font: 12px system-ui, sans-serif; height: auto; overflow: visible; width: 100%;
}
svg text { fill: var(--ink); }
svg .strong { font-weight: 600; }
svg .quiet { fill: var(--quiet); font-size: 12px; }
svg path { fill: none; stroke: var(--ink); }
svg.small { min-width: 7rem; }
.charts {
  display: grid; gap: 1rem 2.5rem; margin: .8rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 27rem));
}
svg .axis { stroke: var(--rule); stroke-width: 1.5; }
svg .gap { stroke: var(--rule); stroke-width: 5; }
svg .interval { stroke: var(--test); stroke-width: 3; }
svg .limit { stroke: var(--test); stroke-width: 2; }
svg .grid { stroke: var(--rule); }
svg .kept { stroke: var(--quiet); stroke-dasharray: 2 3; }
svg .test { fill: var(--test); stroke: var(--paper); stroke-width: 1; }
svg .optimum { fill: var(--optimum); stroke: var(--paper); }
svg .baseline { fill: var(--baseline); stroke: var(--paper); }
svg .series-1 { stroke: var(--test); stroke-width: 2; }
svg .series-2 { stroke: var(--second); stroke-dasharray: 6 3; stroke-width: 2; }
svg .dot { fill: currentColor; }
details { border-top: 1px solid var(--rule); padding: .45rem 0; }
details[open] { padding-bottom: .8rem; }
summary { cursor: pointer; font-weight: 600; }
summary:hover { color: var(--link); }
pre {
  background: var(--fill); border-radius: 6px; font: .85rem/1.5 ui-monospace, monospace;
  overflow-x: auto; overflow-wrap: normal; padding: .7rem .9rem;
}
dl {
  display: grid; font-size: .9rem; gap: .15rem 1.2rem; grid-template-columns: max-content 1fr;
  margin: .6rem 0;
}
dt { color: var(--quiet); }
dd { margin: 0; min-width: 0; }
.errors { margin: .5rem 0; padding-left: 1.7rem; }
.errors li { margin-bottom: .6rem; }
.errors small { display: block; }
.words { margin: .2rem 0; overflow-wrap: anywhere; }
.own { outline: 1px solid; }
b, strong { unicode-bidi: isolate; }
q { quotes: none; unicode-bidi: plaintext; }
@media (max-width: 40rem) {
  nav th:nth-child(3), nav td:nth-child(3), nav th:nth-child(5), nav td:nth-child(5),
  nav th:nth-child(6), nav td:nth-child(6) { display: none; }
  th, td { padding-right: .6rem; }
  nav small { display: none; }
  nav td:last-child { width: auto; }
  dl { grid-template-columns: 1fr; }
  dd { margin-bottom: .4rem; }
}
"""


def style() -> str:
    """The style sheet of the page."""
    return STYLE + "\n".join(_shades()) + "\n"


def _shades() -> Iterator[str]:
    """The colours of a confusion matrix: right and wrong, the more the stronger."""
    for name in ("right", "wrong"):
        for shade in range(1, SHADES + 1):
            strength = round(75 * shade / SHADES)
            yield (
                f".{name}-{shade} {{ background: "
                f"color-mix(in srgb, var(--{name}) {strength}%, transparent); }}"
            )
