"""The page of results, as a browser shows it on a phone and on a desk."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.history import BUCKET_S, History
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.page import page
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import Outcome

from support.browser import measured

NOW = 1_795_600_000.0
GREEN, AMBER, RED, GREY = "rgb(26, 127, 55)", "rgb(178, 106, 0)", "rgb(207, 34, 46)", "rgb(213, 218, 224)"
HOSTILE = "<script>alert(1)</script>" + "very_long_word_without_a_break" * 20


def result(name: str, status: str, output: str = "all is well", **more: object) -> Result:
    values = {"latency_ms": 12.3, "failed_jobs": 1234567.0}
    found = Result(name, "http", status, output, 12.3, "2026-11-25T03:00:00.000+00:00", True, values, "", "live", 0.0)
    return replace(found, **more)


def shown() -> str:
    """Four hours of a good check and a bad one, whose last quarters of an hour were worse and worse."""
    history = History()
    for ago, status in ((16, "pass"), (2, "pass"), (1, "warn"), (0, "fail")):
        results = [result("shop", "pass"), result("payments", status, HOSTILE, verdict="timeout")]
        history.add(results, NOW - ago * BUCKET_S)
    results = [*results, result(HOSTILE, "warn", cache="stale", age=400.0)]
    return page(Outcome(results, 1, 0.1, NOW), history, "Health of <b>web1</b>", 60)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_it_fits_a_phone_and_a_desk_and_shows_the_last_day(tmp_path, width, height):
    seen = measured(shown(), tmp_path, width, height)
    assert seen["scroll"] <= seen["inner"] <= max(width, 500)  # a browser's window has a least width
    assert seen["scripts"] == 0 and "Health of <b>web1</b>" in seen["text"] and HOSTILE in seen["text"]
    bad, _, good = seen["sections"]
    assert [bar["colour"] for bar in good["bars"]][-4:] == [GREY, GREEN, GREEN, GREEN]
    assert [bar["colour"] for bar in bad["bars"]][-4:] == [GREY, GREEN, AMBER, RED]
    assert len(bad["bars"]) == 96 and all(bar["width"] > 1 for bar in bad["bars"])
    assert bad["bars"][-17]["colour"] == GREEN and "pass, 1 look, 12.3 ms" in bad["bars"][-17]["title"]
    assert "FAIL (timeout)" in seen["text"] and "kept answer, older than it should be, 6 min 40 s old" in seen["text"]
    assert "failed jobs 1,234,567" in seen["text"]
    assert "every 1 min. If that is much longer ago, nobody is looking" in seen["text"]


def test_it_is_dark_for_who_prefers_that(tmp_path):
    light = measured(shown(), tmp_path, 1280, 800)
    dark = measured(shown(), tmp_path, 1280, 800, dark=True)
    assert (light["background"], light["badge"]) == ("rgb(246, 247, 249)", RED)
    assert (dark["background"], dark["badge"]) == ("rgb(15, 19, 24)", "rgb(255, 107, 99)")
