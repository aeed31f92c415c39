"""What numbers of a queue and the state of its workers tell."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import InvalidInput
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.queues.redis import slug
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.queues.verdict import (
    Counts,
    Finding,
    Rules,
    judge,
    mostly_failed,
    old_code,
    worst,
)
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.workers import Worker

RUNS = Worker(1, stopped=False, began=0, rss=0, home=None, deleted=False)
STOPPED = Worker(2, stopped=True, began=0, rss=0, home=None, deleted=False)


@pytest.mark.parametrize(
    ("counts", "workers", "moved", "wanted"),
    [
        ({}, [RUNS], False, None),
        ({}, [], False, None),
        ({"delayed": 5}, [], False, None),
        ({"pending": 1}, [], True, ("no_workers", "fail")),
        ({"reserved": 1}, [], False, ("no_workers", "fail")),
        ({"pending": 1, "oldest_s": 59}, [RUNS], False, None),
        ({"pending": 1, "oldest_s": 60}, [RUNS], False, ("stalled", "fail")),
        ({"pending": 1, "oldest_s": 60}, None, False, ("stalled", "fail")),
        ({"pending": 1, "oldest_s": 60}, [RUNS], True, None),
        ({"pending": 1, "oldest_s": None}, [RUNS], False, None),
        ({"pending": 9, "oldest_s": 600, "reserved": 1}, [RUNS], False, None),
        ({"pending": 9, "oldest_s": 600, "reserved": 1, "expired": 1}, [RUNS], False, ("stalled", "fail")),
        ({"pending": 9, "oldest_s": 600, "reserved": 2, "expired": 1}, [RUNS], False, None),
        ({"pending": 9, "oldest_s": 600, "reserved": 1, "orphaned": 1}, [RUNS], False, ("stalled", "fail")),
        ({"pending": 1, "overdue": 1}, [RUNS], False, ("stalled", "fail")),
        ({"pending": 1}, [STOPPED, STOPPED], True, ("stalled", "fail")),
        ({"reserved": 1}, [STOPPED], False, ("stalled", "fail")),
        ({"pending": 1, "oldest_s": 1}, [STOPPED, RUNS], False, None),
        ({"reserved": 1, "orphaned": 1, "attempts": 1}, [RUNS], False, None),
        ({"reserved": 1, "orphaned": 1, "attempts": 2}, [RUNS], False, ("failing", "warn")),
        ({"reserved": 1, "orphaned": 1, "attempts": 3}, [RUNS], False, ("failing", "fail")),
        ({"reserved": 4, "orphaned": 2, "attempts": 1}, [RUNS], False, None),
        ({"reserved": 4, "orphaned": 3, "attempts": 1}, [RUNS], False, ("failing", "warn")),
        ({"reserved": 1, "attempts": 3}, [RUNS], False, None),
    ],
)
def test_verdicts(counts, workers, moved, wanted):
    rules = Rules(workers, retry_after=90, stalled_after=60)
    (found,) = judge([Counts("default", "default", **counts)], rules, {"default"} if moved else ())
    assert (found and (found.verdict, found.status)) == wanted


@pytest.mark.parametrize(
    ("queues", "verdict"),
    [
        ({"high", "low"}, None),
        ({"high"}, "no_workers"),
        (set(), "stalled"),
    ],
)
def test_a_queue_waits_while_its_workers_are_at_work_in_another(queues, verdict):
    high = Counts("high", "queues:high", reserved=1)
    low = Counts("low", "queues:low", pending=5, oldest_s=600)
    rules = Rules([replace(RUNS, queues=frozenset(queues))], retry_after=90, stalled_after=60)
    for moved, one in (((), high), (("queues:high",), replace(high, reserved=0))):
        fine, found = judge([one, low], rules, moved)
        assert fine is None
        assert (found and found.verdict) == verdict


def test_workers_of_other_queues_do_not_count():
    stopped = replace(STOPPED, queues=frozenset({"mails"}))
    rules = Rules([stopped, replace(RUNS, queues=frozenset({"default"}))], retry_after=90, stalled_after=60)
    mails = Counts("mails", "mails", pending=1)
    (found,) = judge([mails], rules, ())
    assert found is not None and found.verdict == "stalled" and "every worker for it is stopped" in found.said


@pytest.mark.parametrize(
    ("failed", "done", "exact", "wanted"),
    [(3, 5, True, "failing"), (3, 6, True, None), (2, 2, True, None), (3, 3, False, None)],
)
def test_most_of_what_was_done_failed(failed, done, exact, wanted):
    found = mostly_failed(failed, [Counts("default", "default", done=done, exact=exact)])
    assert (found and found.verdict) == wanted


def test_the_worst_is_told():
    stalled, failing = Finding("stalled", "fail", ""), Finding("failing", "fail", "")
    warning = Finding("failing", "warn", "")
    old = old_code(["8", "7", "8"])
    assert worst([None, old, failing, stalled]) is stalled
    assert worst([old, warning, None]) is warning
    assert old is not None and "3 workers run the code of 7, 8" in old.said
    assert worst([None, old_code([])]) is None


@pytest.mark.parametrize(
    ("name", "until_12", "from_13"),
    [
        ("Orders", "orders", "orders"),
        ("My Shop 2", "my_shop_2", "my-shop-2"),
        ("shop_one-two", "shop_one_two", "shop-one-two"),
        ("Café & Bar @ Home!", "cafe_bar_at_home", "cafe-bar-at-home"),
    ],
)
def test_the_prefix_of_laravel(name, until_12, from_13):
    assert (slug(name, "_"), slug(name, "-")) == (until_12, from_13)


def test_options_that_do_not_go_together_are_refused_before_anything_is_asked():
    for check, said in (
        ({}, "the backend 'database' needs 'engine', 'database'"),
        ({"engine": "sqlite"}, "the backend 'database' needs"),
        ({"backend": "redis", "database": "shop"}, "'database' must be a number"),
        ({"backend": "redis", "failed_engine": "mysql"}, "'failed_engine' needs 'failed_database'"),
        ({"backend": "redis", "queue": []}, "'queue' must be one name or more"),
        ({"backend": "redis", "queue": ["a", "a"]}, "'queue' must be one name or more, each once"),
        ({"backend": "redis", "failed_table": "x; DROP"}, "'failed_table' must be the name of a table"),
    ):
        with pytest.raises(InvalidInput) as caught:
            parse([{"type": "queue", **check}])
        assert said in str(caught.value)
