# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How checks stood in the last day: a bounded history in one file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..files import write_atomic
from .checks import PASS, RANK, Result

BUCKET_S = 900
BUCKETS = 96  # of 15 minutes: a day


@dataclass
class Bucket:
    """15 minutes of a check: its worst status, how often it was looked at, and the latencies' sum in ms."""

    status: str
    looks: int
    latency_sum: float

    @property
    def latency_ms(self) -> float:
        """The mean latency."""
        return self.latency_sum / self.looks

    def add(self, status: str, latency_ms: float) -> None:
        """One more look."""
        self.status = max(self.status, status, key=RANK.__getitem__)
        self.looks += 1
        self.latency_sum += latency_ms


class History:
    """Buckets by the check's name and the bucket's number, which is the time of day by BUCKET_S."""

    def __init__(self) -> None:
        self._checks: dict[str, dict[int, Bucket]] = {}

    @classmethod
    def load(cls, path: Path) -> History:
        """The history in a file; an empty one when there is none that can be read."""
        history = cls()
        try:
            found = json.loads(path.read_bytes())
            history._checks = {
                str(name): {int(number): _bucket(*value) for number, value in buckets.items()}
                for name, buckets in found.items()
            }
        except (OSError, ValueError, TypeError, AttributeError):
            history._checks = {}
        return history

    def save(self, path: Path) -> None:
        """Write it as a whole. Raises OSError."""
        plain = {
            name: {number: [one.status, one.looks, round(one.latency_sum, 1)] for number, one in buckets.items()}
            for name, buckets in self._checks.items()
        }
        write_atomic(path, json.dumps(plain, separators=(",", ":")).encode(), 0o600)

    def add(self, results: Sequence[Result], now: float) -> None:
        """One more look at `now`, in seconds since 1970. What is older than a day goes."""
        number = int(now // BUCKET_S)
        for result in results:
            buckets = self._checks.setdefault(result.name, {})
            buckets.setdefault(number, Bucket(PASS, 0, 0.0)).add(result.status, result.latency_ms)
        # What is in the future was written before the clock was set back.
        kept = {
            name: {one: bucket for one, bucket in buckets.items() if number - BUCKETS < one <= number}
            for name, buckets in self._checks.items()
        }
        self._checks = {name: buckets for name, buckets in kept.items() if buckets}

    def day(self, name: str, now: float) -> list[tuple[float, Bucket | None]]:
        """When each of the last 96 buckets of a check began, in seconds since 1970, and the bucket; oldest first."""
        last = int(now // BUCKET_S)
        buckets = self._checks.get(name, {})
        return [(number * BUCKET_S, buckets.get(number)) for number in range(last - BUCKETS + 1, last + 1)]


def _bucket(status: str, looks: int, latency_sum: float) -> Bucket:
    if status not in RANK or int(looks) < 1:
        raise ValueError(f"no bucket: {status!r}, {looks!r}")
    return Bucket(status, int(looks), float(latency_sum))
