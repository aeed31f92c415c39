"""Many callers and one external API: who is asked, how often, and what everybody gets meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store

from support.externals import Stripe, stripe_server
from support.playbook import run_module
from support.processes import wait_until

KEY = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
CALLERS = 100
LATER_S = 400.0  # past the TTL of 300 s, within the window in which one asks behind the others' backs


@pytest.fixture
def stripe() -> Iterator[Stripe]:
    with stripe_server(KEY) as server:
        yield server


def check(server: Stripe, **options: Any) -> dict[str, Any]:
    return {"type": "stripe", "url": server.url, "api_key": KEY, **options}


def look(server: Stripe, folder: Path, later: float = 0.0, **options: Any) -> Result:
    """What one caller gets whose clock is so many seconds ahead."""
    store = Store(folder, clock=lambda: time.time() + later)
    return run_round(parse([check(server, **options)]), store)[0]


def crowd(server: Stripe, folder: Path, later: float = 0.0) -> list[tuple[Result, float]]:
    """What processes get that look at the same moment, and the milliseconds each waited for it."""
    fork = multiprocessing.get_context("fork")
    together, answers = fork.Barrier(CALLERS), fork.SimpleQueue()

    def caller() -> None:
        together.wait()
        begun, found = time.perf_counter(), None
        try:
            found = look(server, folder, later)
        finally:
            answers.put((found, (time.perf_counter() - begun) * 1000))

    processes = [fork.Process(target=caller) for _ in range(CALLERS)]
    for one in processes:
        one.start()
    found = [answers.get() for _ in processes]
    for one in processes:
        one.join()
    return found


def test_a_hundred_callers_make_one_call(stripe, tmp_path):
    found = [result for result, _ in crowd(stripe, tmp_path)]
    assert len(stripe.calls) == 1
    assert {one.status for one in found} == {"pass"}
    assert sorted(one.cache for one in found) == ["hit"] * (CALLERS - 1) + ["miss"]


def test_a_hundred_callers_do_not_wait_for_an_api_that_is_down(stripe, tmp_path):
    look(stripe, tmp_path)
    stripe.mode = "silent"
    found = crowd(stripe, tmp_path, LATER_S)
    waited = sorted(took for _, took in found)
    print(f"\n{CALLERS} callers, API silent: median {waited[CALLERS // 2]:.1f} ms, longest {waited[-1]:.1f} ms")
    assert {(one.status, one.cache) for one, _ in found} == {("pass", "stale")}
    assert waited[-1] < 1000, "nobody waited for the 5 s that the API gets"
    wait_until(lambda: "since then: " in look(stripe, tmp_path, LATER_S).output, "the outage to be known")
    assert len(stripe.calls) == 2


def test_the_one_that_asks_behind_brings_the_new_answer(stripe, tmp_path):
    look(stripe, tmp_path)
    assert look(stripe, tmp_path, LATER_S).cache == "stale"
    wait_until(lambda: look(stripe, tmp_path, LATER_S).cache == "hit", "the new answer")
    assert len(stripe.calls) == 2


def test_a_failure_is_kept_too(stripe, tmp_path):
    stripe.mode = "error"
    found = [look(stripe, tmp_path) for _ in range(5)]
    assert [(one.status, one.cache) for one in found] == [("fail", "miss")] + [("fail", "hit")] * 4
    assert len(stripe.calls) == 1


def test_a_key_that_is_refused_fails_at_once_whatever_was_good_before(stripe, tmp_path):
    look(stripe, tmp_path)
    stripe.mode = "unauthorized"
    look(stripe, tmp_path, LATER_S)
    wait_until(lambda: look(stripe, tmp_path, LATER_S).status == "fail", "the refusal to be known")
    assert look(stripe, tmp_path, LATER_S).verdict == "unauthorized"


def test_the_key_is_neither_in_what_is_kept_nor_in_what_is_shown(stripe, tmp_path):
    for mode in ("ok", "unauthorized", "html", "error"):
        stripe.mode = mode
        shown = repr(look(stripe, tmp_path / mode))
        kept = b"".join(path.name.encode() + path.read_bytes() for path in (tmp_path / mode).iterdir())
        assert KEY not in shown
        assert KEY.encode() not in kept


@pytest.mark.parametrize("mode", ["silent", "drip", "drip_headers"])
def test_five_seconds_are_all_that_a_server_gets(stripe, tmp_path, mode):
    stripe.mode = mode
    begun = time.monotonic()
    assert look(stripe, tmp_path).status == "fail"
    assert 4.5 < time.monotonic() - begun < 6


def test_a_caller_that_dies_while_it_asks_leaves_the_way_free(stripe, tmp_path):
    stripe.mode = "silent"
    asking = multiprocessing.get_context("fork").Process(target=look, args=(stripe, tmp_path))
    asking.start()
    wait_until(lambda: len(stripe.calls) == 1, "the call")
    os.kill(asking.pid, signal.SIGKILL)
    asking.join()
    stripe.mode = "ok"
    assert look(stripe, tmp_path).status == "pass"


def test_the_module_does_not_wait_for_whom_it_has_asked_behind(stripe, tmp_path):
    arguments = {"checks": [check(stripe, ttl=1, stale_while_revalidate=60)], "cache_dir": str(tmp_path / "cache")}

    def served() -> str:
        return str(run_module("health_probe", arguments)[0]["results"][0]["cache"])

    assert served() == "miss"
    stripe.mode = "silent"
    wait_until(lambda: served() == "stale", "the answer to grow old")
    wait_until(lambda: len(stripe.calls) == 2, "the call of whom it left behind")


def test_check_mode_asks_and_keeps_nothing(stripe, tmp_path):
    arguments = {"checks": [check(stripe)], "cache_dir": str(tmp_path / "cache")}
    result, _ = run_module("health_probe", arguments, "--check")
    assert result["results"][0]["status"] == "pass"
    assert not (tmp_path / "cache").exists()
