"""The rules of restic's forget, over timestamps alone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.retention import (
    Duration,
    Policy,
    reasons_to_keep,
)
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import InvalidInput

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)


def kept(times, now=NOW, **policy):
    """The points in time that are kept, newest first, each with its reasons."""
    found = zip(times, reasons_to_keep(times, Policy(**policy), now))
    return [(time, reasons) for time, reasons in sorted(found, reverse=True) if reasons]


def daily(count, first=NOW):
    return [first - timedelta(days=day) for day in range(count)]


def test_the_last_ones_in_any_order():
    times = daily(5)[::-1]
    assert kept(times, keep_last=2) == [(NOW, ["last"]), (NOW - timedelta(days=1), ["last"])]
    assert len(kept(times, keep_last=-1)) == 5
    assert kept([], keep_last=1) == []


def test_the_newest_of_each_day_and_the_oldest_of_all_while_there_is_room():
    times = [NOW, NOW - timedelta(hours=1), NOW - timedelta(hours=24), NOW - timedelta(hours=25)]
    assert kept(times, keep_daily=2) == [(times[0], ["daily"]), (times[2], ["daily"])]
    assert kept(times, keep_daily=3)[2:] == [(times[3], ["oldest daily"])]


def test_one_set_may_be_kept_for_several_reasons():
    assert kept([NOW], keep_last=1, keep_weekly=1, keep_within=Duration(d=1))[0][1] == ["last", "weekly", "within 1d"]


def test_weeks_are_those_of_iso_8601():
    thursday = datetime(2026, 12, 31, tzinfo=timezone.utc)
    friday, monday = thursday + timedelta(days=1), thursday + timedelta(days=4)
    assert [time for time, _ in kept([thursday, friday, monday], now=monday, keep_weekly=2)] == [monday, friday]


def test_within_counts_back_from_the_newest_set_and_not_from_now():
    old = daily(10, NOW - timedelta(days=400))
    assert len(kept(old, keep_within=Duration(d=3))) == 3, "the limit itself is outside"


def test_a_set_from_the_future_does_not_make_all_others_old():
    times = [NOW + timedelta(days=3650), *daily(3)]
    assert len(kept(times, keep_within=Duration(d=7))) == 4


def test_calendar_months_are_counted_on_where_a_day_is_missing():
    march = datetime(2026, 3, 31, tzinfo=timezone.utc)
    assert Duration(m=1).before(march) == datetime(2026, 3, 3, tzinfo=timezone.utc)
    assert Duration(y=1, m=2, d=3, h=4).before(march) == datetime(2025, 1, 27, 20, tzinfo=timezone.utc)
    assert Duration(y=9999).before(march).year == 1


@pytest.mark.parametrize("text", ["", "7", "d", "7d7d", "7 d", "-7d", "7w", "1d2", "x1d"])
def test_a_wrong_duration_is_refused(text):
    with pytest.raises(InvalidInput, match="write it like 7d"):
        Duration.parse(text)


def test_a_duration_reads_as_it_was_written():
    assert str(Duration.parse("1y2m3d4h")) == "1y2m3d4h"
