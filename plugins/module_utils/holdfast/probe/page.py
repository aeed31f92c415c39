# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as a page that a person reads: one file, without a script and without anything from elsewhere."""

from __future__ import annotations

from html import escape

from ..units import span
from .checks import FAIL, PASS, RANK, WARN, Result
from .history import BUCKET_S, Bucket, History
from .report import time_of, unit_of
from .run import Outcome

_WORDS = {PASS: "All is well", WARN: "Look at it by day", FAIL: "Something is broken"}
_STYLE = """
:root { color-scheme: light dark; --back: #f6f7f9; --card: #fff; --text: #1c2128; --faint: #59636e; --line: #d5dae0;
  --none: #d5dae0; --pass: #1a7f37; --warn: #b26a00; --fail: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --back: #0f1318; --card: #191f26; --text: #e4e8ec; --faint: #9aa5b1;
  --line: #323b45; --none: #323b45; --pass: #3fb950; --warn: #e3a008; --fail: #ff6b63; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.05rem; margin: 0; } p { margin: .25rem 0; }
header, section { background: var(--card); border: 1px solid var(--line); border-left: .4rem solid var(--pass);
  border-radius: .4rem; padding: .75rem 1rem; margin: 0 0 .75rem; }
.warn { border-left-color: var(--warn); } .fail { border-left-color: var(--fail); }
.top { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; justify-content: space-between; }
.badge { font-weight: 700; color: var(--pass); }
.warn .badge { color: var(--warn); } .fail .badge { color: var(--fail); }
.faint { color: var(--faint); font-size: .875rem; }
.values { display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .25rem 0; padding: 0; list-style: none;
  font-size: .875rem; font-variant-numeric: tabular-nums; }
svg { display: block; width: 100%; height: 1.75rem; margin-top: .5rem; }
rect { fill: var(--none); } rect.p { fill: var(--pass); } rect.w { fill: var(--warn); } rect.f { fill: var(--fail); }
.day { display: flex; justify-content: space-between; }
"""
_BAR, _GAP, _HEIGHT = 8, 2, 28
_SHARES = {PASS: 0.6, WARN: 0.8, FAIL: 1.0}  # of the height, for who does not see the colours


def page(outcome: Outcome, history: History, title: str, interval: float | None) -> str:
    """The page of an outcome. `interval` is in how many seconds the next one is written; None when nobody knows."""
    worst_first = sorted(outcome.results, key=lambda result: -RANK[result.status])
    sections = "".join(_section(result, history, outcome.at) for result in worst_first)
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}: {outcome.status}</title>\n<style>{_STYLE}</style>\n<body>\n"
        f'<header class="{outcome.status}"><div class="top"><h1>{escape(title)}</h1>'
        f'<span class="badge">{outcome.status.upper()}: {_WORDS[outcome.status]}</span></div>\n'
        f"<p>{_counted(outcome)}</p>\n"
        f'<p class="faint">{_written(outcome.at, interval)}</p></header>\n{sections}</body>\n</html>\n'
    )


def _counted(outcome: Outcome) -> str:
    counts = [(sum(one.status == status for one in outcome.results), status) for status in (FAIL, WARN, PASS)]
    return ", ".join(f"{count} {status}" for count, status in counts if count)


def _written(at: float, interval: float | None) -> str:
    said = f"Written at <time>{time_of(at)}</time>"
    if interval is None:
        return f"{said}. Nothing on this page changes until somebody asks again."
    return f"{said}, every {span(interval)}. If that is much longer ago, nobody is looking: do not trust this page."


def _section(result: Result, history: History, now: float) -> str:
    verdict = f" ({escape(result.verdict)})" if result.verdict else ""
    advisory = "" if result.critical else ", advisory"
    values = "".join(f"<li>{_value(result, measure, value)}</li>" for measure, value in sorted(result.values.items()))
    return (
        f'<section class="{result.status}"><div class="top"><h2>{escape(result.name)}</h2>'
        f'<span class="badge">{result.status.upper()}{verdict}</span></div>\n'
        f'<p>{escape(result.output)}</p>\n<ul class="values">{values}</ul>\n'
        f'<p class="faint">{escape(result.type)}{advisory}, {_asked(result)}</p>\n'
        f"{_bars(history.day(result.name, now))}</section>\n"
    )


def _value(result: Result, measure: str, value: float) -> str:
    name = "latency" if measure == "latency_ms" else measure.replace("_", " ")
    return f"{escape(name)} <b>{value:,.10g}</b> {escape(unit_of(result.type, measure))}".rstrip()


def _asked(result: Result) -> str:
    if result.cache in ("live", "miss"):
        return "asked just now"
    kept = "kept answer, older than it should be" if result.cache == "stale" else "kept answer"
    return f"{kept}, {span(result.age)} old"


def _bars(day: list[tuple[float, Bucket | None]]) -> str:
    """A day as bars with what to know of each when one points at it."""
    width = len(day) * (_BAR + _GAP)
    bars = "".join(_bar(number * (_BAR + _GAP), start, bucket) for number, (start, bucket) in enumerate(day))
    return (
        f'<svg viewBox="0 0 {width} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="The last 24 hours">'
        f'{bars}</svg><p class="faint day"><span>24 hours ago</span><span>now</span></p>\n'
    )


def _bar(left: int, start: float, bucket: Bucket | None) -> str:
    when = f"{time_of(start)[:16]} to {time_of(start + BUCKET_S)[11:16]} UTC"
    if bucket is None:
        kind, height, said = "", _HEIGHT * _SHARES[PASS], f"{when}: nobody looked"
    else:
        kind, height = f' class="{bucket.status[0]}"', _HEIGHT * _SHARES[bucket.status]
        looks = "1 look" if bucket.looks == 1 else f"{bucket.looks} looks"
        said = f"{when}: {bucket.status}, {looks}, {bucket.latency_ms:.1f} ms on average"
    box = f'x="{left}" y="{_HEIGHT - height:g}" width="{_BAR}" height="{height:g}"'
    return f"<rect{kind} {box}><title>{said}</title></rect>"
