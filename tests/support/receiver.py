"""The Laravel application with its receiver of Stripe's webhooks, served by several PHP processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.webhooks.stripe import sign

from .laravel import FIXTURE, env_file
from .site import login_of
from .web import Web, web

SECRET = "whsec_of-the-r3ceiver"
PATH = "/webhooks/stripe"
WORKERS = 8


@dataclass
class Receiver:
    """The application; `login` is how a check reaches its database, and `content` what is in it."""

    engine: str
    folder: Path
    web: Web
    login: dict[str, Any]
    content: Callable[[], dict[str, Any]]

    def deliver(self, event: dict[str, Any], secret: str = SECRET, ago: int = 0) -> tuple[int, Any]:
        """Sign and send an event as Stripe does."""
        body = json.dumps(event).encode()
        return self.web.send(PATH, body, Stripe_Signature=sign(body, secret, int(time.time()) - ago))

    def deliver_at_once(self, event: dict[str, Any], times: int) -> list[tuple[int, Any]]:
        """The same event, many times at the same moment."""
        together = Barrier(times)

        def one(_: int) -> tuple[int, Any]:
            together.wait(20)
            return self.deliver(event)

        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(one, range(times)))

    def rows_of(self, event: str) -> int:
        """How many rows an event has."""
        return sum(event in row for row in self.content()["webhook_events rows"])

    def subscription(self, name: str) -> dict[str, Any] | None:
        """What the application knows of a subscription: `changes` counts the effects."""
        for _, stripe_id, status, as_of, changes in self.content()["subscriptions rows"]:
            if stripe_id == name:
                return {"status": status, "as_of": as_of, "changes": changes}
        return None

    @property
    def crash(self) -> Path:
        """The file at which the next process that inserts an event dies right after it."""
        return self.folder / "storage/crash-after-insert"


def subscription_event(event: str, subscription: str, kind: str, status: str, created: int) -> dict[str, Any]:
    """What Stripe sends about a subscription."""
    content = {"id": event, "object": "event", "created": created, "livemode": False}
    return content | {
        "type": f"customer.subscription.{kind}",
        "data": {"object": {"id": subscription, "status": status}},
    }


@contextmanager
def receiver(engine: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Receiver]:
    """The application with an empty database of an engine."""
    login, settings, database = login_of(engine, request, folder)
    app = folder / "app"
    shutil.copytree(FIXTURE, app)
    (app / ".env").write_text(env_file(engine, STRIPE_WEBHOOK_SECRET=SECRET, **settings))
    if engine == "sqlite":
        Path(login["database"]).touch()

    def content() -> dict[str, Any]:
        found = database()
        return {**{f"{name} rows": rows for name, rows in found.items()}, **found} if engine == "sqlite" else found

    subprocess.run(["php", "artisan", "migrate", "--force"], cwd=app, check=True, capture_output=True)
    (folder / "web").mkdir()
    with web(folder / "web", app, WORKERS) as server:
        yield Receiver(engine, app, server, login, content)
