# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When people are told of a check: rules without files, clocks or messages.

A check is told of after some bad looks in a row, and again when it is well after some good ones. One that goes to and
fro is told of once, and then not until it keeps still.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..probe.checks import FAIL, PASS, RANK, WARN
from ..units import span

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Policy:
    """How many bad and good looks in a row it takes, how often to remind of what stays bad, in seconds, and what
    flapping is: so many changes within so many looks."""

    alert_after: int = 3
    clear_after: int = 2
    remind_every: float = 14400.0
    flap_changes: int = 6
    flap_looks: int = 20


@dataclass(frozen=True)
class Look:
    """How something stood at one look, or that this is UNKNOWN, which proves nothing. What is not `new`, as a kept
    answer that is merely repeated, proves nothing more. `alert_after` and `clear_after` are its own, None for the
    policy's."""

    name: str
    status: str
    output: str
    new: bool = True
    alert_after: int | None = None
    clear_after: int | None = None


@dataclass(frozen=True)
class Notice:
    """What people are told: what happened in a few words, the whole of it, and whether it is good."""

    title: str
    text: str
    good: bool
    at: float


@dataclass(frozen=True)
class Standing:
    """What is known of a check's looks. Times are in seconds since 1970, 0 for never.

    `told` is the level people know of: 0 well, 1 warns, 2 fails. `warns`, `fails` and `goods` count looks in a row,
    and one that fails also warns. `since` is when the trouble began, `better` when it was first well again, and
    `looks` whether each of the last ones was bad, as a text of 0 and 1.
    """

    told: int = 0
    told_at: float = 0.0
    warns: int = 0
    fails: int = 0
    goods: int = 0
    since: float = 0.0
    better: float = 0.0
    looks: str = ""
    flapping: bool = False


@dataclass(frozen=True)
class State:
    """The standings by name. It travels as JSON."""

    standings: Mapping[str, Standing] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As `from_json` takes it."""
        return {name: asdict(one) for name, one in self.standings.items()}

    @classmethod
    def from_json(cls, value: Any) -> State:
        """Raises TypeError or AttributeError for what is no state."""
        return cls({str(name): Standing(**one) for name, one in value.items()})


def step(state: State, looks: Iterable[Look], now: float, policy: Policy) -> tuple[State, list[Notice]]:
    """The state after one look at each, and what to tell. What is not looked at any more is forgotten."""
    standings: dict[str, Standing] = {}
    notices: list[Notice] = []
    for look in looks:
        standings[look.name], said = _step_one(state.standings.get(look.name, Standing()), look, now, policy)
        notices += said
    return State(standings), notices


def _step_one(old: Standing, look: Look, now: float, policy: Policy) -> tuple[Standing, list[Notice]]:
    if look.status == UNKNOWN:
        return replace(old, warns=0, fails=0, goods=0), []
    known = _count(old, look, now, policy) if look.new else old
    changes = sum(one != other for one, other in zip(known.looks, known.looks[1:]))
    if known.flapping:
        return _while_flapping(known, look, now, policy)
    if look.new and changes >= policy.flap_changes:
        text = f"It changed {changes} times within {len(known.looks)} looks. Now it {_says(look)}"
        return replace(known, flapping=True, told_at=now), [Notice(f"{look.name} is FLAPPING", text, False, now)]
    return _tell(known, look, now, policy)


def _count(old: Standing, look: Look, now: float, policy: Policy) -> Standing:
    bad = look.status != PASS
    return replace(
        old,
        warns=old.warns + 1 if bad else 0,
        fails=old.fails + 1 if look.status == FAIL else 0,
        goods=0 if bad else old.goods + 1,
        since=old.since or (now if bad else 0.0),
        better=now if not bad and not old.goods else old.better,
        looks=(old.looks + str(int(bad)))[-policy.flap_looks :],
    )


def _tell(known: Standing, look: Look, now: float, policy: Policy) -> tuple[Standing, list[Notice]]:
    after = look.alert_after or policy.alert_after
    level = 2 if known.fails >= after else 1 if known.warns >= after else 0
    if level > known.told:
        title = f"{look.name} {'FAILS' if level == 2 else 'warns'}"
        return replace(known, told=level, told_at=now), [Notice(title, look.output, False, now)]
    if known.goods >= (look.clear_after or policy.clear_after):
        return _clear(known, look, now)
    if known.told and look.status != PASS and now - known.told_at >= policy.remind_every:
        title = f"{look.name} still {'FAILS' if look.status == FAIL else 'warns'}"
        text = f"For {span(now - known.since)} now: {look.output}"
        return replace(known, told_at=now), [Notice(title, text, False, now)]
    return known, []


def _clear(known: Standing, look: Look, now: float) -> tuple[Standing, list[Notice]]:
    cleared = replace(known, told=0, since=0.0)
    if not known.told:
        return cleared, []
    text = f"It lasted {span(known.better - known.since)}. Now: {look.output}"
    return replace(cleared, told_at=now), [Notice(f"{look.name} is well again", text, True, now)]


def _while_flapping(known: Standing, look: Look, now: float, policy: Policy) -> tuple[Standing, list[Notice]]:
    """Nothing is told until half of the looks that flapping is judged by were all alike."""
    steady = known.looks[-(policy.flap_looks // 2) :]
    if len(steady) < policy.flap_looks // 2 or len(set(steady)) > 1:
        return known, []
    good = look.status == PASS
    still = replace(
        known,
        flapping=False,
        looks="",
        told=RANK[look.status],
        told_at=now,
        since=0.0 if good else known.since,
    )
    return still, [Notice(f"{look.name} has stopped flapping", f"Now it {_says(look)}", good, now)]


def _says(look: Look) -> str:
    word = {PASS: "is well", WARN: "warns", FAIL: "FAILS"}[look.status]
    return f"{word}: {look.output}"
