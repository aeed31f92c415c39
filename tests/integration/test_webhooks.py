"""Webhooks as they come: many times, at once, late, in the wrong order, forged; and the check that tries it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round

from support.playbook import run_module
from support.processes import free_port
from support.receiver import PATH, SECRET, Receiver, receiver, subscription_event

ENGINES = ["sqlite", "mysql", "postgresql"]


@pytest.fixture(scope="module", params=ENGINES)
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with receiver(request.param, request, tmp_path_factory.mktemp("receiver")) as one:
        yield one


def test_the_same_event_sixteen_times_at_once_has_one_effect(shop):
    for turn in range(3):
        event = subscription_event(f"evt_at_once_{turn}", f"sub_at_once_{turn}", "updated", "active", 100)
        answers = shop.deliver_at_once(event, 16)
        assert [status for status, _ in answers] == [200] * 16, answers
        assert sorted(body["received"] for _, body in answers) == ["before"] * 15 + ["now"]
        assert shop.rows_of(event["id"]) == 1
        assert shop.subscription(f"sub_at_once_{turn}") == {"status": "active", "as_of": 100, "changes": 1}


def test_an_event_that_comes_again_after_its_success_has_no_further_effect(shop):
    event = subscription_event("evt_again", "sub_again", "created", "incomplete", 100)
    assert shop.deliver(event) == (200, {"received": "now"})
    assert shop.deliver(event, ago=-1) == (200, {"received": "before"}), "Stripe signs each attempt anew"
    assert shop.rows_of("evt_again") == 1 and shop.subscription("sub_again")["changes"] == 1


def test_an_event_whose_receiver_died_between_insert_and_effect_is_taken_when_it_comes_again(shop):
    event = subscription_event("evt_crash", "sub_crash", "created", "active", 100)
    shop.crash.touch()
    status, _ = shop.deliver(event)
    assert status == 502 and not shop.crash.exists(), "the process died"
    assert shop.rows_of("evt_crash") == 0 and shop.subscription("sub_crash") is None
    assert shop.deliver(event) == (200, {"received": "now"})
    assert shop.rows_of("evt_crash") == 1 and shop.subscription("sub_crash")["changes"] == 1


def test_one_of_many_receivers_dying_leaves_one_effect(shop):
    event = subscription_event("evt_one_dies", "sub_one_dies", "updated", "active", 100)
    shop.crash.touch()
    answers = [status for status, _ in shop.deliver_at_once(event, 16)]
    assert not shop.crash.exists() and sorted(answers) == [200] * 15 + [502]
    assert shop.rows_of("evt_one_dies") == 1 and shop.subscription("sub_one_dies")["changes"] == 1


def test_events_in_the_wrong_order_end_in_the_right_state(shop):
    created = subscription_event("evt_first", "sub_order", "created", "incomplete", 100)
    active = subscription_event("evt_second", "sub_order", "updated", "active", 100)
    canceled = subscription_event("evt_third", "sub_order", "deleted", "canceled", 102)
    for event in (canceled, active, created):
        assert shop.deliver(event) == (200, {"received": "now"})
    assert shop.subscription("sub_order") == {"status": "canceled", "as_of": 102, "changes": 3}
    late = subscription_event("evt_second_of_b", "sub_order_b", "updated", "active", 100)
    early = subscription_event("evt_first_of_b", "sub_order_b", "created", "incomplete", 100)
    for event in (late, early):
        shop.deliver(event)
    assert shop.subscription("sub_order_b")["status"] == "active", "in the same second too"


@pytest.mark.parametrize(
    "how",
    [{"secret": "whsec_of_somebody_else"}, {"ago": 301}, {"ago": -3600}],
    ids=["wrong secret", "too old", "from the future"],
)
def test_what_is_forged_or_stale_is_refused_and_leaves_nothing(shop, how):
    event = subscription_event("evt_forged", "sub_forged", "updated", "active", 100)
    assert shop.deliver(event, **how) == (400, {"error": "bad signature"})
    assert shop.rows_of("evt_forged") == 0 and shop.subscription("sub_forged") is None


def test_a_body_that_was_changed_or_has_no_signature_is_refused(shop):
    assert shop.web.send(PATH, b'{"id": "evt_x"}')[0] == 400
    assert shop.web.send(PATH, b'{"id": "evt_x"}', Stripe_Signature="t=1,v1=")[0] == 400
    assert shop.web.send(PATH, b'{"id": "evt_x"}', Stripe_Signature="v1=1,t=1,t=2")[0] == 400
    assert shop.rows_of("evt_x") == 0


def check_of(shop: Receiver, **options: Any) -> dict[str, Any]:
    check = {"name": "webhooks", "type": "webhook_idempotency", "engine": shop.engine, **shop.login}
    return {**check, "table": "webhook_events", "timeout": 20, **options}


def delivering(shop: Receiver, **options: Any) -> dict[str, Any]:
    sending = {"deliver": True, "url": shop.web.url(PATH), "signing_secret": SECRET}
    return check_of(shop, **{**sending, **options})


def looked(check: dict[str, Any], **how: Any) -> Result:
    return run_round(parse([check]), **how)[0]


def test_the_check_delivers_one_event_many_times_and_leaves_nothing(shop):
    before = shop.content()["webhook_events rows"]
    seen = looked(delivering(shop))
    assert (seen.status, seen.output) == ("pass", "of 16 deliveries of one event at once one was kept")
    assert seen.values["duplicates"] == 0
    assert shop.content()["webhook_events rows"] == before


def test_the_check_delivers_nothing_in_check_mode_and_otherwise_looks(shop):
    dead = f"http://127.0.0.1:{free_port()}/"
    seen = looked(delivering(shop, url=dead), dry_run=True)
    assert seen.status == "pass" and "not run in check mode" in seen.output
    seen = looked(check_of(shop), dry_run=True)
    assert seen.status == "pass" and "keeps duplicates out" in seen.output


def test_the_check_tells_who_refused_and_hides_the_secret(shop):
    seen = looked(delivering(shop, signing_secret="whsec_wr0ng", deliveries=3))
    assert (seen.status, seen.verdict) == ("fail", "refused")
    assert "expected 3 answers of 2xx, got 0, and 3 of 400; rows of the event: 0" in seen.output
    seen = looked(delivering(shop, url=f"http://127.0.0.1:{free_port()}/", deliveries=2))
    assert seen.status == "fail" and "Connection refused" in seen.output


@pytest.mark.parametrize("shop", ["postgresql"], indirect=True)
def test_the_module_runs_the_check_and_shows_no_secret(shop):
    wrong = {**delivering(shop, deliveries=2, signing_secret="whsec_wr0ng"), "name": "wrong", "critical": False}
    result, shown = run_module("health_probe", {"checks": [delivering(shop, deliveries=2), wrong]})
    assert [one["status"] for one in result["results"]] == ["pass", "warn"]
    assert SECRET not in shown and "whsec_wr0ng" not in shown


def test_the_check_finds_an_endpoint_that_keeps_nothing(shop):
    seen = looked(delivering(shop, url=shop.web.url("/orders") + "?customer=x&amount_cents=1", deliveries=2))
    assert (seen.status, seen.verdict) == ("fail", "lost")
    assert "expected 1 row of the event that was delivered, found none" in seen.output


def test_a_row_by_another_provider_s_name_is_found_told_and_removed(shop):
    seen = looked(delivering(shop, provider="paypal", deliveries=3))
    assert seen.status == "warn" and "not as one of paypal: set provider to what the application writes" in seen.output
    assert not [row for row in shop.content()["webhook_events rows"] if "holdfast" in str(row)]


@pytest.mark.parametrize("rights", [True, False], ids=["may delete", "may not"])
def test_the_row_of_the_check_is_removed_or_it_says_that_it_is_left(shop, rights):
    if shop.engine != "sqlite":
        return  # what an engine refuses is told the same way
    if not rights:
        with sqlite3.connect(shop.login["database"]) as connection:
            connection.execute(
                "CREATE TRIGGER keep BEFORE DELETE ON webhook_events BEGIN SELECT RAISE(ABORT, 'kept'); END"
            )
        connection.close()
    seen = looked(delivering(shop))
    assert seen.status == ("pass" if rights else "warn")
    assert ("is left: the database" in seen.output) is not rights


def test_the_check_finds_an_endpoint_that_stumbles_over_its_own_key(tmp_path):
    path = tmp_path / "events.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE events (event_id TEXT PRIMARY KEY)")
    check = {"type": "webhook_idempotency", "engine": "sqlite", "database": str(path), "table": "events"}
    with stumbling(path) as url:
        sending = {"columns": ["event_id"], "deliver": True, "url": url, "signing_secret": "whsec_x", "deliveries": 4}
        seen = looked({**check, **sending, "timeout": 20})
    assert (seen.status, seen.verdict) == ("fail", "refused")
    assert seen.output.startswith(
        "expected 4 answers of 2xx, got 1, and 3 of 500; rows of the event: 1: one that comes"
    )
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM events").fetchall() == []


def test_an_endpoint_that_does_not_answer_in_time_leaves_no_row_of_the_check(tmp_path):
    path = tmp_path / "events.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE events (event_id TEXT PRIMARY KEY)")
    check = {"type": "webhook_idempotency", "engine": "sqlite", "database": str(path), "table": "events"}
    late = threading.Event()
    with stumbling(path, late) as url:
        sending = {"columns": ["event_id"], "deliver": True, "url": url, "signing_secret": "whsec_x", "deliveries": 2}
        seen = looked({**check, **sending, "timeout": 2})
        late.set()
    assert seen.status == "fail" and seen.output.startswith("expected 2 answers of 2xx, got 0, and ")
    assert "of no answer: " in seen.output and seen.output.endswith("rows of the event: 1")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM events").fetchall() == []


@contextlib.contextmanager
def stumbling(path: Path, until: threading.Event | None = None) -> Iterator[str]:
    """An endpoint that inserts each event, and answers 500 when the key refuses it; not before something happens."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as connection:
                    connection.execute("INSERT INTO events VALUES (?)", (event["id"],))
                status = 200
            except sqlite3.IntegrityError:
                status = 500
            if until:
                until.wait(20)
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        server.shutdown()
        server.server_close()


def test_the_check_fails_without_a_key_and_counts_the_duplicates(tmp_path):
    path = tmp_path / "events.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, provider TEXT, webhook_id TEXT)")
        connection.execute("INSERT INTO events VALUES (1, 'a', 'x'), (2, 'a', 'x'), (3, 'a', NULL)")
    connection.close()
    check = {"type": "webhook_idempotency", "engine": "sqlite", "database": str(path), "table": "events"}
    seen = looked(check)
    assert (seen.status, seen.verdict) == ("fail", "unguarded")
    assert seen.output.startswith("expected a unique key on (provider, webhook_id) of events, there is none")
    assert (seen.values["duplicates"], seen.values["nulls"]) == (1, 1)
    assert "has no table 'event'" in looked({**check, "table": "event"}).output
