# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one look at a queue's backend gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .verdict import Counts


@dataclass(frozen=True)
class Moment:
    """When a look is, and what it goes by: times in seconds since 1970, limits in seconds.

    `began` is when the oldest of the workers here did, 0 without any. `note` is what Sight.note gave at the last look.
    """

    now: float
    began: float
    retry_after: float
    stalled_after: float
    note: Mapping[str, Any]


@dataclass(frozen=True)
class Failed:
    """Failed jobs: all that are kept, those that are new since the last look, None at the first, and the last one."""

    total: int
    new: int | None
    last: int


@dataclass(frozen=True)
class Sight:
    """The queues, the failed jobs where they are known, and the number of the last job that was given one.

    `throughput` counts jobs that went well, where somebody counts them, from some moment on.
    """

    queues: Sequence[Counts]
    failed: Failed | None
    last: int = 0
    throughput: int | None = None

    def note(self, now: float, before: Mapping[str, Any]) -> dict[str, Any]:
        """What the next look needs; `before` is the last such note, or empty."""
        return {
            "at": now,
            "last": self.last,
            "throughput": self.throughput,
            "failed": None if self.failed is None else self.failed.last,
            "queues": {one.name: _noted(one, now, before.get("queues", {}).get(one.name)) for one in self.queues},
        }


def _noted(queue: Counts, now: float, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """A queue's note. A next job that is the same as before keeps the time `since` when it is."""
    since = before["since"] if before is not None and before["head"] == queue.head else now
    return {"size": queue.size, "head": queue.head, "newest": queue.newest, "since": since}
