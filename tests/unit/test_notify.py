"""People are told once of each change, and again of what stays bad."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.notify import Told, due

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
DAY = 86400


@pytest.mark.parametrize(
    ("told", "hours_ago", "status", "kind"),
    [
        (None, 0, "ok", "success"),
        (None, 0, "failed", "failed"),
        (None, 0, "missed", "missed"),
        ("ok", 100, "ok", None),
        ("ok", 1, "failed", "failed"),
        ("ok", 1, "missed", "missed"),
        ("failed", 23, "failed", None),
        ("failed", 24, "failed", "reminder of failed"),
        ("missed", 25, "missed", "reminder of missed"),
        ("failed", 1, "missed", "missed"),
        ("failed", 1, "ok", "recovery"),
        ("missed", 100, "ok", "recovery"),
    ],
)
def test_what_is_told(told, hours_ago, status, kind):
    last = Told(told, NOW - timedelta(hours=hours_ago)) if told else None
    assert due(last, status, NOW, DAY) == kind
