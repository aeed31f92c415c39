# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a queue of Laravel's is worked off: its jobs, what became of them, and the workers on this host."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import options as opt
from ..checks import CheckType, Look, Measure, Option, Seen
from ..databases import ENGINES
from ..databases import LOGIN_OPTIONS as DATABASE_OPTIONS
from ..queues import database, redis
from ..queues.numbers import counted, counted_workers, rates, summary
from ..queues.sight import Moment, Sight
from ..queues.verdict import Counts, Finding, Rules, judge, mostly_failed, old_code, worst
from ..resp import LOGIN_OPTIONS as REDIS_OPTIONS
from ..workers import Worker, find_workers

_BACKENDS = {"database": database.look_at, "redis": redis.look_at}
_SECOND_LOOK_S = 1.0
_PAUSE_S = 0.2


def check_queue(look: Look) -> Seen:
    """Look at the queues and at the workers, and a second time when nobody seems to work."""
    options = look.options
    root = Path(options["path"]) if options["path"] else None
    workers = find_workers(options["match"], root, look.deadline) if options["workers_here"] else None
    before = look.notes.read()
    sight = _look_at(look, before, workers)
    rules = Rules(workers, options["retry_after"], options["stalled_after"])
    findings = _judged(look, sight, rules, before)
    if sight.failed is not None and sight.failed.new is not None:
        findings.append(mostly_failed(sight.failed.new, sight.queues))
    old = [name for name in (one.old_release(root) for one in workers or ()) if name]
    findings.append(old_code(old))
    look.notes.write(sight.note(look.now, before))
    values = {**counted(sight), **counted_workers(workers, old), **rates(sight, before, look.now)}
    found, said = worst(findings), summary(values)
    if found is None:
        return Seen(said, values)
    return Seen(f"{found.said} ({said})", values, found.status, found.verdict)


def _look_at(look: Look, note: Mapping[str, Any], workers: Sequence[Worker] | None) -> Sight:
    options = look.options
    began = min((one.began for one in workers or ()), default=0.0)
    moment = Moment(look.now, began, options["retry_after"], options["stalled_after"], note)
    sight = _BACKENDS[options["backend"]](options, look.deadline, moment)
    return replace(sight, queues=[_aged(one, note, look.now) for one in sight.queues])


def _aged(queue: Counts, note: Mapping[str, Any], now: float) -> Counts:
    """The queue, with the time for which its next job has been seen to be that, where no other age is known."""
    before = note.get("queues", {}).get(queue.name)
    if queue.oldest_s is not None or before is None or before["head"] != queue.head:
        return queue
    return replace(queue, oldest_s=max(0.0, now - before["since"]))


def _judged(look: Look, sight: Sight, rules: Rules, before: Mapping[str, Any]) -> list[Finding | None]:
    """What is wrong with each queue."""
    queues, since = sight.queues, look.now - rules.stalled_after
    moved = {one.name for one in queues if _moved(one, before, since)}
    found = judge(queues, rules, moved)
    at_best = judge(queues, rules, {one.name for one in queues})
    doubtful = {one.name for one, seen, best in zip(queues, found, at_best) if seen != best}
    if not doubtful:
        return found
    # Between two jobs a worker has none either: it gets the time to take one.
    return judge(queues, rules, moved | _moving(look, sight, rules.workers, doubtful))


def _moving(look: Look, sight: Sight, workers: Sequence[Worker] | None, wanted: set[str]) -> set[str]:
    """The queues of which a worker takes a job now, until all that are wanted are among them."""
    note, limit = sight.note(look.now, {}), time.monotonic() + min(_SECOND_LOOK_S, look.deadline.left() / 2)
    moving: set[str] = set()
    with contextlib.suppress(TimeoutError):  # what was seen before counts
        while not wanted <= moving and time.monotonic() < limit:
            time.sleep(_PAUSE_S)
            moving |= {one.name for one in _look_at(look, note, workers).queues if _moved(one, note, look.now)}
    return moving


def _moved(queue: Counts, note: Mapping[str, Any], since: float) -> bool:
    """Whether a worker did something after the time of the note, unless that is before `since`."""
    before = note.get("queues", {}).get(queue.name)
    return before is not None and note["at"] >= since and queue.moved_since(before["head"], before["newest"])


def _names(value: Any) -> list[str]:
    names = [opt.text(one) for one in (value if isinstance(value, list) else [value])]
    if not names or len(set(names)) < len(names):
        raise ValueError("must be one name or more, each once")
    return names


def _table(value: Any) -> str:
    """A table, perhaps with its schema; empty for none."""
    if not re.fullmatch(r"(\w+(\.\w+)?)?", opt.text(value)):
        raise ValueError("must be the name of a table")
    return str(value)


def _fit(options: Mapping[str, Any]) -> None:
    """Raises ValueError when options are missing that others call for."""
    if options["backend"] == "database" and not (options["engine"] and options["database"] and options["jobs_table"]):
        raise ValueError("the backend 'database' needs 'engine', 'database' and 'jobs_table'")
    if options["backend"] == "redis" and not re.fullmatch(r"\d*", options["database"] or ""):
        raise ValueError("with the backend 'redis', 'database' must be a number")
    if options["failed_engine"] and not options["failed_database"]:
        raise ValueError("'failed_engine' needs 'failed_database'")


_LOGIN = {**DATABASE_OPTIONS, "engine": Option(opt.choice(*ENGINES)), "database": Option(opt.text)}

QUEUE = CheckType(
    options={
        "backend": Option(opt.choice(*_BACKENDS), "database"),
        "queue": Option(_names, ["default"]),
        **_LOGIN,
        "tls": REDIS_OPTIONS["tls"],
        "jobs_table": Option(_table, "jobs"),
        "failed_table": Option(_table, "failed_jobs"),
        "prefix": Option(opt.text),
        "app_name": Option(opt.text),
        "horizon_prefix": Option(opt.text),
        **{f"failed_{name}": option for name, option in _LOGIN.items()},
        "retry_after": Option(opt.seconds, 90.0),
        "stalled_after": Option(opt.seconds, 60.0),
        "workers_here": Option(opt.boolean, True),
        "match": Option(opt.regex, r"artisan\s+(queue:(work|listen)|horizon:work)\b"),
        "path": Option(opt.text),
    },
    run=check_queue,
    target=lambda options: f"{options['backend']} {', '.join(options['queue'])}",
    component="component",
    fit=_fit,
    measures={
        "size": Measure("jobs"),
        "pending": Measure("jobs", verdict="backlog"),
        "delayed": Measure("jobs"),
        "reserved": Measure("jobs"),
        "expired": Measure("jobs"),
        "overdue": Measure("jobs"),
        "oldest_s": Measure("s", warn=300, verdict="backlog"),
        "rate_per_min": Measure("jobs a minute", lower_is_worse=True),
        "drain_s": Measure("s", verdict="backlog"),
        "failed": Measure("jobs"),
        "failed_new": Measure("jobs", warn=1, fail=10, verdict="failing"),
        "workers": Measure("workers", lower_is_worse=True),
        "worker_rss_mb": Measure("MB"),
        "old_code": Measure("workers"),
    },
)
