"""A round of checks, cold and warm, and an endpoint that asks two external APIs, against asking them in turn."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store

from bench.measure import machine, report
from support.externals import Bunny, Stripe, bunny_server, stripe_server
from support.misbehaving import misbehaving

STRIPE_KEY, BUNNY_KEY = "sk_live_0123456789abcdef", "9f0c1e5a-library-key"
ROUNDS = 5


@pytest.fixture
def externals() -> Iterator[tuple[Stripe, Bunny]]:
    with stripe_server(STRIPE_KEY) as stripe, bunny_server(BUNNY_KEY) as bunny:
        stripe.mode = bunny.mode = "slow"
        yield stripe, bunny


def external_checks(stripe: Stripe, bunny: Bunny) -> list[dict[str, Any]]:
    return [
        {"type": "stripe", "url": stripe.url, "api_key": STRIPE_KEY},
        {"type": "bunny", "url": bunny.url, "api_key": BUNNY_KEY, "library": bunny.library},
    ]


def timed(checks: list[dict[str, Any]], folder: Path) -> tuple[float, list[Result]]:
    begun = time.perf_counter()
    results = run_round(parse(checks), Store(folder))
    took = time.perf_counter() - begun
    assert {one.status for one in results} == {"pass"}, results
    return took, results


def test_twenty_checks_two_of_them_slow(externals, tmp_path):
    stripe, bunny = externals
    stripe.delay = bunny.delay = 0.8
    with misbehaving() as server:
        checks = external_checks(stripe, bunny)
        checks += [{"name": f"http {n}", "type": "http", "url": server.url("/ok")} for n in range(9)]
        checks += [{"name": f"tcp {n}", "type": "tcp", "port": server.port} for n in range(9)]
        cold = min(timed(checks, tmp_path / str(number))[0] for number in range(ROUNDS))
        warm = min(timed(checks, tmp_path / "0")[0] for _ in range(ROUNDS))
        kept = min(timed(external_checks(stripe, bunny)[:1], tmp_path / "0")[0] for _ in range(ROUNDS))
    print(f"\n20 checks, two of which take 800 ms\n{machine()}")
    print(f"  cold {cold * 1000:.0f} ms, warm {warm * 1000:.1f} ms: {cold / warm:.0f} times as fast")
    print(f"  one kept answer of an external API {kept * 1000:.2f} ms")


def asked_in_turn(stripe: Stripe, bunny: Bunny) -> None:
    """What an endpoint without a cache does."""
    for url, header, key in (
        (f"{stripe.url}/v1/balance", "Authorization", f"Bearer {STRIPE_KEY}"),
        (f"{bunny.url}/library/{bunny.library}/videos?page=1&itemsPerPage=1", "AccessKey", BUNNY_KEY),
    ):
        with urllib.request.urlopen(urllib.request.Request(url, headers={header: key})) as answer:
            assert json.load(answer)


def test_an_endpoint_that_asks_two_external_apis(externals, tmp_path):
    stripe, bunny = externals
    stripe.delay, bunny.delay = 0.8, 0.6
    begun = time.perf_counter()
    asked_in_turn(stripe, bunny)
    best = {"asked in turn, each time": time.perf_counter() - begun}
    checks = external_checks(stripe, bunny)
    best["ours, cold"] = min(timed(checks, tmp_path / str(number))[0] for number in range(ROUNDS))
    best["ours, warm"] = min(timed(checks, tmp_path / "0")[0] for _ in range(ROUNDS))
    report("Stripe answers in 800 ms, Bunny in 600 ms", best, "ours, warm")
    print(f"  {best['ours, warm'] * 1000:.2f} ms warm")
