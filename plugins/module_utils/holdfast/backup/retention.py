# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of many points in time to keep: the rules of restic's `forget`, over timestamps and nothing else.

https://restic.readthedocs.io/en/stable/060_forget.html#removing-snapshots-according-to-a-policy
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta

from ..errors import InvalidInput

_PART = re.compile(r"(\d+)([ymdh])")


@dataclass(frozen=True)
class Duration:
    """Calendar years and months, days and hours; written as in `1y6m7d12h`."""

    y: int = 0
    m: int = 0
    d: int = 0
    h: int = 0

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read one. Raises InvalidInput."""
        found = _PART.findall(text)
        units = [unit for _, unit in found]
        if not found or "".join(number + unit for number, unit in found) != text or len(set(units)) < len(units):
            raise InvalidInput(
                f"{text!r} is not a duration: write it like 7d, 12h or 1y6m (years, months, days, hours)."
            )
        return cls(**{unit: int(number) for number, unit in found})

    def before(self, time: datetime) -> datetime:
        """The moment that long before `time`; a day that its month does not have is counted on into the next one."""
        months = time.year * 12 + time.month - 1 - self.y * 12 - self.m
        if months < 12:
            return datetime.min.replace(tzinfo=time.tzinfo)
        first = time.replace(year=months // 12, month=months % 12 + 1, day=1)
        try:
            return first + timedelta(days=time.day - 1 - self.d, hours=-self.h)
        except OverflowError:
            return datetime.min.replace(tzinfo=time.tzinfo)

    def __str__(self) -> str:
        return "".join(f"{getattr(self, one.name)}{one.name}" for one in fields(self) if getattr(self, one.name))


@dataclass(frozen=True)
class Policy:
    """How many to keep of each kind, -1 for all of them, and for how long before the newest one."""

    keep_last: int = 0
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0
    keep_within: Duration = Duration()
    keep_within_hourly: Duration = Duration()
    keep_within_daily: Duration = Duration()
    keep_within_weekly: Duration = Duration()
    keep_within_monthly: Duration = Duration()
    keep_within_yearly: Duration = Duration()


# For each kind, what all points in time of one period have in common.
_PERIODS = {
    "hourly": "%Y%m%d%H",
    "daily": "%Y%m%d",
    "weekly": "%G%V",
    "monthly": "%Y%m",
    "yearly": "%Y",
}


@dataclass
class _Bucket:
    """One rule at work, going back in time: it wants the newest of each period, and the oldest of all."""

    reason: str
    period: str  # a format of strftime, "" when each point in time is a period of its own
    left: int  # how many it wants still, -1 for any number
    since: datetime | None = None
    last: str | None = field(default=None, init=False)

    def reason_for(self, time: datetime, nr: int, *, oldest: bool) -> str | None:
        """Why it keeps this one; None when it does not."""
        if self.left == 0 or (self.since is not None and time <= self.since):
            return None
        value = time.strftime(self.period) if self.period else str(nr)
        again = value == self.last
        if again and not oldest:
            return None
        self.last = value
        if self.left > 0:
            self.left -= 1
        return f"oldest {self.reason}" if again else self.reason


def _buckets(policy: Policy, latest: datetime) -> list[_Bucket]:
    kinds = {"last": "", **_PERIODS}
    buckets = [_Bucket(kind, period, getattr(policy, f"keep_{kind}")) for kind, period in kinds.items()]
    for kind, period in {"": "", **{f"_{kind}": period for kind, period in _PERIODS.items()}}.items():
        duration: Duration = getattr(policy, f"keep_within{kind}")
        if duration != Duration():
            reason = f"{kind[1:]} within {duration}".strip()
            buckets.append(_Bucket(reason, period, -1, duration.before(latest)))
    return buckets


def reasons_to_keep(times: Sequence[datetime], policy: Policy, now: datetime) -> list[list[str]]:
    """For each point in time, in UTC and in any order, why the policy keeps it; an empty list when it does not.

    Durations count back from the newest point in time that is not after `now`.
    """
    latest = max((time for time in times if time <= now), default=now)
    buckets = _buckets(policy, latest)
    newest_first = sorted(range(len(times)), key=lambda index: times[index], reverse=True)
    reasons: list[list[str]] = [[] for _ in times]
    for nr, index in enumerate(newest_first):
        oldest = nr == len(times) - 1
        found = (bucket.reason_for(times[index], nr, oldest=oldest) for bucket in buckets)
        reasons[index] = [reason for reason in found if reason]
    return reasons
