# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of database servers have in common: their options and measures, and the order of a look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import options as opt
from .checks import FAIL, PASS, WARN, Look, Measure, Option, Seen, Unhealthy
from .databases import LOGIN_OPTIONS, Session, connected, put_query
from .writing import write_and_read

FILE_OPTIONS = {
    "database": LOGIN_OPTIONS["database"],
    "query": Option(opt.text),
    "expect": Option(opt.scalar),
    "write": Option(opt.boolean, False),
}
SERVER_OPTIONS = {**LOGIN_OPTIONS, **FILE_OPTIONS, "replica": Option(opt.boolean, False)}

FILE_MEASURES = {"write_ms": Measure("ms")}
SERVER_MEASURES = {
    **FILE_MEASURES,
    "replication_lag_s": Measure("s", warn=30, fail=300),
    "connections_percent": Measure("%", warn=80, fail=95),
    "longest_transaction_s": Measure("s", warn=300, fail=3600),
}


@dataclass
class Findings:
    """What a look has found so far. `read_only` says why nothing may be written, where that is so."""

    said: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    status: str = PASS
    verdict: str = ""
    read_only: str = ""

    def measure(self, **values: float | None) -> None:
        """Take over what is known of these values."""
        self.values.update({name: round(float(value), 1) for name, value in values.items() if value is not None})

    def warn(self, said: str) -> None:
        """Something that is wrong, though not so that the check fails."""
        self.wrong.append(said)
        self.status = FAIL if self.status == FAIL else WARN

    def fail(self, said: str, verdict: str = "") -> None:
        """Something that the check fails for."""
        self.wrong.append(said)
        self.status = FAIL
        self.verdict = self.verdict or verdict

    def seen(self) -> Seen:
        """All of it, what is wrong first."""
        return Seen("; ".join([*self.wrong, *self.said]), self.values, self.status, self.verdict)


def look_at(engine: str, look: Look, study: Callable[[Session, Look, Findings], None]) -> Seen:
    """Log in, study the server, put the operator's query, and write a row, each as far as the options want it.

    What is wrong beside an answer is part of what is seen, so that the measured values are not lost.
    Raises Unhealthy when the server refuses, or TimeoutError.
    """
    options, found = look.options, Findings()
    with connected(engine, options, look.deadline) as session:
        study(session, look, found)
        if options["query"] is not None or options["expect"] is not None:
            try:
                put_query(session, options["query"] or "SELECT 1", options["expect"])
            except Unhealthy as error:
                found.fail(str(error))
    if options["write"]:
        _write(engine, look, found)
    return found.seen()


def _write(engine: str, look: Look, found: Findings) -> None:
    if look.options.get("replica"):
        found.read_only = found.read_only or "the server is to be a replica"
    try:
        if found.read_only:
            raise Unhealthy(f"a row cannot be written: {found.read_only}")
        found.measure(write_ms=write_and_read(engine, look.options, look.deadline))
    except Unhealthy as error:
        found.fail(str(error))


def writes(options: Mapping[str, Any]) -> bool:
    """Whether a check with these options changes something."""
    return bool(options["write"])
