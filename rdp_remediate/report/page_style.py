"""The look of the page: no font, script or picture from anywhere, light and dark, wide and narrow."""

CSS = """
:root { color-scheme: light dark; --ink: #1c1e21; --dim: #5d636b; --paper: #fff; --line: #d4d8dd; --code: #f2f4f6;
  --ok: #12703a; --broken: #b3261e; --care: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --dim: #a2a8b0; --paper: #16181b; --line: #3a3f45;
  --code: #22262a; --ok: #5fcf8d; --broken: #ff8a80; --care: #f3c258; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 16px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
header { border-left: .5rem solid var(--care); padding: .1rem 1rem; }
header.reachable { border-color: var(--ok); }
header.broken { border-color: var(--broken); }
h1 { font-size: 1.5rem; margin: .2rem 0; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; border-bottom: 1px solid var(--line); }
.lead { font-size: 1.1rem; margin: .3rem 0; }
.dim, footer { color: var(--dim); font-size: .9rem; }
ul { padding-left: 1.2rem; margin: .3rem 0; }
li { margin: .35rem 0; }
pre, code { font: .85rem/1.4 ui-monospace, Consolas, monospace; background: var(--code); border-radius: .25rem; }
code { padding: .05rem .3rem; }
pre { padding: .6rem; overflow-x: auto; overflow-wrap: normal; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid var(--line); }
td { min-width: 4.5rem; }
td span[class] { white-space: nowrap; }
.s-pass { color: var(--ok); } .s-fail, .s-error { color: var(--broken); } .s-unknown, .s-by_design { color: var(--care); }
svg { width: 100%; height: auto; display: block; margin: .3rem 0 .8rem; font: 15px system-ui, sans-serif; fill: var(--ink); }
svg rect { fill: var(--paper); stroke: var(--dim); stroke-width: 1.5; }
svg line { stroke: var(--dim); stroke-width: 2; }
svg .ok rect { stroke: var(--ok); } svg .ok .mark { fill: var(--ok); }
svg .broken rect { stroke: var(--broken); stroke-width: 4; } svg .broken .mark { fill: var(--broken); font-weight: 700; }
svg .care rect { stroke: var(--care); stroke-dasharray: 5 3; } svg .care .mark { fill: var(--care); }
.timeline { list-style: none; margin: .5rem 0 .5rem .4rem; padding: 0; border-left: 2px solid var(--line); }
.timeline li { position: relative; padding-left: 1.1rem; }
.timeline li::before { content: ""; position: absolute; left: -.42rem; top: .4rem; width: .7rem; height: .7rem;
  border-radius: 50%; background: var(--paper); border: 2px solid var(--dim); box-sizing: border-box; }
.timeline .sign_in::before { border-color: var(--ok); background: var(--ok); }
.timeline .failure::before, .timeline .denied::before { border-color: var(--broken); }
.timeline .explains { border-left: .25rem solid var(--broken); margin-left: -2px; font-weight: 600; }
.timeline .explains::before { border-color: var(--broken); background: var(--broken); left: -.6rem; }
.timeline time { font-variant-numeric: tabular-nums; } .timeline .dim { font-weight: 400; }
svg.narrow { display: none; }
@media (max-width: 40rem) { svg.broad { display: none; } svg.narrow { display: block; } body { padding: .7rem; } }
"""
