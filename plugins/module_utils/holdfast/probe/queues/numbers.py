# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of queues, as measures and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..workers import Worker
from .sight import Sight


def counted(sight: Sight) -> dict[str, float]:
    """The jobs of all queues together; ages in seconds."""
    queues = sight.queues
    values: dict[str, float] = {
        name: sum(getattr(one, name) for one in queues)
        for name in ("size", "pending", "delayed", "reserved", "expired", "overdue")
    }
    ages = [one.oldest_s for one in queues if one.oldest_s is not None]
    if ages:
        values["oldest_s"] = round(max(ages), 1)
    if sight.failed is not None:
        values["failed"] = sight.failed.total
        if sight.failed.new is not None:
            values["failed_new"] = sight.failed.new
    return values


def counted_workers(workers: Sequence[Worker] | None, old: Sequence[str]) -> dict[str, float]:
    """The workers, the largest one's memory in MB, and how many of them run an `old` release."""
    if workers is None:
        return {}
    return {
        "workers": len(workers),
        "worker_rss_mb": round(max((one.rss for one in workers), default=0) / 1e6, 1),
        "old_code": len(old),
    }


def rates(sight: Sight, before: Mapping[str, Any], now: float) -> dict[str, float]:
    """The jobs done a minute since the last look, at least, and the seconds in which the waiting ones would be."""
    took = now - before.get("at", now)
    done = _done(sight, before)
    if took <= 0 or done is None:
        return {}
    found = {"rate_per_min": round(60 * done / took, 1)}
    pending = sum(one.pending for one in sight.queues)
    if done and pending:
        found["drain_s"] = round(pending * took / done, 1)
    return found


def _done(sight: Sight, before: Mapping[str, Any]) -> int | None:
    """The jobs done since the last look: as counted, as their numbers tell, or as the queues have become shorter."""
    counted = before.get("throughput")
    if sight.throughput is not None and counted is not None:
        return sight.throughput - (counted if counted <= sight.throughput else 0)
    known = before.get("queues", {})
    if any(one.name not in known for one in sight.queues):
        return None
    return sum(max(0, known[one.name]["size"] - one.size) if one.done is None else one.done for one in sight.queues)


def summary(values: Mapping[str, float]) -> str:
    """The numbers in words."""
    parts = [f"{values['pending']:.10g} waiting"]
    if values["pending"] and "oldest_s" in values:
        parts[0] += f", the first for {values['oldest_s']:.0f} s"
    parts.append(f"{values['reserved']:.10g} in work")
    parts.append(f"{values['delayed']:.10g} for later")
    if "workers" in values:
        parts.append("1 worker" if values["workers"] == 1 else f"{values['workers']:.10g} workers")
    if "rate_per_min" in values:
        parts.append(f"at least {values['rate_per_min']:.10g} done a minute")
    if "drain_s" in values:
        parts.append(f"all of it done in {values['drain_s']:.0f} s at this rate")
    if values.get("failed"):
        parts.append(f"{values['failed']:.10g} failed")
    return ", ".join(parts)
