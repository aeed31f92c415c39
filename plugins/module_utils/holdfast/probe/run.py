# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running checks side by side, in rounds, until they are green often enough or time is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from .checks import FAIL, PASS, WARN, Check, Result, Unhealthy, mask
from .deadline import Deadline
from .types import TYPES

_GRACE_S = 0.2


@dataclass(frozen=True)
class Gate:
    """How many rounds in a row must be without a critical failure, and for how long they are tried, in seconds.

    After the timeout the first round that is not green is the last; those that are green by then may become as many as
    are wanted. With a timeout of 0, every round must be green. `interval` lies between two rounds.
    """

    successes: int = 1
    timeout: float = 0.0
    interval: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """The last round's results, how many rounds there were, and the seconds they took."""

    results: list[Result]
    rounds: int
    elapsed: float

    @property
    def status(self) -> str:
        """`fail` when the gate stays shut; otherwise `warn` when an advisory check is not green, or `pass`."""
        if self.failures:
            return FAIL
        return WARN if self.warnings else PASS

    @property
    def failures(self) -> list[Result]:
        """The critical checks that were not green at the end."""
        return [one for one in self.results if one.status == FAIL]

    @property
    def warnings(self) -> list[Result]:
        """The advisory checks that were not green at the end."""
        return [one for one in self.results if one.status == WARN]

    def verdict(self) -> str:
        """Why the gate stays shut, as an operator reads it."""
        rounds = "1 round" if self.rounds == 1 else f"{self.rounds} rounds"
        said = "; ".join(f"{one.name}: {one.output}" for one in self.failures)
        return f"Health gate failed after {rounds} in {self.elapsed:.0f} s: {said}"


class _Run(threading.Thread):
    """One check on its way.

    A probe keeps to its deadline by itself. Should it not, as in the resolver or a driver, which know none, it is
    left behind and its result is that there was no answer.
    """

    def __init__(self, check: Check) -> None:
        super().__init__(daemon=True)
        self._check = check
        self._answer: tuple[bool, str, float] | None = None
        self._begun = time.monotonic()
        self.start()

    def run(self) -> None:
        good, output = self._ask()
        self._answer = (good, output, time.monotonic() - self._begun)

    def _ask(self) -> tuple[bool, str]:
        check = self._check
        try:
            return True, TYPES[check.type].run(check.options, Deadline(check.timeout))
        except Unhealthy as seen:
            return False, str(seen)
        except TimeoutError:
            return False, self._too_late()
        except Exception as error:  # a probe that breaks is a finding, not the end of all the others
            return False, f"the probe broke: {error!r}"

    def _too_late(self) -> str:
        return f"no answer within {self._check.timeout:g} s"

    def result(self) -> Result:
        """What came of it, or that nothing did in time."""
        self.join(max(0.0, self._begun + self._check.timeout + _GRACE_S - time.monotonic()))
        good, output, took = self._answer or (False, self._too_late(), time.monotonic() - self._begun)
        return _result(self._check, good, output, took)


def _result(check: Check, good: bool, output: str, took: float) -> Result:
    return Result(
        name=check.name,
        type=check.type,
        status=PASS if good else (FAIL if check.critical else WARN),
        output=mask(output, check.secrets),
        latency_ms=round(took * 1000, 1),
        time=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        critical=check.critical,
    )


def run_round(checks: Sequence[Check], *, dry_run: bool = False) -> list[Result]:
    """Run all checks side by side; results in the checks' order.

    In a dry run, checks that may change something are not run; they pass and say so.
    """
    runs = [None if dry_run and TYPES[check.type].may_change else _Run(check) for check in checks]
    return [
        run.result() if run else _result(check, True, "not run in check mode: it may change something", 0.0)
        for check, run in zip(checks, runs)
    ]


def run_gate(checks: Sequence[Check], gate: Gate, *, dry_run: bool = False) -> Outcome:
    """Run rounds until the gate opens or its time is over."""
    started = time.monotonic()
    green = rounds = 0
    while True:
        results = run_round(checks, dry_run=dry_run)
        rounds += 1
        elapsed = time.monotonic() - started
        outcome = Outcome(results, rounds, round(elapsed, 3))
        green = 0 if outcome.failures else green + 1
        over = bool(outcome.failures) and elapsed + gate.interval > gate.timeout
        if green >= gate.successes or over:
            return outcome
        time.sleep(gate.interval)
