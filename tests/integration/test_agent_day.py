"""A day of the agent in some seconds: its clock is moved, everything it asks and tells is real."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast import journal
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.agent.config import understand
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.agent.tick import tick

from support.externals import Stripe, stripe_server
from support.processes import free_port
from support.webhook import Webhook, webhook

MINUTE = 60.0


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as one:
        yield one


@dataclass
class Agent:
    """An agent whose clock is ours; `told` are the minutes and titles of its messages."""

    config: dict[str, Any]
    hook: Webhook
    minute: int = 0
    begun: float = field(default_factory=time.time)
    memory: dict[str, Any] = field(default_factory=dict)
    told: list[tuple[int, str]] = field(default_factory=list)

    def look(self) -> None:
        """One look, and a minute goes by."""
        now = self.begun + self.minute * MINUTE
        self.memory = tick(understand(json.dumps(self.config)), "", self.memory, lambda: now)
        self.told += [(self.minute, title) for title in self.hook.titles()]
        self.minute += 1

    def until(self, minute: int) -> None:
        """Look up to a minute."""
        while self.minute < minute:
            self.look()

    def status(self, name: str) -> str:
        """How a check stands."""
        return next(one["status"] for one in self.memory["results"] if one["name"] == name)


def agent(folder: Path, hook: Webhook, checks: list[dict[str, Any]], **more: Any) -> Agent:
    config = {
        "title": "web1",
        "state_dir": str(folder / "state"),
        "cache_dir": str(folder / "cache"),
        "urls": [hook.url],
        "checks": checks,
        **more,
    }
    return Agent(config, hook)


def payments(server: Stripe) -> dict[str, Any]:
    return {
        "name": "payments",
        "type": "stripe",
        "url": server.url,
        "api_key": server.key.split()[1],
        "timeout": 0.2,
    }


def file_check(name: str, path: Path) -> dict[str, Any]:
    path.touch()
    return {"name": name, "type": "command", "command": f"test -e {path}"}


def test_a_day_with_an_api_that_is_at_times_slow_down_or_busy(tmp_path, hook, capsys):
    shop = tmp_path / "shop"
    with stripe_server() as api:
        api.delay = 0.5  # longer than the check's timeout
        day = agent(tmp_path, hook, [payments(api), file_check("shop", shop)])
        for start, end, mode in (
            (60, 61, "slow"),
            (240, 295, "down"),
            (480, 540, "throttled"),
            (600, 602, "error"),
        ):
            day.until(start)
            api.mode = mode
            day.until(end)
            api.mode = "ok"
        for blip in (700, 730):
            day.until(blip)
            shop.unlink()
            day.until(blip + 2)
            shop.touch()
        day.until(900)
        shop.unlink()
        day.until(915)
        shop.touch()
        for turn in range(1000, 1060, 2):
            day.until(turn)
            shop.unlink()
            day.until(turn + 1)
            shop.touch()
        day.until(1440)
        calls = len(api.calls)
    with capsys.disabled():
        print(f"\n1440 looks, {calls} calls of the API, {len(day.told)} messages: {day.told}")
    assert calls <= 1440 * MINUTE / 300, "not more than one for each TTL"
    told_of_payments = ["web1: payments warns", "web1: payments is well again"]
    assert [title for _, title in day.told[:-4]] == told_of_payments * 2, "neither of the minute nor of the two"
    assert day.told[-4:] == [
        (902, "web1: shop FAILS"),
        (916, "web1: shop is well again"),
        (1005, "web1: shop is FLAPPING"),
        (1068, "web1: shop has stopped flapping"),
    ]


def closed_ports(names: list[str]) -> list[dict[str, Any]]:
    return [{"name": name, "type": "tcp", "host": "127.0.0.1", "port": free_port()} for name in names]


def test_alerts_of_one_look_are_one_message_and_one_that_nobody_took_is_tried_again(tmp_path, hook):
    names = [f"service {number}" for number in range(5)]
    day = agent(tmp_path, hook, closed_ports(names))
    hook.status = 500
    day.until(5)
    assert any("could not be sent" in problem for problem in day.memory["problems"])
    hook.status = 200
    day.look()
    title = "web1: service 0 FAILS, service 1 FAILS, service 2 FAILS, and 2 more"
    assert day.told == [(5, title)]
    day.until(8)
    assert len(day.told) == 1


def test_without_a_network_the_others_are_not_blamed(tmp_path, hook):
    names = [f"api {number}" for number in range(10)]
    with stripe_server() as witness:
        checks = [*closed_ports(names), file_check("shop", tmp_path / "shop")]
        more = {"external": names, "self_check": [f"127.0.0.1:{free_port()}", f"127.0.0.1:{witness.port}"]}
        day = agent(tmp_path, hook, checks, **more)
        witness.mode = "down"
        day.until(3)
        assert day.told == [(2, "web1: The network FAILS")]
        assert day.status("api 3") == "warn" and day.status("shop") == "pass"
        witness.mode = "ok"
        day.until(7)
    assert day.told[1:] == [
        (4, "web1: The network is well again"),
        (5, "web1: api 0 FAILS, api 1 FAILS, api 2 FAILS, and 7 more"),
    ]


@pytest.mark.parametrize("how", ["deploy", "file"])
def test_it_is_silent_during_a_deploy_but_not_for_ever(tmp_path, hook, how):
    shop = tmp_path / "shop"
    app = tmp_path / "srv"
    day = agent(tmp_path, hook, [file_check("shop", shop)], deploy_paths=[str(app)])
    day.look()
    if how == "deploy":
        opened = journal.open_journal(app, "shop", {}, stale_after=60)
    else:
        (tmp_path / "state/silence").touch()
        os.utime(tmp_path / "state/silence", (day.begun, day.begun))
    shop.unlink()
    day.until(30)
    assert day.told == [] and day.memory["silence"] and day.status("shop") == "fail"
    day.until(70)
    assert day.told in ([(minute, "web1: shop FAILS")] for minute in (62, 63))  # a journal's times are whole seconds
    if how == "deploy":
        journal.close(app, opened["id"], "committed")
    shop.touch()
    day.until(73)
    assert [title for _, title in day.told[1:]] == ["web1: shop is well again"]


def test_a_deploy_that_breaks_something_is_told_of_when_it_is_over(tmp_path, hook):
    shop = tmp_path / "shop"
    app = tmp_path / "srv"
    day = agent(tmp_path, hook, [file_check("shop", shop)], deploy_paths=[str(app)])
    opened = journal.open_journal(app, "shop", {}, stale_after=60)
    shop.unlink()
    day.until(10)
    journal.close(app, opened["id"], "committed")
    day.until(14)
    assert day.told == [(12, "web1: shop FAILS")]


def test_on_a_full_disk_it_goes_on_looking_and_telling(tmp_path, hook):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], check=True)
    try:
        shop = tmp_path / "shop"
        checks = [{**file_check("shop", shop), "ttl": 30}]
        day = agent(small, hook, checks, page=str(small / "page.html"))
        day.until(2)
        with open(small / "filler", "wb", buffering=0) as filler:
            while True:
                try:
                    filler.write(b"x" * 4096)
                except OSError:
                    break
        shop.unlink()
        day.until(12)
        assert "No space left" in " ".join(day.memory["problems"])
        assert day.told == [(4, "web1: shop FAILS, The agent FAILS")]
        (small / "filler").unlink()
        shop.touch()
        day.until(20)
        assert [title for _, title in day.told[1:]] == ["web1: shop is well again", "web1: The agent is well again"]
        assert day.memory["problems"] == [] and "PASS" in (small / "page.html").read_text()
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_reminder_says_since_when_and_each_line_when_it_was(tmp_path, hook):
    shop = tmp_path / "shop"
    day = agent(tmp_path, hook, [file_check("shop", shop)], remind_every=1200)
    shop.unlink()
    for minute, title in ((2, "shop FAILS"), (22, "shop still FAILS")):
        day.until(minute)
        now = day.begun + minute * MINUTE
        day.memory = tick(understand(json.dumps(day.config)), "", day.memory, lambda at=now: at)
        (message,) = hook.messages
        assert message["title"] == f"web1: {title}"
        when = datetime.fromtimestamp(now, timezone.utc).strftime("%H:%M UTC")
        assert message["message"].startswith(f"{when} {title}. "), message
        hook.messages.clear()
        day.minute += 1
    assert "For 22 min now: " in message["message"] and "status" in message["message"]


def test_what_is_gone_or_broken_in_its_memory_does_not_stop_it(tmp_path, hook):
    day = agent(tmp_path, hook, [file_check("shop", tmp_path / "shop")])
    for memory in ({"alerts": [1], "pending": [{"odd": 1}]}, {"alerts": {"shop": {"odd": 1}}}):
        day.memory = memory
        day.look()
        assert day.memory["status"] == "pass" and day.told == []
