# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Laravel's queues in Redis (Illuminate Queue RedisQueue and LuaScripts, Laravel 5 to 13; Horizon).

A queue is a list `queues:NAME` of jobs that could be done now, a sorted set `queues:NAME:delayed` by when they are due,
and a sorted set `queues:NAME:reserved` by when they may be taken again. Only workers move jobs among them.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..databases import connected
from ..deadline import Deadline
from ..resp import replies
from .database import failed_jobs
from .sight import Failed, Moment, Sight
from .verdict import Counts

_LINES = 11  # commands for one queue


def look_at(options: Mapping[str, Any], deadline: Deadline, moment: Moment) -> Sight:
    """The queues, in one round trip, and the failed jobs where their database is given.

    Raises Unhealthy or TimeoutError.
    """
    keys = [(name, f"{prefix}queues:{name}") for prefix in _prefixes(options) for name in options["queue"]]
    commands = [command for _, key in keys for command in _commands(key, moment)]
    counters = [("HGET", f"{_horizon(options)}queue:{name}", "throughput") for name in options["queue"]]
    found = replies({**options, "database": int(options["database"] or 0)}, deadline, [*commands, *counters])
    queues = [_counts(*key, found[at * _LINES : (at + 1) * _LINES], moment) for at, key in enumerate(keys)]
    counted = [int(one) for one in found[len(commands) :] if one is not None]
    return Sight(queues, _failed(options, deadline, moment), throughput=sum(counted) if counted else None)


def _failed(options: Mapping[str, Any], deadline: Deadline, moment: Moment) -> Failed | None:
    """Failed jobs are in a database, whatever the queue's backend is (Laravel's manual, "Queues")."""
    if options["failed_engine"] is None:
        return None
    login = {name[len("failed_") :]: value for name, value in options.items() if name.startswith("failed_")}
    with connected(options["failed_engine"], login, deadline) as session:
        return failed_jobs(session, options["failed_engine"], options, moment)


def _prefixes(options: Mapping[str, Any]) -> list[str]:
    """What the application puts before keys: what is given, or the defaults of Laravel until 12, and from 13 on."""
    if options["prefix"] is not None or options["app_name"] is None:
        return [options["prefix"] or ""]
    return [slug(options["app_name"], "_") + "_database_", slug(options["app_name"], "-") + "-database-"]


def _horizon(options: Mapping[str, Any]) -> str:
    """What Horizon puts before its keys, as given or by default; under `queue:NAME` it counts the jobs that went well.

    It begins anew at each `horizon:snapshot` (Horizon, RedisMetricsRepository).
    """
    if options["horizon_prefix"] is not None or options["app_name"] is None:
        return options["horizon_prefix"] or "horizon:"
    return slug(options["app_name"], "_") + "_horizon:"


def slug(title: str, separator: str) -> str:
    """A name as Laravel makes it for keys (Str::slug); other letters than Latin ones are left out."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    plain = plain.replace("_" if separator == "-" else "-", separator).replace("@", f"{separator}at{separator}")
    plain = re.sub(rf"[^{separator}a-z0-9\s]+", "", plain)
    return re.sub(rf"[{separator}\s]+", separator, plain).strip(separator)


def _commands(key: str, moment: Moment) -> Iterator[Sequence[object]]:
    """What is asked for one queue; _counts takes it apart in this order."""
    now, delayed, reserved = int(moment.now), f"{key}:delayed", f"{key}:reserved"
    # A worker may take a job in the very second in which it began.
    orphaned = int(moment.began) - 1 + int(moment.retry_after)
    yield "LLEN", key
    yield "LINDEX", key, 0
    yield "ZCARD", delayed
    yield "ZCOUNT", delayed, "-inf", now
    yield "ZCOUNT", delayed, "-inf", int(moment.now - moment.stalled_after)
    yield "ZRANGE", delayed, 0, 0, "WITHSCORES"
    yield "ZCARD", reserved
    yield "ZCOUNT", reserved, "-inf", now
    yield "ZCOUNT", reserved, "-inf", orphaned
    yield "ZRANGEBYSCORE", reserved, "-inf", orphaned, "LIMIT", 0, 1
    yield "ZRANGE", reserved, -1, -1, "WITHSCORES"


def _counts(name: str, key: str, found: Sequence[Any], moment: Moment) -> Counts:
    listed, head, delayed, due, overdue, first, reserved, expired, orphaned, orphan, last = found
    ages = [age for age in (_age(head, moment.now), moment.now - float(first[1]) if due else None) if age is not None]
    return Counts(
        queue=name,
        name=key,
        pending=listed + due,
        delayed=delayed - due,
        reserved=reserved,
        expired=expired,
        overdue=overdue,
        oldest_s=max(ages) if ages else (None if listed else 0.0),
        orphaned=orphaned,
        attempts=_attempts(_payload(orphan[0])) if orphan else 0,
        head=None if head is None else hashlib.blake2b(head, digest_size=16).hexdigest(),
        newest=float(last[1]) - moment.retry_after if last else None,
    )


def _age(job: bytes | None, now: float) -> float | None:
    """For how many seconds a job has been due, as far as it tells.

    Horizon notes when it was pushed, Laravel since 12.11 when it was created; the delay that it was pushed with comes
    on top. One that is tried again tells only of its first time.
    """
    payload = {} if job is None else _payload(job)
    pushed = payload.get("pushedAt", payload.get("createdAt"))
    try:
        if pushed is None or _attempts(payload) > 0:
            return None
        return max(0.0, now - float(pushed) - float(payload.get("delay") or 0))
    except (TypeError, ValueError, OverflowError):
        return None


def _attempts(payload: Mapping[str, Any]) -> int:
    """How often a job was taken; 0 where it does not tell."""
    found = payload.get("attempts")
    return found if isinstance(found, int) else 0


def _payload(job: bytes) -> dict[str, Any]:
    try:
        found = json.loads(job)
    except (ValueError, RecursionError):  # other programs put what they like into a list
        return {}
    return found if isinstance(found, dict) else {}
