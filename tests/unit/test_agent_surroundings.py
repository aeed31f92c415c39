"""What needs the network beyond this host, and when the agent looks next."""

from __future__ import annotations

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.agent.loop import next_look
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.agent.status import report
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.agent.surroundings import is_external
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse


@pytest.mark.parametrize(
    ("check", "external"),
    [
        ({"type": "http", "url": "https://shop.example.com/up"}, True),
        ({"type": "http", "url": "http://[2606:4700:4700::1111]/"}, True),
        ({"type": "stripe", "api_key": "sk_live_1"}, True),
        ({"type": "tcp", "host": "8.8.8.8", "port": 53}, True),
        ({"type": "http", "url": "http://127.0.0.1/up"}, False),
        ({"type": "http", "url": "http://[::1]:8080/up"}, False),
        ({"type": "tcp", "host": "10.0.0.5", "port": 3306}, False),
        ({"type": "tcp", "port": 6379}, False),
        ({"type": "tcp", "host": "db1", "port": 3306}, False),
        ({"type": "database", "engine": "sqlite", "database": "/srv/shop/db.sqlite"}, False),
        ({"type": "command", "command": "curl https://example.com"}, False),
    ],
)
def test_what_is_external(check, external):
    assert is_external(parse([check])[0]) is external


def test_looks_are_aligned_to_the_minute():
    assert [next_look(now, 60) for now in (0.0, 59.9, 60.0, 61.0)] == [60, 60, 120, 120]


@pytest.mark.parametrize(
    ("later", "said"), [(30, ""), (200, "200 s old: the agent does not run"), (-90, "90 s from now: the clock was set")]
)
def test_a_status_that_is_not_of_now_is_no_status(later, said):
    memory = {"results": [], "problems": [], "silence": "", "at": 1000.0, "interval": 60.0, "status": "pass"}
    lines, status = report(memory, 1000.0 + later)
    assert (status, bool(lines)) == ((2, True) if said else (0, False))
    assert said in " ".join(text for _, text in lines)
