"""What an HTTP check makes of outages, throttling and floods."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Answer
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import ask
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.store import Store

from support.misbehaving import Misbehaving, misbehaving


@pytest.fixture(scope="module")
def server() -> Iterator[Misbehaving]:
    with misbehaving() as one:
        yield one


def answer(server: Misbehaving, path: str, **options: Any) -> Answer:
    return ask(parse([{"type": "http", "url": server.url(path), **options}])[0], Store())


@pytest.mark.parametrize(
    ("path", "outage"),
    [
        ("/silent", True),
        ("/stall", True),
        ("/broken-off", True),
        ("/sick", True),
        ("/in-maintenance", True),
        ("/missing", False),
        ("/forbidden", False),
        ("/garbage", False),
        ("/loop", False),
    ],
)
def test_only_who_does_not_answer_is_out(server, path, outage):
    found = answer(server, path, timeout=0.3)
    assert (found.status, found.outage) == ("fail", outage)


def test_what_is_there_but_not_as_it_should_be_is_no_outage(server):
    assert not answer(server, "/ok", body_contains="something else").outage


def test_nobody_there_is_an_outage():
    with misbehaving() as gone:
        pass
    assert answer(gone, "/ok").outage


def test_being_asked_too_often_is_a_warning(server):
    found = answer(server, "/throttled")
    assert (found.status, found.verdict, found.outage, found.retry_after) == ("warn", "throttled", True, 90)
    assert "has been asked too often (429); it wants to be left alone for 90 s" in found.output
    assert answer(server, "/throttled", status=[429]).status == "pass"


def test_a_body_is_measured(server):
    assert answer(server, "/ok").values["body_bytes"] == len(
        '{"status": "ok", "database": {"connected": true, "lag": [0, 4]}}'
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/flood-of-headers", "got more than 100 headers"),
        ("/header-without-end", "got more than 65536 bytes when reading header line"),
        ("/flood-of-hints", "did not end within 0.5 s"),
        ("/chunk-without-size", "got more than 65536 bytes when reading chunk size"),
        ("/flood-of-body", "status 200"),
        ("/flood-of-chunks", ""),
        ("/stall", "did not end within 0.5 s; 54 bytes of it came"),
        ("/drip", "did not end within 0.5 s"),
        ("/endless-headers", "did not end within 0.5 s"),
    ],
)
def test_a_flood_takes_neither_time_nor_memory(server, path, said):
    tracemalloc.start()
    begun = time.monotonic()
    found = answer(server, path, timeout=0.5)
    took, (_, peak) = time.monotonic() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert said in found.output
    assert took < 2, "0.5 s is the limit"
    assert peak < 16 << 20
