"""Results as other programs and people read them: health+json, Prometheus, files, and the history of a day."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.checks import Result
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.history import BUCKET_S, BUCKETS, History
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.report import as_health_json, as_prometheus
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import Outcome
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.write import Files, write

from support.playbook import run_module

NOW = 1_795_600_000.0
AT = "2026-11-25T09:46:40.000+00:00"


def result(name: str, status: str = "pass", **more: object) -> Result:
    values = {"latency_ms": 12.5}
    return replace(Result(name, "tcp", status, "said so", 12.5, AT, True, values, "", "live", 0.0), **more)


def outcome(*results: Result) -> Outcome:
    return Outcome(list(results), 1, 0.1, NOW)


def test_health_json_names_components_without_colons_and_gives_each_value_an_entry():
    health = as_health_json(outcome(result("tcp web:80", "fail"), result("db")))
    assert health["status"] == "fail"
    assert set(health["checks"]) == {"tcp web 80", "tcp web 80:responseTime", "db", "db:responseTime"}
    common = {"componentId": "tcp web:80", "componentType": "component", "time": AT}
    assert health["checks"]["tcp web 80"] == [{**common, "status": "fail", "output": "said so"}]
    assert health["checks"]["tcp web 80:responseTime"] == [{**common, "observedValue": 12.5, "observedUnit": "ms"}]
    assert "output" not in health["checks"]["db"][0]


def test_two_names_that_differ_in_a_colon_share_a_component():
    entries = as_health_json(outcome(result("a:b"), result("a b", "warn")))["checks"]["a b"]
    assert [(one["componentId"], one["status"]) for one in entries] == [("a:b", "pass"), ("a b", "warn")]


def test_prometheus_gets_status_values_ages_and_when_it_was_written():
    text = as_prometheus(outcome(result("shop", "warn", cache="hit", age=123456.75), result('a"b\\')))
    lines = text.splitlines()
    assert 'holdfast_probe_up{check="shop",type="tcp"} 0' in lines
    assert 'holdfast_probe_status{check="shop",type="tcp"} 1' in lines
    assert 'holdfast_probe_status{check="a\\"b\\\\",type="tcp"} 0' in lines
    assert 'holdfast_probe_value{check="shop",type="tcp",measure="latency_ms",unit="ms"} 12.5' in lines
    assert 'holdfast_probe_duration_seconds{check="shop",type="tcp"} 0.0125' in lines
    assert 'holdfast_probe_age_seconds{check="shop",type="tcp"} 123456.75' in lines
    assert "holdfast_probe_last_run_timestamp_seconds 1795600000" in lines
    assert text.endswith("\n") and len([line for line in lines if line.startswith("# TYPE")]) == 6


def test_the_history_keeps_the_worst_of_each_quarter_of_an_hour(tmp_path):
    history = History()
    for seconds, status, latency in ((0, "pass", 10.0), (60, "fail", 30.0), (120, "warn", 20.0)):
        history.add([result("shop", status, latency_ms=latency)], NOW - NOW % BUCKET_S + seconds)
    history.save(tmp_path / "kept")
    day = History.load(tmp_path / "kept").day("shop", NOW)
    assert len(day) == BUCKETS and [bucket for _, bucket in day[:-1]] == [None] * (BUCKETS - 1)
    start, bucket = day[-1]
    assert bucket and (start, bucket.status, bucket.looks, bucket.latency_ms) == (NOW - NOW % BUCKET_S, "fail", 3, 20.0)


def test_the_history_holds_a_day_and_forgets_checks_that_are_gone(tmp_path):
    history = History()
    history.add([result("gone")], NOW)
    for minute in range(3 * 24 * 60):
        history.add([result("shop")], NOW + minute * 60)
    history.save(tmp_path / "kept")
    kept = json.loads((tmp_path / "kept").read_text())
    assert list(kept) == ["shop"] and len(kept["shop"]) == BUCKETS
    # A clock that is set back leaves nothing of the future.
    history.add([result("shop")], NOW)
    assert [bucket.looks for _, bucket in history.day("shop", NOW) if bucket] == [1]


@pytest.mark.parametrize("broken", ["", "{", "[]", "7", '{"a": []}', '{"a": {"x": 1}}', '{"a": {"1": ["odd", 1, 1]}}'])
def test_a_broken_history_is_begun_anew(tmp_path, broken):
    (tmp_path / "kept").write_text(broken)
    history = History.load(tmp_path / "kept")
    history.add([result("shop")], NOW)
    history.save(tmp_path / "kept")
    assert History.load(tmp_path / "kept").day("shop", NOW)[-1][1]


def test_what_cannot_be_written_is_told_and_the_rest_is_written(tmp_path):
    files = Files(tmp_path / "health.json", Path("/proc/no/holdfast.prom"), tmp_path / "page.html")
    problems = write(files, outcome(result("shop")), "Health", 60)
    assert problems == ["Cannot write /proc/no/holdfast.prom: No such file or directory."]
    assert json.loads(files.health_json.read_text())["status"] == "pass"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".page.html.history", "health.json", "page.html"]


def test_the_module_writes_files_that_all_can_read_but_not_in_check_mode(tmp_path):
    files = {"write_health_json": "health.json", "write_prometheus": "holdfast.prom", "write_page": "page.html"}
    arguments = {
        "checks": [{"name": "<b>me</b>", "type": "command", "command": "true"}],
        **{option: str(tmp_path / name) for option, name in files.items()},
    }
    run_module("health_probe", arguments, "--check")
    assert not list(tmp_path.iterdir())
    done, output = run_module("health_probe", arguments)
    assert done["changed"] is False, output
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {name: 0o644 for name in files.values()} | {".page.html.history": 0o600}
    assert "&lt;b&gt;me&lt;/b&gt;" in (tmp_path / "page.html").read_text()
    assert 'holdfast_probe_up{check="<b>me</b>",type="command"} 1' in (tmp_path / "holdfast.prom").read_text()
    missing, output = run_module("health_probe", {**arguments, "write_page": "/proc/no/page.html"})
    assert missing["status"] == "pass" and "Cannot write /proc/no/page.html" in output
