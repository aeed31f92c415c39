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

_LOOKED_AT = 100_000  # jobs of a queue, for more than their number


def look_at(options: Mapping[str, Any], deadline: Deadline, moment: Moment) -> Sight:
    """The queues, with one query for jobs and one for failed jobs. Raises Unhealthy or TimeoutError."""
    with connected(options["engine"], options, deadline) as session:
        queues, last = _jobs(session, options, moment)
        return Sight(queues, failed_jobs(session, options["engine"], options, moment), last)


def _jobs(session: Session, options: Mapping[str, Any], moment: Moment) -> tuple[list[Counts], int]:
    names, table = options["queue"], _quoted(options["engine"], options["jobs_table"])
    query = " UNION ALL ".join(_query(at, table, moment) for at in range(len(names)))
    rows = session.rows(query, [name for name in names for _ in range(2)])
    found = [[None if one is None else int(one) for one in row] for row in sorted(rows)]
    last = max(row[_LAST] or 0 for row in found)
    return [_counts(name, row, moment) for name, row in zip(names, found)], max(last, moment.note.get("last", 0))


def _query(at: int, table: str, moment: Moment) -> str:
    """What is asked for one queue; _counts takes it apart in this order.

    The only index is by queue. It has what there is to count over all jobs; for the rest, jobs must be read.
    """
    now, last = int(moment.now), int(moment.note.get("last", 0))
    waiting = f"reserved_at IS NULL AND available_at <= {now}"
    # A worker may take a job in the very second in which it began.
    orphaned = f"reserved_at < {int(moment.began)}"
    columns = [
        _sum("reserved_at IS NOT NULL"),
        _sum(f"reserved_at IS NULL AND available_at > {now}"),
        _sum(f"reserved_at <= {int(moment.now - moment.retry_after)}"),
        _sum(f"reserved_at IS NULL AND available_at <= {int(moment.now - moment.stalled_after)}"),
        _sum(orphaned),
        _sum(f"id <= {last} AND {waiting}"),
        _sum(f"id > {last} AND attempts > 0 AND reserved_at IS NULL"),
        f"MIN(CASE WHEN {waiting} THEN available_at END)",
        f"MAX(CASE WHEN {orphaned} THEN attempts END)",
        "MAX(reserved_at)",
    ]
    named = ", ".join(f"{column} AS c{number}" for number, column in enumerate(columns))
    return (
        f"SELECT {at}, a.*, b.* FROM"
        f" (SELECT COUNT(*) AS size, {_sum(f'id <= {last}')} AS rest, MAX(id) AS last FROM {table} WHERE queue = %s) a,"
        f" (SELECT {named} FROM (SELECT id, attempts, reserved_at, available_at FROM {table} WHERE queue = %s"
        f" ORDER BY id LIMIT {_LOOKED_AT}) c) b"
    )


_LAST = 3  # where MAX(id) is in a row of it


def _sum(condition: str) -> str:
    return f"SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)"


def _counts(name: str, row: Sequence[int | None], moment: Moment) -> Counts:
    """A queue's numbers. Jobs that are too many to look at count as waiting.

    Jobs are done in the order of their ids and then deleted; one that is tried again gets a new id and keeps its
    attempts. So those done are what there was at the last look, less what is left of it, less what came back.
    """
    size, left, _, reserved, delayed, expired, overdue, orphaned, left_waiting, back = (one or 0 for one in row[1:11])
    due, attempts, newest = row[11:]
    before = moment.note.get("queues", {}).get(name)
    return Counts(
        queue=name,
        name=name,
        pending=size - delayed - reserved,
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
    return Failed(total, None if before is None else new, last)  # who empties the table may begin anew with 1


def _quoted(engine: str, table: str) -> str:
    """A table's name, with its schema where it has one."""
    mark = "`" if engine == "mysql" else '"'
    return ".".join(f"{mark}{part}{mark}" for part in table.split("."))
