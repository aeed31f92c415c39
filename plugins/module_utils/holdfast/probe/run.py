# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running checks side by side, in rounds, until they are green often enough or time is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from .background import in_background
from .cache import Ask
from .checks import FAIL, PASS, WARN, Answer, Check, Look, Result, Unhealthy, mask
from .deadline import Deadline
from .store import Store
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
    """The last round's results, how many rounds there were, the seconds they took, and when that was.

    `at` is in seconds since 1970, by the store's clock.
    """

    results: list[Result]
    rounds: int
    elapsed: float
    at: float

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
    """One check on its way. It looks by itself, or waits for another caller that does when answers are `shared`.

    A probe keeps to its deadline by itself. Should it not, as in the resolver or a driver, which know none, it is
    left behind and its result is that there was no answer.
    """

    def __init__(self, check: Check, store: Store, *, shared: bool) -> None:
        super().__init__(daemon=True)
        self._check = check
        self._store = store
        self._shared = shared
        self._looking = False
        self._answer: Answer | None = None
        self._begun = time.monotonic()
        self.start()

    def run(self) -> None:
        if not self._shared:
            self._answer = self._look()
            return
        try:
            self._answer = self._store.answer(self._check, self._look, Deadline(self._check.timeout))
        except TimeoutError:
            self._answer = self._none()

    def _look(self) -> Answer:
        self._looking = True
        return ask(self._check, self._store)

    def _none(self) -> Answer:
        took = (time.monotonic() - self._begun) * 1000
        return Answer(_too_late(self._check), FAIL, round(took, 1), self._store.clock(), outage=True)

    def answer(self) -> Answer:
        """What came of it, or that nothing did in time."""
        self.join(max(0.0, self._begun + self._check.timeout + _GRACE_S - time.monotonic()))
        if self._answer:
            return self._answer
        # One that was left behind will not tell the others.
        return self._store.keep(self._check, self._none()) if self._shared and self._looking else self._none()


def _too_late(check: Check) -> str:
    return f"no answer within {check.timeout:g} s"


def ask(check: Check, store: Store) -> Answer:
    """Have a check look, whatever is kept; no secret of it is in the answer."""
    begun = time.monotonic()
    look = Look(check.options, Deadline(check.timeout), store.notes(check), store.clock())
    try:
        seen = TYPES[check.type].run(look)
        found = Answer(seen.output, seen.status, 0.0, 0.0, dict(seen.values), seen.verdict)
    except Unhealthy as error:
        found = Answer(
            str(error), error.status, 0.0, 0.0, {}, error.verdict, outage=error.outage, retry_after=error.retry_after
        )
    except TimeoutError:
        found = Answer(_too_late(check), FAIL, 0.0, 0.0, outage=True)
    except Exception as error:  # a probe that breaks is a finding, not the end of all the others
        found = Answer(f"the probe broke: {error!r}", FAIL, 0.0, 0.0)
    took = round((time.monotonic() - begun) * 1000, 1)
    return replace(found, output=mask(found.output, check.secrets), latency_ms=took, at=store.clock())


def judge(check: Check, answer: Answer) -> Result:
    """The answer by the check's limits."""
    values = {"latency_ms": answer.latency_ms, **answer.values}
    status, output, verdict = answer.status, answer.output, answer.verdict
    for side, limits in ((FAIL, check.fail), (WARN, check.warn)):
        over = _over(check, values, limits)
        if over and status in (PASS, WARN) and side != status:
            status, output = side, f"{'; '.join(said for said, _ in over)} ({answer.output})"
            verdict = next((word for _, word in over if word), verdict)
            break
    return Result(
        name=check.name,
        type=check.type,
        status=WARN if status == FAIL and not check.critical else status,
        output=output,
        latency_ms=answer.latency_ms,
        time=datetime.fromtimestamp(answer.at, timezone.utc).isoformat(timespec="milliseconds"),
        critical=check.critical,
        values=values,
        verdict=verdict,
        cache=answer.served,
        age=answer.age,
    )


def _over(check: Check, values: Mapping[str, float], limits: Mapping[str, float]) -> list[tuple[str, str]]:
    """Each value that is at its limit or worse, in a sentence and by its measure's verdict."""
    measures = TYPES[check.type].all_measures
    return [
        (
            f"{name} is {values[name]:.10g}{measures[name].unit and ' ' + measures[name].unit},"
            f" the limit is {limit:.10g}",
            measures[name].verdict,
        )
        for name, limit in limits.items()
        if name in values and measures[name].reached(values[name], limit)
    ]


def run_round(checks: Sequence[Check], store: Store | None = None, *, dry_run: bool = False) -> list[Result]:
    """Run all checks side by side; results in the checks' order.

    In a dry run, checks that may change something are not run; they pass and say so.
    """
    store = store or Store()
    begun = _begin(checks, store, dry_run)
    return [judge(check, one.answer() if isinstance(one, _Run) else one) for check, one in zip(checks, begun)]


def _begin(checks: Sequence[Check], store: Store, dry_run: bool) -> list[_Run | Answer]:
    """The answers that are there already, and a thread for each of the others."""
    kept: dict[int, Answer] = {}
    behind: list[tuple[Check, int]] = []
    for number, check in enumerate(checks):
        if dry_run and TYPES[check.type].may_change(check.options):
            kept[number] = Answer("not run in check mode: it may change something", PASS, 0.0, store.clock())
        elif store.keeps(check):
            answer, wanted = store.look_up(check)
            if answer is not None:
                kept[number] = answer
                if wanted is Ask.BEHIND and not dry_run and (lock := store.claim(check)) is not None:
                    behind.append((check, lock))
    if behind:
        # Before any thread is started: of several threads, fork() keeps one.
        in_background(lambda: _refresh(behind, store))
        for _, lock in behind:
            store.release(lock)
    return [
        kept[number] if number in kept else _Run(check, store, shared=store.keeps(check))
        for number, check in enumerate(checks)
    ]


def _refresh(behind: Sequence[tuple[Check, int]], store: Store) -> None:
    """Ask, side by side, what is old; each lock goes when its check has been answered."""
    runs = [_Run(check, store, shared=False) for check, _ in behind]
    for run, (check, lock) in zip(runs, behind):
        store.keep(check, run.answer())
        store.release(lock)


def run_gate(checks: Sequence[Check], gate: Gate, store: Store | None = None, *, dry_run: bool = False) -> Outcome:
    """Run rounds until the gate opens or its time is over."""
    store = store or Store()
    started = time.monotonic()
    green = rounds = 0
    while True:
        results = run_round(checks, store, dry_run=dry_run)
        rounds += 1
        elapsed = time.monotonic() - started
        outcome = Outcome(results, rounds, round(elapsed, 3), store.clock())
        green = 0 if outcome.failures else green + 1
        over = bool(outcome.failures) and elapsed + gate.interval > gate.timeout
        if green >= gate.successes or over:
            return outcome
        time.sleep(gate.interval)
