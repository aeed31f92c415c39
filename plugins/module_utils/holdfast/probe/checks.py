# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a health check is made of: types with their options, a check, its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .deadline import Deadline

PASS, WARN, FAIL = "pass", "warn", "fail"
DEFAULT_TIMEOUT_S = 5.0

_EXCERPT = 200


class Unhealthy(Exception):
    """What was expected and what was seen instead, as one sentence without a full stop."""


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
class CheckType:
    """A kind of check.

    `run` gets the options, each with its value or default, and the time it has. It returns a sentence on what it
    found good, and raises Unhealthy or TimeoutError. `target` gives what the check looks at, for its name.
    `component` is its componentType in health+json. A type that `may_change` something is not run in a dry run.
    """

    options: Mapping[str, Option]
    run: Callable[[Mapping[str, Any], Deadline], str]
    target: Callable[[Mapping[str, Any]], str]
    component: str
    may_change: bool = False


@dataclass(frozen=True)
class Check:
    """A check with every option filled in. `timeout` is in seconds, for all of it."""

    name: str
    type: str
    timeout: float
    critical: bool
    options: Mapping[str, Any] = field(repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True)
class Result:
    """What came of a check. `latency_ms` is the time it took; `time` when it ended, ISO 8601 in UTC."""

    name: str
    type: str
    status: str
    output: str
    latency_ms: float
    time: str
    critical: bool


def excerpt(text: str, nothing: str = "nothing") -> str:
    """The beginning of a text in one line of at most 200 characters, none of which can steer a terminal."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[: 20 * _EXCERPT])
    line = " ".join(line.split())
    return (line if len(line) <= _EXCERPT else line[: _EXCERPT - 3] + "...") or nothing


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with eight stars in place of each secret."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "*" * 8)
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
