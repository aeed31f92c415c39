# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an application takes each webhook once: by its table's key, and by sending it one many times at once."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPException
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ...errors import HoldfastError
from ...webhooks.keys import COLUMNS, DIALECTS, Found, look_at
from ...webhooks.stripe import sign
from .. import options as opt
from ..checks import FAIL, PASS, WARN, CheckType, Look, Measure, Option, Seen, Unhealthy
from ..databases import ENGINES, LOGIN_OPTIONS, Session, connected
from ..deadline import Deadline, TimedSocket, connect, why
from ..web import port_of, secured, send

_EVENT_TYPE = "holdfast.test"
_MOST_DELIVERIES = 64
_SHARE = 0.75  # of the time that is left, for the deliveries; then the row is looked for, and removed


def check_webhook_idempotency(look: Look) -> Seen:
    """Look for the unique key and, without one, for duplicates; with `deliver`, send one event many times at once."""
    options = look.options
    with connected(options["engine"], options, look.deadline) as session:
        found = _look_at(session, options)
    values = {"duplicates": float(found.duplicates), "nulls": float(found.nulls)}
    if found.key is None:
        near = f"; {'; '.join(found.short)}" if found.short else ""
        said = f"expected a unique key on {_listed(found)} of {found.table.name}, there is none{near}"
        return Seen(f"{said}; {found.duplicates} duplicates", values, FAIL, "unguarded")
    said = f"{found.key.name} of {found.table.name} keeps duplicates out"
    if not options["deliver"]:
        return Seen(said, values)
    return _deliver(look, found, values)


def _look_at(session: Session, options: Mapping[str, Any]) -> Found:
    try:
        return look_at(session.rows, DIALECTS[options["engine"]], options["table"], options["columns"])
    except HoldfastError as error:
        raise Unhealthy(str(error).rstrip(".")) from error


def _listed(found: Found) -> str:
    return f"({', '.join(found.columns)})"


def _deliver(look: Look, found: Found, values: Mapping[str, float]) -> Seen:
    """Send one event many times at once, and want one row of it, which is removed again."""
    options = look.options
    event = "evt_holdfast_" + secrets.token_hex(12)
    body = _event(event, int(look.now))
    header = sign(body, options["signing_secret"], int(look.now))
    answers = _send_all(options, Deadline(look.deadline.left() * _SHARE), body, header)
    with connected(options["engine"], options, look.deadline) as session:
        rows = int(_on_rows(session, options, found, event, "SELECT COUNT(*)")[0][0])
        by_id = replace(found, columns=found.columns[-1:])  # no index may have it, so this is asked second
        others = 0 if rows else int(_on_rows(session, options, by_id, event, "SELECT COUNT(*)")[0][0])
    left = _remove(look, found if rows else by_id, event) if rows + others else ""
    _insist(answers, event, rows + others, left)
    said = f"of {len(answers)} deliveries of one event at once one was kept"
    if others:
        left = f", not as one of {options['provider']}: set provider to what the application writes{left}"
    return Seen(said + left, values, WARN if left else PASS)


def _event(event: str, now: int) -> bytes:
    """An event as Stripe sends one (https://docs.stripe.com/api/events/object), of a type that nobody handles."""
    content = {"id": event, "object": "event", "created": now, "livemode": False, "type": _EVENT_TYPE}
    return json.dumps({**content, "data": {"object": {}}, "pending_webhooks": 1, "request": None}).encode()


def _insist(answers: list[str], event: str, rows: int, left: str) -> None:
    seen = Counter(answers)
    other = {answer: count for answer, count in seen.items() if not answer.startswith("2")}
    if other:
        listed = ", ".join(f"{count} of {answer}" for answer, count in other.items())
        taken = len(answers) - sum(other.values())
        said = f"expected {len(answers)} answers of 2xx, got {taken}, and {listed}; rows of the event: {rows}"
        if rows and taken:
            said += ": one that comes again must be answered with 2xx too, or it is sent for days"
        raise Unhealthy(said + left, verdict="refused")
    if not rows:
        said = f"expected 1 row of the event that was delivered, found none: is {event} stored later, or elsewhere?"
        raise Unhealthy(said, verdict="lost")


