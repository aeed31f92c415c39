# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a Redis server is well, by what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import options as opt
from ..checks import FAIL, PASS, CheckType, Look, Measure, Notes, Option, Seen, Unhealthy
from ..resp import LOGIN_OPTIONS, replies, where

_COUNTERS = {"rejected_new": "rejected_connections", "evicted_new": "evicted_keys"}


def check_redis(look: Look) -> Seen:
    """Ask for INFO and judge it (Redis' documentation, "INFO")."""
    info = _info(replies(look.options, look.deadline, [["INFO"]])[0])
    if info.get("loading") == "1":
        raise Unhealthy("the Redis server is still loading its data", verdict="loading")
    values = {**_shares(info), **_new(info, look.notes)}
    what = f"Redis {info.get('redis_version', 'of an unknown version')}, {info.get('role', 'of an unknown role')}"
    wrong, verdict = _wrong(info)
    if "slave" in what and "master_last_io_seconds_ago" in info and info.get("master_link_status") == "up":
        values["replication_lag_s"] = float(info["master_last_io_seconds_ago"])
    return Seen(f"{wrong} ({what})" if wrong else what, values, FAIL if wrong else PASS, verdict)


def _info(reply: Any) -> dict[str, str]:
    if not isinstance(reply, bytes):
        raise Unhealthy(f"expected INFO to give a text, got {reply!r}")
    lines = (line.partition(":") for line in reply.decode(errors="replace").splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in lines if name}


def _wrong(info: Mapping[str, str]) -> tuple[str, str]:
    """What is wrong whatever the limits are, and the word for it."""
    if info.get("role") == "slave" and info.get("master_link_status") == "down":
        return f"the link to its master {info.get('master_host')} port {info.get('master_port')} is down", "link_down"
    if info.get("rdb_last_bgsave_status") == "err":
        return "its last snapshot could not be saved: is the disk full?", "unsaved"
    if info.get("aof_last_write_status") == "err":
        return "its append-only file could not be written: is the disk full?", "unsaved"
    return "", ""


def _shares(info: Mapping[str, str]) -> dict[str, float]:
    """Percentages of what is limited; old servers do not tell maxclients."""
    found = {}
    for name, used, limit in (
        ("memory_percent", "used_memory", "maxmemory"),
        ("connections_percent", "connected_clients", "maxclients"),
    ):
        if float(info.get(limit, 0)) > 0 and used in info:
            found[name] = round(100 * float(info[used]) / float(info[limit]), 1)
    return found


def _new(info: Mapping[str, str], notes: Notes) -> dict[str, float]:
    """By how much counters grew since the last look; nothing at the first. They start anew with the server."""
    before = notes.read()
    now = {name: int(info[counter]) for name, counter in _COUNTERS.items() if counter in info}
    run = info.get("run_id", "")
    notes.write({"run": run, **now})
    if "run" not in before:
        return {}
    return {name: count - (before.get(name, 0) if before["run"] == run else 0) for name, count in now.items()}


REDIS = CheckType(
    options={**LOGIN_OPTIONS, "database": Option(opt.integer, 0)},
    run=check_redis,
    target=where,
    component="datastore",
    measures={
        "memory_percent": Measure("%", warn=80, fail=95),
        "connections_percent": Measure("%", warn=80, fail=95),
        "rejected_new": Measure("connections", warn=1),
        "evicted_new": Measure("keys"),
        "replication_lag_s": Measure("s", warn=30),
    },
)
