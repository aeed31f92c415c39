# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the numbers of a queue and the state of its workers tell. Nothing here asks anybody."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from ..checks import FAIL, WARN
from ..workers import Worker

VERDICTS = ("no_workers", "stalled", "failing", "maintenance", "old_code")
NO_WORKERS, STALLED, FAILING, MAINTENANCE, OLD_CODE = VERDICTS

_MOSTLY = 3  # failures below which one does not speak of most
_SEVERAL = 3  # jobs without their workers, from which on it is no accident
_LOOP = 3  # times that a job lost its worker, from which on it is a loop


@dataclass(frozen=True)
class Counts:
    """A queue at one moment, and how it is called where its jobs are kept.

    Jobs are `pending` when they could be done now, and `reserved` when a worker took them. `expired` are those taken
    longer ago than the queue waits for a worker, `overdue` those due for `stalled_after` and not taken. `oldest_s` is
    how many seconds ago the first of the pending ones was due, None when that is not known. `orphaned` are those taken
    before any of this host's workers began, and `attempts` how often one of them was taken. `head` stands for the next
    job, where they are done in order, and `newest` is when one was taken last, of those that are not done. `done` are
    the jobs gone since the last look, at least; that is `exact` while some that waited then still do.
    """

    queue: str
    name: str
    pending: int = 0
    delayed: int = 0
    reserved: int = 0
    expired: int = 0
    overdue: int = 0
    oldest_s: float | None = None
    orphaned: int = 0
    attempts: int = 0
    head: str | None = None
    newest: float | None = None
    done: int | None = None
    exact: bool = False

    @property
    def size(self) -> int:
        """All the jobs."""
        return self.pending + self.delayed + self.reserved

    @property
    def busy(self) -> int:
        """The jobs that a worker is seen to be doing."""
        return self.reserved - max(self.expired, self.orphaned)

    def moved_since(self, head: str | None, newest: float | None) -> bool:
        """Whether a worker took or finished a job since `head` and `newest` were these."""
        return (head is not None and head != self.head) or newest != self.newest or bool(self.exact and self.done)


@dataclass(frozen=True)
class Rules:
    """When a queue is stalled: `workers` are those of this host, None when it is to have none."""

    workers: Sequence[Worker] | None
    retry_after: float
    stalled_after: float


@dataclass(frozen=True)
class Finding:
    """Something wrong: the word for it, how bad it is, and what was seen and what to do about it."""

    verdict: str
    status: str
    said: str


def judge(queues: Sequence[Counts], rules: Rules, moved: Container[str]) -> list[Finding | None]:
    """What is worst in each of the queues.

    `moved` are the names of those in which a worker was seen at work in the last `stalled_after` seconds. A queue may
    wait while its workers are at work in another one that they are for as well.
    """
    at_work = {one.queue for one in queues if one.busy > 0 or one.name in moved}
    found = []
    for one in queues:
        workers = None if rules.workers is None else [worker for worker in rules.workers if worker.serves(one.queue)]
        fair = any(one.queue in worker.queues and worker.queues & at_work for worker in workers or ())
        own = replace(rules, workers=workers)
        found.append(_no_workers(one, own) or _stalled(one, own, fair or one.name in moved) or _crashing(one))
    return found


def _no_workers(queue: Counts, rules: Rules) -> Finding | None:
    work = queue.pending + queue.reserved
    if rules.workers is None or rules.workers or not work:
        return None
    said = f"{_jobs(work)} in {queue.name}, and no worker process for it on this host: start the workers"
    return Finding(NO_WORKERS, FAIL, said)


def _stalled(queue: Counts, rules: Rules, moved: bool) -> Finding | None:
    work = queue.pending + queue.reserved
    if work and rules.workers and all(one.stopped for one in rules.workers):
        pids = ", ".join(str(one.pid) for one in rules.workers)
        said = f"{_jobs(work)} in {queue.name}, and every worker for it is stopped by a signal (pid {pids})"
        return Finding(STALLED, FAIL, f"{said}: send CONT, or restart the workers")
    waits = queue.overdue > 0 or (queue.oldest_s or 0) >= rules.stalled_after
    if moved or queue.busy > 0 or not (queue.expired or waits):
        return None
    if rules.workers and all(one.down for one in rules.workers):
        said = f"work waits in {queue.name} while the application is in maintenance: php artisan up lets workers go on"
        return Finding(MAINTENANCE, WARN, said)
    if queue.expired:
        said = (
            f"{_jobs(queue.expired)} in {queue.name} taken more than {rules.retry_after:g} s ago, neither done nor"
            " taken again: restart the workers, and keep their timeout below retry_after"
        )
        return Finding(STALLED, FAIL, said)
    waited = f" for {queue.oldest_s:.0f} s" if queue.oldest_s is not None else ""
    said = f"work waits in {queue.name}{waited} and nobody takes it: are the workers paused, or on another queue?"
    return Finding(STALLED, FAIL, said)


def _crashing(queue: Counts) -> Finding | None:
    """Jobs whose workers died; that of a single one is left to the next try.

    Where other hosts have workers too, those of this host may only be younger. So several jobs are no more than a
    warning, unless one was taken often.
    """
    attempts = queue.attempts if queue.orphaned else 0
    if attempts < _LOOP - 1 and queue.orphaned < _SEVERAL:
        return None
    said = (
        f"{_jobs(queue.orphaned)} in {queue.name} taken up to {attempts} times by workers that are gone: they crash or"
        " are killed; see the workers' log, and the system's for want of memory"
    )
    return Finding(FAILING, FAIL if attempts >= _LOOP else WARN, said)


def mostly_failed(failed_new: int, queues: Sequence[Counts]) -> Finding | None:
    """Whether most of what was done since the last look failed, as far as that is known."""
    done = sum(one.done or 0 for one in queues)
    if failed_new < _MOSTLY or not all(one.exact for one in queues) or failed_new * 2 <= done:
        return None
    said = f"{failed_new} of the {done} jobs done since the last look failed: see php artisan queue:failed"
    return Finding(FAILING, FAIL, said)


def old_code(releases: Sequence[str]) -> Finding | None:
    """Whether workers run releases that are gone or not the current one; one name for each such worker."""
    if not releases:
        return None
    workers = "1 worker runs" if len(releases) == 1 else f"{len(releases)} workers run"
    said = f"{workers} the code of {', '.join(sorted(set(releases)))}, which is not the current release"
    return Finding(OLD_CODE, WARN, f"{said}: restart with php artisan queue:restart, or supervisorctl restart")


def worst(findings: Sequence[Finding | None]) -> Finding | None:
    """The finding to tell: a failure before a warning, and then by the order of VERDICTS."""
    there = [one for one in findings if one is not None]
    return min(there, key=lambda one: (one.status != FAIL, VERDICTS.index(one.verdict)), default=None)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
