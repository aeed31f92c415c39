# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a health check is made of: types with their options, a check, its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..lines import plain
from .deadline import Deadline

PASS, WARN, FAIL = "pass", "warn", "fail"
RANK = {PASS: 0, WARN: 1, FAIL: 2}  # the higher, the worse
DEFAULT_TIMEOUT_S = 5.0

_EXCERPT = 200
_CUT = "..."
_STARS = "*" * 8
_SHORTEST_PART = 4  # what less of a secret gives away is nothing


class Unhealthy(Exception):
    """What was expected and what was seen instead, as one sentence without a full stop.

    `verdict` is a word for it where there is one, such as `stalled`. An `outage` is a failure to get any answer, for
    which an older answer may stand in; what a healthy server refuses is none. `retry_after` is how many seconds the
    server wants to be left alone.
    """

    def __init__(
        self, said: str, *, status: str = FAIL, verdict: str = "", outage: bool = False, retry_after: float = 0.0
    ) -> None:
        super().__init__(said)
        self.status = status
        self.verdict = verdict
        self.outage = outage
        self.retry_after = retry_after


@dataclass(frozen=True)
class Option:
    """One option of a check.

    `convert` returns the value as the probe wants it, and raises ValueError with what it must be.
    The value of a `secret` option is never shown.
    """

    convert: Callable[[Any], Any]
    default: Any = None
    required: bool = False
    secret: bool = False


@dataclass(frozen=True)
class Measure:
    """A number that a type finds out. The check warns, or fails, when the number is at its limit or worse.

    Higher is worse unless it says otherwise. `warn` and `fail` are the limits when the operator gives none. `verdict`
    is a word for a number that has reached one.
    """

    unit: str = ""
    warn: float | None = None
    fail: float | None = None
    lower_is_worse: bool = False
    verdict: str = ""

    def reached(self, value: float, limit: float | None) -> bool:
        """Whether a value is at a limit or worse."""
        return limit is not None and (value <= limit if self.lower_is_worse else value >= limit)


LATENCY = {"latency_ms": Measure("ms")}  # what every type measures


@dataclass(frozen=True)
class Seen:
    """What a probe found: a sentence, and values by the names of its type's measures.

    `status` is for what is no matter of a limit. `verdict` is a word for what is wrong, such as `stalled`.
    """

    output: str
    values: Mapping[str, float] = field(default_factory=dict)
    status: str = PASS
    verdict: str = ""


class Notes(Protocol):
    """What a check noted for its next look, as JSON takes it. Nothing secret may be in it."""

    def read(self) -> dict[str, Any]:
        """The last note, or an empty one."""

    def write(self, note: Mapping[str, Any]) -> None:
        """Note something; that it cannot be written is no failure of the check."""


@dataclass(frozen=True)
class Look:
    """One look of a check: its options, each with its value or default, the time it has, and the notes it made.

    `now` is the time of day in seconds since 1970, for ages and rates.
    """

    options: Mapping[str, Any]
    deadline: Deadline
    notes: Notes
    now: float


@dataclass(frozen=True)
class CheckType:
    """A kind of check.

    `run` returns what it found good, and raises Unhealthy or TimeoutError. `target` gives what the check looks at,
    for its name. `measures` are the numbers that can have limits. `component` is its componentType in health+json.
    `ttl` is for how many seconds an answer is good. A check whose options `may_change` something is not run in a dry
    run. `fit` raises ValueError with what is wrong with options that are right each for itself.
    """

    options: Mapping[str, Option]
    run: Callable[[Look], Seen]
    target: Callable[[Mapping[str, Any]], str]
    component: str
    measures: Mapping[str, Measure] = field(default_factory=dict)
    ttl: float = 0.0
    may_change: Callable[[Mapping[str, Any]], bool] = lambda options: False
    fit: Callable[[Mapping[str, Any]], None] = lambda options: None

    @property
    def all_measures(self) -> dict[str, Measure]:
        """Its measures, and that of every type."""
        return {**LATENCY, **self.measures}


@dataclass(frozen=True)
class Caching:
    """For how many seconds answers are good, each from the moment it was got.

    After `ttl` an answer is served for `stale_while_revalidate` more while somebody asks anew, and for
    `stale_if_error` when nobody answers. A failure is asked about again after `failure_ttl`, twice as long after each
    further one, up to `ttl`. With a `ttl` of 0 nothing is kept.
    """

    ttl: float
    failure_ttl: float
    stale_while_revalidate: float
    stale_if_error: float


@dataclass(frozen=True)
class Check:
    """A check with every option filled in. `timeout` is in seconds, for all of it; `warn` and `fail` go by measure.

    `alert_after` and `clear_after` are how many looks in a row the agent wants to see before it speaks; None for as
    many as for other checks.
    """

    name: str
    type: str
    timeout: float
    critical: bool
    caching: Caching
    warn: Mapping[str, float]
    fail: Mapping[str, float]
    options: Mapping[str, Any] = field(repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    alert_after: int | None = None
    clear_after: int | None = None


@dataclass(frozen=True)
class Answer:
    """What came of asking: as a probe sees it, before limits. `at` is when it ended, in seconds since 1970.

    `served` tells where it comes from: `live`, `miss` (asked and kept), `hit`, or `stale`; `age` its seconds.
    An `outage` and `retry_after` are those of Unhealthy.
    """

    output: str
    status: str
    latency_ms: float
    at: float
    values: Mapping[str, float] = field(default_factory=dict)
    verdict: str = ""
    outage: bool = False
    retry_after: float = 0.0
    served: str = "live"
    age: float = 0.0


@dataclass(frozen=True)
class Result:
    """What came of a check. `latency_ms` is the time it took; `time` when it ended, ISO 8601 in UTC.

    `values` are what was measured; `verdict` is a word for what is wrong where there is one. `cache` and `age` are an
    answer's `served` and `age`.
    """

    name: str
    type: str
    status: str
    output: str
    latency_ms: float
    time: str
    critical: bool
    values: dict[str, float]
    verdict: str
    cache: str
    age: float


def excerpt(text: str, nothing: str = "nothing") -> str:
    """The beginning of a text in one line of at most 200 characters, none of which can steer a terminal."""
    line = " ".join(plain(text[: 20 * _EXCERPT]).split())
    return (line if len(line) <= _EXCERPT else line[: _EXCERPT - len(_CUT)] + _CUT) or nothing


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with eight stars in place of each secret, or of the half of one that an excerpt ends with."""
    is_cut = _CUT in text
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _STARS)
        if is_cut:
            for end in range(len(secret) - 1, _SHORTEST_PART - 1, -1):
                text = text.replace(secret[:end] + _CUT, _STARS + _CUT)
    return text


def same(seen: Any, wanted: Any) -> bool:
    """Whether two values are the same as text, so that a number or truth value may come from a template.

    Truth values are compared without regard to case; lists and mappings by value.
    """
    if isinstance(seen, bool) or isinstance(wanted, bool):
        return str(seen).lower() == str(wanted).lower()
    if isinstance(seen, (list, dict)) or isinstance(wanted, (list, dict)):
        return bool(seen == wanted)
    return str(seen) == str(wanted)
