# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill's report as a page that a person reads: one file, without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ..units import size, span

_STYLE = """
:root { color-scheme: light dark; --good: #1a7f37; --bad: #cf222e; --line: #8884; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
.verdict { color: #fff; background: var(--good); border-radius: .4rem; padding: .1rem .6rem; }
.failed .verdict { background: var(--bad); }
.failures { border-left: .3rem solid var(--bad); padding: .2rem 1rem; margin: 1rem 0; overflow-wrap: anywhere; }
.bar { display: flex; height: 1.2rem; border-radius: .3rem; overflow: hidden; background: var(--line); }
.bar i { background: var(--good); } .bar i + i { opacity: .6; } .bar.over i { background: var(--bad); }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 600; width: 11rem; }
th, td { padding: .3rem .5rem .3rem 0; border-top: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; }
"""


def page(report: Mapping[str, Any]) -> str:
    """The page of a report as its JSON has it."""
    failures = "".join(f"<p>{escape(one)}</p>" for one in report["failures"])
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Restore drill of {escape(report['app'])}: {report['verdict']}</title>\n<style>{_STYLE}</style>\n"
        f'<body class="{report["verdict"]}">\n'
        f'<h1>Restore drill of {escape(report["app"])} <span class="verdict">{report["verdict"]}</span></h1>\n'
        f"<p>{escape(report['drilled'])} on {escape(report['host'])}</p>\n"
        + (f'<div class="failures">{failures}</div>\n' if failures else "")
        + _promise("Age of the backup (RPO)", [report["age"]], report["rpo"])
        + _promise("Time to bring it back (RTO)", [report["fetch"], report["restore"]], report["rto"])
        + f"<table>\n{_rows(report)}</table>\n</body>\n</html>\n"
    )


def _promise(title: str, parts: list[float | None], limit: int | None) -> str:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return f"<h2>{title}</h2>\n<p>Not known: the drill did not get so far.</p>\n"
    total = sum(known)
    if limit is None:
        return f"<h2>{title}</h2>\n<p>{span(total)}; no limit was given.</p>\n"
    bars = "".join(f'<i style="width:{min(100.0, 100 * part / max(total, limit)):.2f}%"></i>' for part in known)
    over = " over" if total > limit else ""
    return f'<h2>{title}</h2>\n<p>{span(total)} of {span(limit)}</p>\n<div class="bar{over}">{bars}</div>\n'


def _rows(report: Mapping[str, Any]) -> str:
    values = {
        "Backup": report["backup"],
        "Made": report["made"],
        "Taken from": report["source"],
        "Database": report["database"],
        "Size": None if report["size"] is None else size(report["size"]),
        "Tables": report["tables"],
        "Rows compared": report["rows"],
        "Fetching": _span(report["fetch"]),
        "Restoring": _span(report["restore"]),
        "Checking and comparing": _span(report["check"]),
    }
    return "".join(f"<tr><th>{name}<td>{escape(str(value))}\n" for name, value in values.items() if value is not None)


def _span(seconds: float | None) -> str | None:
    return None if seconds is None else span(seconds)