def _on_rows(
    session: Session, options: Mapping[str, Any], found: Found, event: str, what: str
) -> list[tuple[Any, ...]]:
    """Carry out a statement, given by how it begins, for the rows of our event."""
    # A percent sign in a name would stand for a value (PEP 249, paramstyle format).
    quote = DIALECTS[options["engine"]].quote
    names = [quote(column).replace("%", "%%") for column in found.columns]
    wanted = [options["provider"], event][-len(names) :]
    conditions = " AND ".join(f"{name} = %s" for name in names)
    return session.rows(f"{what} FROM {found.table.sql.replace('%', '%%')} WHERE {conditions}", wanted)


def _remove(look: Look, found: Found, event: str) -> str:
    """Remove our event's rows; in words why they are still there, where they are."""
    try:
        with connected(look.options["engine"], look.options, look.deadline, writing=True) as session:
            _on_rows(session, look.options, found, event, "DELETE")
    except (Unhealthy, TimeoutError) as error:
        return f"; the row of {event} is left: {error}"
    return ""


def _send_all(options: Mapping[str, Any], deadline: Deadline, body: bytes, header: str) -> list[str]:
    """What came of sending the same many times at once: statuses, or why there is none.

    All are connected before the first is sent. Raises Unhealthy when one is not.
    """
    parts = urlsplit(options["url"])
    headers = {"Content-Type": "application/json", "Stripe-Signature": header}
    sockets: list[TimedSocket] = []
    try:
        for _ in range(options["deliveries"]):
            sockets.append(connect(str(parts.hostname), port_of(parts), deadline))
        with ThreadPoolExecutor(len(sockets)) as pool:
            return list(pool.map(lambda one: _send(parts, one, body, headers), sockets))
    except OSError as error:
        raise Unhealthy(f"no connection to {options['url']}: {why(error)}", outage=True) from error
    finally:
        for one in sockets:
            one.close()


def _send(parts: SplitResult, connection: TimedSocket, body: bytes, headers: Mapping[str, str]) -> str:
    """Send over a connection; the status, or in words why there is none: a finding about one delivery of many."""
    try:
        with secured(connection, parts, headers) as channel:
            return str(send(channel, "POST", parts, headers, body).status)
    except (OSError, HTTPException, ValueError) as error:
        return f"no answer: {why(error)}"


def _deliveries(value: Any) -> int:
    count = opt.integer(value)
    if not 2 <= count <= _MOST_DELIVERIES:
        raise ValueError(f"must be between 2 and {_MOST_DELIVERIES}")
    return count


def _fit(options: Mapping[str, Any]) -> None:
    missing = [name for name in ("url", "signing_secret") if not options[name]]
    if options["deliver"] and missing:
        raise ValueError(f"needs {' and '.join(missing)} to deliver")
    if options["deliver"] and len(options["columns"]) > 2:
        raise ValueError("delivers where columns are those of a provider and an id, or of an id alone")


WEBHOOK_IDEMPOTENCY = CheckType(
    options={
        "engine": Option(opt.choice(*ENGINES), required=True),
        **LOGIN_OPTIONS,
        "table": Option(opt.text, required=True),
        "columns": Option(opt.texts, COLUMNS),
        "deliver": Option(opt.boolean, False),
        "url": Option(opt.url),
        "signing_secret": Option(opt.text, secret=True),
        "deliveries": Option(_deliveries, 16),
        "provider": Option(opt.text, "stripe"),
    },
    run=check_webhook_idempotency,
    target=lambda options: f"{options['engine']} {options['database']} {options['table']}",
    component="datastore",
    measures={"duplicates": Measure(fail=1), "nulls": Measure()},
    may_change=lambda options: bool(options["deliver"]),
    fit=_fit,
)
