"""People are told of what lasts, once, and of its end; not of a blip, nor of each turn of what goes to and fro."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.agent.alerts import (
    UNKNOWN,
    Look,
    Notice,
    Policy,
    State,
    step,
)

WORDS = {"p": "pass", "w": "warn", "f": "fail", "?": UNKNOWN, "F": "fail"}


def told(looks: str, policy: Policy | None = None, **more: Any) -> list[tuple[int, str]]:
    """What is told of looks a minute apart, as the minute and the title. F is a failure that is repeated only."""
    state, found = State(), []
    for minute, letter in enumerate(looks):
        look = Look("shop", WORDS[letter], "said so", new=letter != "F", **more)
        state, notices = step(state, [look], minute * 60.0, policy or Policy())
        state = State.from_json(json.loads(json.dumps(state.to_json())))
        found += [(minute, notice.title) for notice in notices]
    return found


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ("pppp", []),
        ("pffppffp", []),
        ("pfffff", [(3, "shop FAILS")]),
        ("pfffpp", [(3, "shop FAILS"), (5, "shop is well again")]),
        ("pfffpfpp", [(3, "shop FAILS"), (7, "shop is well again")]),
        ("pwwwfff", [(3, "shop warns"), (6, "shop FAILS")]),
        ("pwfwfw", [(3, "shop warns")]),
        ("pfffwwwpp", [(3, "shop FAILS"), (8, "shop is well again")]),
        ("pfFFFFFF", []),
        ("pffFFFFf", [(7, "shop FAILS")]),
        ("pff???ff", []),
        ("pfff???p?pp", [(3, "shop FAILS"), (10, "shop is well again")]),
    ],
)
def test_it_takes_some_looks_in_a_row(looks, expected):
    assert told(looks) == expected


def test_a_check_may_want_more_or_fewer_looks_than_others():
    assert told("pfp", alert_after=1, clear_after=1) == [(1, "shop FAILS"), (2, "shop is well again")]
    assert told("pffff", alert_after=5) == []


def test_what_stays_bad_is_told_of_again_and_how_long_it_was():
    policy = Policy(remind_every=600.0)
    state, notices = State(), []
    for minute in range(30):
        status = "pass" if minute in (0, 28, 29) else "fail"
        state, said = step(state, [Look("shop", status, "said so")], minute * 60.0, policy)
        notices += said
    titles = ["shop FAILS", "shop still FAILS", "shop still FAILS", "shop is well again"]
    assert [notice.title for notice in notices] == titles
    assert notices[1].text == "For 12 min now: said so"
    assert notices[-1] == Notice("shop is well again", "It lasted 27 min. Now: said so", True, 29 * 60.0)


def test_what_goes_to_and_fro_is_told_of_once_until_it_keeps_still():
    to_and_fro = "pf" * 50
    assert told(to_and_fro) == [(6, "shop is FLAPPING")]
    assert told(to_and_fro + "p" * 10) == [(6, "shop is FLAPPING"), (109, "shop has stopped flapping")]
    ended_badly = told(to_and_fro + "f" * 30 + "pp")
    assert [title for _, title in ended_badly] == [
        "shop is FLAPPING",
        "shop has stopped flapping",
        "shop is well again",
    ]
    in_turn = [title for _, title in told("fffpp" * 20)]
    assert in_turn == ["shop FAILS", "shop is well again"] * 3 + ["shop is FLAPPING"]


def test_checks_do_not_disturb_each_other_and_what_is_gone_is_forgotten():
    state = State()
    for minute in range(3):
        looks = [Look("a", "fail", "x"), Look("b", "fail", "y"), Look("c", "pass", "z")]
        state, notices = step(state, looks, minute * 60.0, Policy())
    assert [notice.title for notice in notices] == ["a FAILS", "b FAILS"]
    state, notices = step(state, [Look("c", "pass", "z")], 180.0, Policy())
    assert list(state.standings) == ["c"] and notices == []
