# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Laravel's queues in a table of a database (Illuminate Queue DatabaseQueue, Laravel 5 to 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..databases import Session, connected
from ..deadline import Deadline
from .sight import Failed, Moment, Sight
from .verdict import Counts

_WAITING = "reserved_at IS NULL AND available_at <= {now}"


def look_at(options: Mapping[str, Any], deadline: Deadline, moment: Moment) -> Sight:
    """The queues, with one query for jobs and one for failed jobs. Raises Unhealthy or TimeoutError."""
    with connected(options["engine"], options, deadline) as session:
        queues, last = _jobs(session, options, moment)
        return Sight(queues, failed_jobs(session, options["engine"], options, moment), last)


def _jobs(session: Session, options: Mapping[str, Any], moment: Moment) -> tuple[list[Counts], int]:
    names = options["queue"]
    query = (
        f"SELECT queue, {', '.join(_columns(moment))} FROM {_quoted(options['engine'], options['jobs_table'])}"
        f" WHERE queue IN ({', '.join(['%s'] * len(names))}) GROUP BY queue"
    )
    rows = {str(row[0]): row[1:] for row in session.rows(query, names)}
    last = max([int(row[-1]) for row in rows.values()], default=0)
    return [_counts(name, rows.get(name), moment) for name in names], max(last, moment.note.get("last", 0))


def _columns(moment: Moment) -> list[str]:
    """What is asked for each queue; _counts takes it apart in this order."""
    now, last = int(moment.now), int(moment.note.get("last", 0))
    waiting = _WAITING.format(now=now)
    expired = f"reserved_at <= {int(moment.now - moment.retry_after)}"
    # A worker may take a job in the very second in which it began.
    orphaned = f"reserved_at < {int(moment.began)}"
    sums = [
        waiting,
        f"reserved_at IS NULL AND available_at > {now}",
        "reserved_at IS NOT NULL",
        expired,
        f"reserved_at IS NULL AND available_at <= {int(moment.now - moment.stalled_after)}",
        orphaned,
        f"id <= {last}",
        f"id <= {last} AND {waiting}",
        f"id > {last} AND attempts > 0 AND reserved_at IS NULL",
    ]
    return [
        *(f"SUM(CASE WHEN {one} THEN 1 ELSE 0 END)" for one in sums),
        f"MIN(CASE WHEN {waiting} THEN available_at END)",
        f"MAX(CASE WHEN {orphaned} THEN attempts END)",
        "MAX(reserved_at)",
        "MAX(id)",
    ]


def _counts(name: str, row: Sequence[Any] | None, moment: Moment) -> Counts:
    """A queue's numbers.

    Jobs are done in the order of their ids and then deleted; one that is tried again gets a new id and keeps its
    attempts. So those done are what there was at the last look, less what is left of it, less what came back.
    """
    numbers = [0] * 9 + [None, None, None] if row is None else [None if one is None else int(one) for one in row]
    pending, delayed, reserved, expired, overdue, orphaned, left, left_waiting, back = (one or 0 for one in numbers[:9])
    due, attempts, newest = numbers[9:12]
    before = moment.note.get("queues", {}).get(name)
    return Counts(
        name=name,
        pending=pending,
        delayed=delayed,
        reserved=reserved,
        expired=expired,
        overdue=overdue,
        oldest_s=0.0 if due is None else max(0.0, moment.now - due),
        orphaned=orphaned,
        attempts=attempts or 0,
        newest=newest,
        done=None if before is None else max(0, before["size"] - left - back),
        exact=left_waiting > 0,
    )


def failed_jobs(session: Session, engine: str, options: Mapping[str, Any], moment: Moment) -> Failed | None:
    """The failed jobs of the queues; None when no table is named."""
    if not options["failed_table"]:
        return None
    names, before = options["queue"], moment.note.get("failed")
    query = (
        f"SELECT COUNT(*), SUM(CASE WHEN id > {int(before or 0)} THEN 1 ELSE 0 END), MAX(id)"
        f" FROM {_quoted(engine, options['failed_table'])} WHERE queue IN ({', '.join(['%s'] * len(names))})"
    )
    total, new, last = (int(one or 0) for one in session.rows(query, names)[0])
    return Failed(total, None if before is None else new, max(last, before or 0))


def _quoted(engine: str, table: str) -> str:
    """A table's name, with its schema where it has one."""
    mark = "`" if engine == "mysql" else '"'
    return ".".join(f"{mark}{part}{mark}" for part in table.split("."))
