# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running checks side by side, in rounds, and telling what came of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .checks import FAIL, PASS, WARN, Check, Result, Unhealthy
from .types import PROBES


@dataclass(frozen=True)
class Outcome:
    """The last round's results, how many rounds there were, and the seconds they took in all."""

    results: list[Result]
    rounds: int
    elapsed: float

    @property
    def status(self) -> str:
        """The worst status among the results."""
        found = {result.status for result in self.results}
        return next(status for status in (FAIL, WARN, PASS) if status in found)

    def failures(self) -> str:
        """A sentence for each check that is not green."""
        return "; ".join(f"{one.name}: {one.output}" for one in self.results if one.status != PASS)


class _Run(threading.Thread):
    """One check on its way. Its time limit holds even when what it asks never lets go of it."""

    def __init__(self, check: Check) -> None:
        super().__init__(daemon=True)
        self.check = check
        self._answer: tuple[bool, str] | None = None
        self._begun = time.monotonic()
        self._done_at: float | None = None

    def run(self) -> None:
        try:
            self._answer = (True, PROBES[self.check.type](self.check))
        except Unhealthy as seen:
            self._answer = (False, str(seen))
        except Exception as error:  # a probe that breaks is a finding, not the end of all the others
            self._answer = (False, f"the probe broke: {error!r}")
        self._done_at = time.monotonic()

    def result(self) -> Result:
        """What came of it, or that nothing did in time."""
        self.join(max(0.0, self._begun + self.check.timeout - time.monotonic()) + 0.05)
        good, output = self._answer or (False, f"no answer within {self.check.timeout:g} s")
        return Result(
            name=self.check.name,
            type=self.check.type,
            status=PASS if good else (FAIL if self.check.critical else WARN),
            output=output,
            latency_ms=round(((self._done_at or time.monotonic()) - self._begun) * 1000, 1),
            time=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            critical=self.check.critical,
        )


def run_round(checks: Sequence[Check]) -> list[Result]:
    """Run all checks side by side; results in the checks' order."""
    runs = [_Run(check) for check in checks]
    for run in runs:
        run.start()
    return [run.result() for run in runs]


def run_until_green(checks: Sequence[Check], *, successes: int, timeout: float, interval: float) -> Outcome:
    """Run rounds until `successes` in a row have no critical failure, for at most `timeout` seconds.

    With a timeout of 0 each round must be green. `interval` is the pause between two rounds, in seconds.
    """
    started = time.monotonic()
    green = rounds = 0
    while True:
        results = run_round(checks)
        rounds += 1
        failed = any(result.status == FAIL for result in results)
        green = 0 if failed else green + 1
        elapsed = time.monotonic() - started
        over = elapsed + interval > timeout if timeout else failed
        if green >= successes or over:
            return Outcome(_unsettled(results, green, successes), rounds, round(elapsed, 3))
        time.sleep(interval)


def _unsettled(results: list[Result], green: int, successes: int) -> list[Result]:
    """A last round that is green does not count when there were too few of them in a row."""
    if green >= successes or green == 0:
        return results
    output = f"green {green} times in a row only, not {successes}"
    return [Result(**{**vars(one), "status": FAIL, "output": output}) for one in results]


def as_health_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome in the form of draft-inadarei-api-health-check-06."""
    checks = {
        result.name: [
            {
                "componentType": result.type,
                "observedValue": result.latency_ms,
                "observedUnit": "ms",
                "status": result.status,
                "time": result.time,
                "output": result.output,
            }
        ]
        for result in outcome.results
    }
    return {"status": outcome.status, "checks": checks}


def as_prometheus(outcome: Outcome) -> str:
    """The outcome in Prometheus' text exposition format 0.0.4."""
    up = ["# HELP holdfast_probe_up Whether the check is green.", "# TYPE holdfast_probe_up gauge"]
    took = [
        "# HELP holdfast_probe_duration_seconds How long the check took.",
        "# TYPE holdfast_probe_duration_seconds gauge",
    ]
    for result in outcome.results:
        label = result.name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        labels = f'check="{label}",type="{result.type}"'
        up.append(f"holdfast_probe_up{{{labels}}} {int(result.status == PASS)}")
        took.append(f"holdfast_probe_duration_seconds{{{labels}}} {result.latency_ms / 1000:g}")
    return "\n".join([*up, *took, ""])
