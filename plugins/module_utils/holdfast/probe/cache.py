# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kept answer is served, and when somebody is asked anew: the rules, without files or clocks.

The two windows are those of RFC 5861 (stale-while-revalidate and stale-if-error). An answer lives up to a tenth longer
than its TTL, by chance, so that the hosts of a fleet do not ask together for ever.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

from .checks import FAIL, PASS, WARN, Answer, Caching

_JITTER = 0.1
_LONGEST_WISH_S = 3600.0  # a server that wants to be left alone for longer is asked all the same


class Ask(Enum):
    """Whether somebody has to be asked."""

    NOBODY = "nobody"
    BEHIND = "behind"  # by one, while all are served what there is
    NOW = "now"


@dataclass(frozen=True)
class Entry:
    """What is kept of a check: the last good answer, the last bad one, how many bad ones came in a row, and the
    chance, from 0 to 1, that spreads the hosts."""

    good: Answer | None = None
    bad: Answer | None = None
    failures: int = 0
    chance: float = 0.0

    def after(self, answer: Answer) -> Entry:
        """The entry with one more answer."""
        chance = random.random()  # noqa: S311 - it spreads load, it guards nothing
        if answer.outage or answer.status == FAIL:
            return Entry(self.good, answer, self.failures + 1, chance)
        return Entry(answer, None, 0, chance)

    def to_json(self) -> dict[str, Any]:
        """The entry as `from_json` takes it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Entry:
        """Raises TypeError, KeyError or ValueError for what is no entry."""
        good, bad = (_answer(value[side]) if value[side] else None for side in ("good", "bad"))
        return cls(good, bad, int(value["failures"]), float(value["chance"]))


def _answer(value: dict[str, Any]) -> Answer:
    found = Answer(**value)
    if not isinstance(found.output, str) or found.status not in (PASS, WARN, FAIL):
        raise ValueError("an answer has a text and a status")
    numbers = (found.at, found.latency_ms, found.retry_after, *dict(found.values).values())
    if not all(isinstance(number, (int, float)) for number in numbers):
        raise ValueError("an answer's times and values are numbers")
    return found


def decide(entry: Entry, caching: Caching, now: float) -> tuple[Answer | None, Ask]:
    """The answer to serve at `now`, None when there is none, and whether to ask anew."""
    if entry.bad is not None:
        return _after_failure(entry, entry.bad, caching, now)
    if entry.good is None:
        return None, Ask.NOW
    age = now - entry.good.at
    # An answer from the future is a sign of a clock that was set back.
    if 0 <= age < caching.ttl * (1 + _JITTER * entry.chance):
        return _served(entry.good, "hit", now), Ask.NOBODY
    if 0 <= age < caching.ttl * (1 + _JITTER) + caching.stale_while_revalidate:
        return _served(entry.good, "stale", now), Ask.BEHIND
    return None, Ask.NOW


def _after_failure(entry: Entry, bad: Answer, caching: Caching, now: float) -> tuple[Answer | None, Ask]:
    standing_in = stand_in(entry, caching, now)
    age = now - bad.at
    if 0 <= age < _hold(entry, bad, caching):
        return standing_in or _served(bad, "hit", now), Ask.NOBODY
    if standing_in or (bad.outage and 0 <= age < caching.ttl + caching.stale_while_revalidate):
        return standing_in or _served(bad, "stale", now), Ask.BEHIND
    return None, Ask.NOW


def stand_in(entry: Entry, caching: Caching, now: float) -> Answer | None:
    """The older answer that is served in place of an outage. It warns when it is too old to be merely refreshed."""
    good, bad = entry.good, entry.bad
    if good is None or bad is None or not bad.outage:
        return None
    age = now - good.at
    if not 0 <= age < caching.ttl + caching.stale_if_error:
        return None
    old = age >= caching.ttl + caching.stale_while_revalidate
    output = f"{good.output} ({age:.0f} s ago; since then: {bad.output})"
    status = WARN if old and good.status == PASS else good.status
    return replace(_served(good, "stale", now), output=output, status=status, verdict=bad.verdict if old else "")


def _hold(entry: Entry, bad: Answer, caching: Caching) -> float:
    """For how many seconds a failure is not asked about again."""
    wait = min(caching.ttl, caching.failure_ttl * 2.0 ** min(entry.failures - 1, 30))
    return max(wait * (1 + _JITTER * entry.chance), min(bad.retry_after, _LONGEST_WISH_S))


def _served(answer: Answer, how: str, now: float) -> Answer:
    return replace(answer, served=how, age=round(max(0.0, now - answer.at), 3))
