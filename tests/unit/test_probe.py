"""Health checks against a server that does everything wrong that a server can."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import InvalidInput
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import mask
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse, secrets_of
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.report import as_health_json, as_prometheus
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import Gate, Outcome, run_gate

from support.misbehaving import Misbehaving, misbehaving


@pytest.fixture(scope="module")
def server() -> Iterator[Misbehaving]:
    with misbehaving() as one:
        yield one


def ask(*checks: dict[str, Any], gate: Gate | None = None) -> Outcome:
    return run_gate(parse(checks), gate or Gate())


def output(check: dict[str, Any]) -> str:
    """What a check says that must fail."""
    outcome = ask(check)
    assert outcome.status == "fail"
    return outcome.results[0].output


def http(server: Misbehaving, path: str, **options: Any) -> dict[str, Any]:
    return {"type": "http", "url": server.url(path), "timeout": 1, **options}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"status": [200, 204]},
        {"status": "200"},
        {"body_contains": '"ok"'},
        {"body_regex": r"connected.: true"},
        {"json": {"status": "ok", "database.connected": True, "database.lag.1": "4"}},
    ],
)
def test_an_answer_that_is_as_expected_is_green(server, options):
    assert ask(http(server, "/ok", **options)).status == "pass"


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        ("/sick", {}, "expected status 200, got 500 (<h1>Whoops</h1> [2J)"),
        ("/missing", {}, "expected status 200, got 404"),
        ("/ok", {"body_contains": "database is fine"}, "expected the body to contain 'database is fine'"),
        ("/ok", {"json": {"database.connected": False}}, "expected database.connected to be False, got True"),
        ("/ok", {"json": {"database.name": "x"}}, "there is no database.name"),
        ("/sick", {"status": [500], "json": {"a": 1}}, "expected JSON, got <h1>Whoops"),
        ("/garbage", {}, "did not answer in proper HTTP"),
        ("/broken-off", {}, "the body broke off after 16 bytes"),
        ("/loop", {}, "got 302 (to /loop"),
        ("/loop", {"follow_redirects": True}, "redirects more than 10 times"),
        ("/away?to=file:///etc/passwd", {"follow_redirects": True}, "file:///etc/passwd"),
    ],
)
def test_what_was_expected_and_what_was_seen_is_told(server, path, options, said):
    assert said in output(http(server, path, **options))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/silent", "no answer from"),
        ("/drip", "did not end within 0.3 s"),
        ("/endless-headers", "did not end within 0.3 s"),
    ],
)
def test_a_time_limit_holds_whatever_the_server_does(server, path, said):
    started = time.monotonic()
    assert said in output(http(server, path, timeout=0.3))
    assert time.monotonic() - started < 5, "a limit of 0.3 s that is stretched by every byte would never end"


def test_a_hanging_check_does_not_delay_the_others(server):
    outcome = ask(*({**http(server, "/silent", timeout=0.5), "name": str(number)} for number in range(20)))
    assert len(outcome.results) == 20
    assert outcome.elapsed < 0.5 * 20 / 2


def test_no_one_there():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert "refused" in output({"type": "http", "url": f"http://127.0.0.1:{port}/"})
        assert "refused" in output({"type": "tcp", "host": "127.0.0.1", "port": port})
    assert "cannot be resolved" in output({"type": "tcp", "host": "no-such-host.invalid", "port": 1})


def test_tcp(server):
    assert ask({"type": "tcp", "host": "127.0.0.1", "port": server.port}).status == "pass"


def test_maintenance_is_passed_by_its_cookie(server):
    assert "expected status 200, got 503 (be right back)" in output(http(server, "/in-maintenance"))
    assert ask(http(server, "/in-maintenance", bypass_path="let-me-in")).status == "pass"
    wrong = output(http(server, "/in-maintenance", bypass_path="no-such-path"))
    assert "its bypass path had answered 404" in wrong


def test_a_secret_header_stays_with_its_own_server(server):
    with misbehaving() as other:
        target = other.url("/ok")
        check = http(server, f"/away?to={target}", follow_redirects=True, headers={"X-Api-Key": "s3cret-key"})
        assert ask(check).status == "pass"
        assert "s3cret-key" in server.requests[-1]
        assert "s3cret-key" not in other.requests[-1]


def test_a_secret_that_the_server_repeats_is_masked(server):
    check = http(
        server, "/echo", headers={"Authorization": "Bearer abcdef123456"}, login_password="pa'ss", login_user="u"
    )
    said = output({**check, "body_contains": "x"})
    assert "abcdef123456" not in said and "pa'ss" not in said
    assert "dTpwYSdzcw==" not in said, "the password in its base64 form"


@pytest.mark.parametrize(
    "shown",
    [
        'pä/s "w"&  o\'rd%',
        'pä/s "w"& o\'rd%',
        "p%C3%A4%2Fs%20%22w%22%26%20%20o%27rd%25",
        "p%C3%A4%2Fs+%22w%22%26++o%27rd%25",
        'p\\u00e4\\/s \\"w\\"&  o\'rd%',
        "pä/s &quot;w&quot;&amp;  o&#039;rd%",
        "cMOkL3MgInciJiAgbydyZCU=",
    ],
    ids=["as it is", "blanks joined", "in a URL", "in a form", "JSON of PHP's", "HTML of PHP's", "base64"],
)
def test_a_secret_is_masked_in_each_form_in_which_others_repeat_it(shown):
    secrets = secrets_of([{"login_password": 'pä/s "w"&  o\'rd%'}])
    assert mask(f"login with {shown} failed", secrets) == "login with ******** failed"


def test_what_is_secret_in_one_check_is_masked_in_the_output_of_all(server):
    database = {"type": "database", "engine": "sqlite", "database": "/nowhere", "login_password": "pw-of-shop"}
    page = http(server, "/echo", headers={"User-Agent": "Mozilla, DB_PASSWORD=pw-of-shop"}, body_contains="x")
    short = {**database, "name": "short", "login_password": "M"}
    outcome = ask(database, page, short)
    assert "Mozilla, DB_PASSWORD=********" in outcome.results[1].output, "M is in any text"


def test_what_is_secret_in_checks_is_known_before_they_are_understood():
    found = secrets_of(
        [
            {"type": "databse", "login_password": "pw1", "login_pasword": "pw2"},
            {"url": "https://user:pw3@host/?token=pw4&page=2", "headers": {"X-Auth": "pw5", "Accept": "text/html"}},
        ]
    )
    assert {"pw1", "pw2", "pw3", "pw4", "pw5"} <= found
    assert not {"text/html", "2"} & found


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"type": "htpt", "url": "http://x"}, "unknown type 'htpt'; did you mean 'http'?"),
        ({"type": "http", "ulr": "http://x"}, "no option 'ulr'; did you mean 'url'?"),
        ({"type": "HTTP", "url": "http://x"}, "unknown type 'HTTP'; did you mean 'http'?"),
        ({"type": "cert", "path": "x"}, "unknown type 'cert'; did you mean 'certificate'?"),
        ({"type": "mysql", "database": "x", "user": "x"}, "no option 'user'; did you mean 'login_user'?"),
        ({"type": "mysql", "database": "x", "Socket": "x"}, "did you mean 'login_unix_socket'?"),
        ({"type": "disk", "path": "/", "warn": {"used": 80}}, "no 'used'; did you mean 'used_percent'?"),
        ({"type": "load", "timeout": 1e300}, "at most"),
        ({"type": "dns", "domain": "x", "record": "MX"}, "give the server to ask"),
        ({"type": "http"}, "needs the option 'url'"),
        ({"type": "disk", "path": ""}, "the option 'path' must not be empty"),
        (
            {"type": "webhook_idempotency", "engine": "sqlite", "database": "x", "table": "x", "deliver": True},
            "needs url and signing_secret to deliver",
        ),
        ({"url": "http://x"}, "has no type"),
        ({"type": "http", "url": "ftp://x"}, "must be a URL"),
        ({"type": "http", "url": "http://user:pw@x"}, "login_user and login_password instead"),
        ({"type": "http", "url": "http://x", "timeout": 0}, "more than 0 seconds"),
        ({"type": "http", "url": "http://x", "body_regex": "("}, "must be a regular expression"),
        ({"type": "http", "url": "http://x", "headers": {"A": "b\r\nX: y"}}, "line break"),
        ({"type": "tcp", "port": 70000}, "between 1 and 65535"),
        ({"type": "command", "command": "echo 'x"}, "splits into them"),
        ({"type": "database", "engine": "oracle", "database": "x"}, "must be one of sqlite, mysql, postgresql"),
        ("http://x", "not a mapping"),
    ],
)
def test_a_wrong_check_is_refused_before_anything_is_asked(check, said, tmp_path):
    marker = tmp_path / "ran"
    with pytest.raises(InvalidInput) as refused:
        ask({"type": "command", "command": f"touch {marker}"}, check)
    assert said in str(refused.value) and "Check 2" in str(refused.value)
    assert not marker.exists()


def test_two_checks_of_one_name_are_refused():
    with pytest.raises(InvalidInput, match="Give each a name"):
        ask({"type": "tcp", "port": 1}, {"type": "tcp", "port": 1})


def command(words: Any, **options: Any) -> dict[str, Any]:
    return {"type": "command", "command": words, **options}


def test_commands(tmp_path):
    assert ask(command("test -d .", chdir=str(tmp_path))).status == "pass"
    assert (
        ask(command(["sh", "-c", "echo RUNNING; exit 3"], exit_status=[3], output_contains="RUNNING")).status == "pass"
    )
    assert "expected exit status 0, got status 3 (its output: why)" in output(command(["sh", "-c", "echo why; exit 3"]))
    assert "got signal 9" in output(command(["sh", "-c", "kill -9 $$"]))
    assert "cannot be run" in output(command("no-such-program"))
    assert ask(command("echo a; touch x", chdir=str(tmp_path))).status == "pass"
    assert not (tmp_path / "x").exists(), "there is no shell"


def test_a_command_that_does_not_end_is_killed_with_its_children(tmp_path):
    pid_file = tmp_path / "pid"
    said = output(command(["sh", "-c", f"sleep 300 & echo $! > {pid_file}; echo started; wait"], timeout=0.5))
    assert "did not end within 0.5 s (its output: started)" in said
    state = subprocess.run(["ps", "-o", "stat=", "-p", pid_file.read_text().strip()], capture_output=True, text=True)
    assert state.stdout.strip()[:1] in ("", "Z"), "the grandchild is gone"


def test_a_flood_of_output_fills_no_memory():
    flood = [sys.executable, "-c", "import os\nfor _ in range(64): os.write(1, b'x' * (1 << 20))"]
    assert ask(command(flood, timeout=30)).status == "pass"


def test_sqlite(tmp_path):
    path = tmp_path / "a b?.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t AS SELECT 5 AS n")
    check = {"type": "database", "engine": "sqlite", "database": str(path)}
    assert ask({**check, "query": "SELECT n FROM t", "expect": "5"}).status == "pass"
    assert "expected the query to give 6, got 5" in output({**check, "query": "SELECT n FROM t", "expect": 6})
    assert "gave no row" in output({**check, "query": "SELECT n FROM t WHERE n > 9", "expect": 6})
    assert "readonly" in output({**check, "query": "DELETE FROM t"})
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT COUNT(*) FROM c"
    assert "no answer within 0.3 s" in output({**check, "query": endless, "timeout": 0.3})
    missing = {**check, "database": str(tmp_path / "none.sqlite")}
    assert "there is no file" in output(missing)
    assert not (tmp_path / "none.sqlite").exists()


def counting(path: Path, green_from: int) -> dict[str, Any]:
    """A command that is green from its n-th run on."""
    script = f"echo x >> {path}; test $(wc -l < {path}) -ge {green_from}"
    return command(["sh", "-c", script], name="app")


def test_the_gate_waits_for_so_many_green_rounds_in_a_row(tmp_path):
    outcome = ask(counting(tmp_path / "runs", 3), gate=Gate(successes=2, timeout=30, interval=0.01))
    assert (outcome.status, outcome.rounds) == ("pass", 4)


def test_a_gate_that_stays_shut_says_why(tmp_path):
    outcome = ask(counting(tmp_path / "runs", 10**6), gate=Gate(successes=2, timeout=0.2, interval=0.01))
    assert outcome.status == "fail" and outcome.rounds > 1
    assert "Health gate failed after" in outcome.verdict() and "app: expected exit status 0" in outcome.verdict()
    assert ask(counting(tmp_path / "others", 2)).rounds == 1, "without a time limit the first red round is the last"


def test_rounds_that_are_green_when_time_is_over_may_become_enough(tmp_path):
    gate = Gate(successes=3, timeout=0.01, interval=0.02)
    outcome = ask(counting(tmp_path / "runs", 1), gate=gate)
    assert (outcome.status, outcome.rounds) == ("pass", 3)
    only_once = command(["sh", "-c", f"mkdir {tmp_path}/once"], name="app")
    outcome = ask(only_once, gate=gate)
    assert (outcome.status, outcome.rounds) == ("fail", 2)


def test_an_advisory_check_warns_only(tmp_path):
    outcome = ask({**command("false"), "critical": False, "name": "cache"}, command("true"))
    assert outcome.status == "warn"
    assert [(one.name, one.status) for one in outcome.results] == [("cache", "warn"), ("command true", "pass")]


def test_reports_for_other_programs():
    outcome = ask({**command("false"), "name": 'a "b"\\'}, command("true"))
    health = json.loads(json.dumps(as_health_json(outcome)))
    assert health["status"] == "fail"
    assert health["checks"]['a "b"\\'][0]["status"] == "fail"
    assert "output" not in health["checks"]["command true"][0]
    lines = as_prometheus(outcome).splitlines()
    assert 'holdfast_probe_up{check="a \\"b\\"\\\\",type="command"} 0' in lines
    assert 'holdfast_probe_up{check="command true",type="command"} 1' in lines


def test_in_a_dry_run_commands_are_not_run(tmp_path):
    outcome = run_gate(parse([command(f"touch {tmp_path}/ran")]), Gate(), dry_run=True)
    assert outcome.status == "pass" and "not run in check mode" in outcome.results[0].output
    assert not (tmp_path / "ran").exists()
