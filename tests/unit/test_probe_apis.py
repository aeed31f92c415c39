"""Checks of Stripe and Bunny against stand-ins that misbehave in every way that a remote service can."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import InvalidInput
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Answer, Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.report import as_health_json, as_prometheus
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import Gate, ask, run_gate, run_round
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store

from support.externals import MODES, Bunny, External, Stripe, bunny_server, stripe_server

STRIPE_KEY = "sk_live_51Holdfast0123456789abcdef"
BUNNY_KEY = "9f0c1e5a-1111-2222-333344445555"
ENDLESS = ("silent", "drip", "drip_headers")


@pytest.fixture(scope="module")
def stripe() -> Iterator[Stripe]:
    with stripe_server(STRIPE_KEY) as server:
        yield server


@pytest.fixture(scope="module")
def bunny() -> Iterator[Bunny]:
    with bunny_server(BUNNY_KEY) as server:
        yield server


@pytest.fixture(params=["stripe", "bunny"])
def external(request: pytest.FixtureRequest) -> External:
    return request.getfixturevalue(request.param)


def check_of(server: External, mode: str = "ok", **options: Any) -> dict[str, Any]:
    """A check of a server that is in a mode from now on."""
    server.mode = mode
    if isinstance(server, Stripe):
        return {"type": "stripe", "api_key": STRIPE_KEY, "url": server.url, **options}
    return {"type": "bunny", "api_key": BUNNY_KEY, "library": 12345, "url": server.url, **options}


def seen(check: dict[str, Any]) -> Result:
    return run_round(parse([check]))[0]


def answer(check: dict[str, Any]) -> Answer:
    return ask(parse([check])[0], Store())


def test_a_balance_is_measured(stripe):
    result = seen(check_of(stripe, livemode=True, warn={"available": 700000}, fail={"available": 1000}))
    assert result.name == f"stripe 127.0.0.1:{stripe.port}"
    assert (result.values["available"], result.values["pending"]) == (666670, 61414)
    assert result.status == "warn"
    assert result.output == (
        "available is 666670 minor units, the limit is 700000 (live mode, 666670 usd available, 61414 usd pending)"
    )
    assert stripe.calls[-1].headers["authorization"] == f"Bearer {STRIPE_KEY}"


def test_several_currencies_are_not_added_up(stripe):
    with stripe_server(
        STRIPE_KEY,
        available=[
            {"amount": 100, "currency": "eur"},
            {"amount": -30, "currency": "eur"},
            {"amount": 9, "currency": "usd"},
        ],
    ) as server:
        assert seen(check_of(server)).output == "live mode, 2 currencies"
        assert "available" not in seen(check_of(server)).values
        assert seen(check_of(server, currency="EUR")).values["available"] == 70
        assert seen(check_of(server, currency="gbp")).output == "expected a balance in gbp, got one in eur, usd"


def test_a_test_key_in_production_is_found():
    with stripe_server(STRIPE_KEY, livemode=False) as server:
        result = seen(check_of(server, livemode=True))
        assert (result.status, result.verdict) == ("fail", "wrong_mode")
        assert result.output == "expected a key of live mode, got one of test mode"
        assert seen(check_of(server, livemode=False)).status == "pass"


@pytest.mark.parametrize(
    "balance",
    [
        {"available": None},
        {"available": [7]},
        {"available": [{"amount": "1", "currency": "usd"}]},
        {"available": [{"amount": True, "currency": "usd"}]},
        {"available": [{"amount": 10**400, "currency": "usd"}]},
        {"available": [{"amount": 1.5, "currency": "usd"}]},
        {"available": [{"amount": 1}]},
        {"pending": {}},
        {"livemode": "true"},
    ],
)
def test_a_balance_of_another_shape_is_no_balance(balance):
    with stripe_server(STRIPE_KEY, **balance) as server:
        result = seen(check_of(server))
        assert result.status == "fail"
        assert result.output.startswith("expected ")


def test_videos_are_counted(bunny):
    result = seen(check_of(bunny, fail={"videos": 0}))
    assert (result.status, result.output) == ("pass", "7 videos in the library 12345")
    assert result.values["videos"] == 7
    call = bunny.calls[-1]
    assert (call.query, call.headers["accesskey"]) == ({"page": "1", "itemsPerPage": "1"}, BUNNY_KEY)
    bunny.videos = 0
    assert seen(check_of(bunny, fail={"videos": 0})).status == "fail"
    bunny.videos = 7


def test_a_library_that_is_not_there_is_named(bunny):
    result = seen(check_of(bunny, library=999))
    assert result.output.startswith("Bunny Stream knows no library 999 (404")


def test_a_wrong_key_fails_at_once(external):
    result = answer(check_of(external, api_key="sk_live_of_somebody_else"))
    assert (result.status, result.verdict, result.outage) == ("fail", "unauthorized", False)
    assert "refused the key: api_key must be" in result.output


@pytest.mark.parametrize(
    ("mode", "status", "outage", "verdict", "said"),
    [
        ("down", "fail", True, "", "Connection refused"),
        ("hang_up", "fail", True, "", "no answer from"),
        ("silent", "fail", True, "", "no answer from"),
        ("slow", "fail", True, "", "no answer from"),
        ("drip", "fail", True, "", "did not end within 0.3 s"),
        ("drip_headers", "fail", True, "", "did not end within 0.3 s"),
        ("broken_off", "fail", True, "", "the body broke off after"),
        ("error", "fail", True, "", "got 500 (<html><body><h1>We are making"),
        ("throttled", "warn", True, "throttled", "has been asked too often (429); it wants to be left alone for 120 s"),
        ("unauthorized", "fail", False, "unauthorized", "(401: "),
        ("forbidden", "fail", False, "unauthorized", "(403: "),
        ("missing", "fail", False, "", "(404: "),
        ("redirect", "fail", False, "", "got 302 (to http"),
        ("wrong_shape", "fail", False, "", "expected "),
        ("html", "fail", False, "", "expected JSON of"),
        ("truncated", "fail", False, "", "expected JSON of"),
    ],
)
def test_whatever_goes_wrong_is_told_and_is_an_outage_or_not(external, mode, status, outage, verdict, said):
    before = len(external.calls)
    result = answer(check_of(external, mode, timeout=0.3 if mode in (*ENDLESS, "slow") else 5))
    assert said in result.output
    assert (result.status, result.outage, result.verdict) == (status, outage, verdict)
    assert result.values == {}
    assert len(external.calls) - before == (0 if mode == "down" else 1)
    assert check_of(external)["api_key"] not in result.output


def test_the_account_s_api_is_recognised(bunny):
    said = answer(check_of(bunny, "wrong_shape")).output
    assert "got TotalItems, which the account's API answers with" in said


@pytest.mark.parametrize("mode", ["silent", "drip", "drip_headers"])
def test_no_api_can_hold_a_check_for_longer_than_its_limit(external, mode):
    begun = time.monotonic()
    assert seen(check_of(external, mode, timeout=0.5)).status == "fail"
    assert time.monotonic() - begun < 1.5


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("7", 7, 7),
        (" 7 ", 7, 7),
        ("0", 0, 0),
        ("-5", 0, 0),
        ("soon", 0, 0),
        ("", 0, 0),
        (None, 0, 0),
        ("9" * 400, 3600, float("inf")),
        (format_datetime(datetime.now(timezone.utc) + timedelta(hours=2), usegmt=True), 7100, 7200),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0, 0),
        ("Fri, 99 Dec 1999 23:59:59 GMT", 0, 0),
    ],
)
def test_how_long_to_leave_a_server_alone(external, asked, least, most):
    external.retry_after = asked
    result = answer(check_of(external, "throttled"))
    external.retry_after = "120"
    assert least <= result.retry_after <= most
    assert json.loads(json.dumps(result.retry_after)) < float("inf")


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_each_form_of_a_date_is_understood_in_any_time_zone(stripe, form, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        stripe.retry_after = time.strftime(form, time.gmtime(time.time() + 300))
        assert 290 <= answer(check_of(stripe, "throttled")).retry_after <= 300
    finally:
        stripe.retry_after = "120"
        monkeypatch.undo()
        time.tzset()


def test_a_throttled_server_is_left_alone_and_an_older_answer_stands_in(external, tmp_path):
    now = [time.time()]
    store = Store(tmp_path / "cache", clock=lambda: now[0], patient=True)
    check = parse([check_of(external, failure_ttl=30)])
    before = len(external.calls)
    good = run_round(check, store)[0]
    external.mode = "throttled"
    now[0] += 400
    assert run_round(check, store)[0].status == "pass"
    now[0] += 100
    stood_in = run_round(check, store)[0]
    assert len(external.calls) - before == 2, "it was asked again within the 120 s of its Retry-After"
    assert (stood_in.cache, stood_in.values | {"latency_ms": 0}) == ("stale", good.values | {"latency_ms": 0})
    assert "asked too often" in stood_in.output
    external.mode = "ok"


def test_an_outage_is_bridged_but_a_refused_key_is_not(external, tmp_path):
    now = [time.time()]
    store = Store(tmp_path / "cache", clock=lambda: now[0], patient=True)
    check = parse([check_of(external)])
    run_round(check, store)
    external.mode = "down"
    now[0] += 700
    bridged = run_round(check, store)[0]
    assert (bridged.status, bridged.cache) == ("warn", "stale")
    external.mode = "unauthorized"
    now[0] += 700
    assert run_round(check, store)[0].status == "fail"
    external.mode = "ok"


def test_callers_within_the_ttl_make_one_call(external, tmp_path):
    before = len(external.calls)
    check = parse([check_of(external)])
    results = [run_round(check, Store(tmp_path / "cache"))[0] for _ in range(10)]
    assert [one.cache for one in results] == ["miss", *["hit"] * 9]
    assert len(external.calls) - before == 1


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in (*ENDLESS, "slow")])
def test_the_key_is_nowhere_to_be_seen(external, mode, tmp_path):
    check = check_of(external, mode)
    outcome = run_gate(parse([check]), Gate(), Store(tmp_path / "cache"))
    shown = [json.dumps([asdict(one) for one in outcome.results]), as_prometheus(outcome), outcome.verdict()]
    shown.append(json.dumps(as_health_json(outcome)))
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    for text in [*(one.encode() for one in shown), *kept]:
        assert check["api_key"].encode() not in text
        assert check["api_key"][:20].encode() not in text


def test_a_server_that_repeats_the_key_does_not_make_it_seen(tmp_path: Path):
    """A debugging page with the request in it, cut in the middle of the key by what is shown of it."""
    for padding in range(150, 200):
        with stripe_server(STRIPE_KEY, available="x" * padding + f" Authorization: Bearer {STRIPE_KEY}") as server:
            said = seen(check_of(server)).output
            assert "sk_live" not in said


@pytest.mark.parametrize("key", ["sk_live_1\n", "sk live", "", "sk_l\u00efve"])
def test_a_key_that_no_header_takes_is_refused_unseen(key):
    with pytest.raises(InvalidInput, match=r"'api_key' must (be a key|not be empty)") as refused:
        parse([{"type": "stripe", "api_key": key}])
    assert not key or key not in str(refused.value)
