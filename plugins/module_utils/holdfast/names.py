# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that become parts of paths: which are allowed, and identifiers that sort by time."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from .errors import InvalidInput

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_STAMP = "%Y%m%dT%H%M%S.%f"
_BEFORE = "__before_"
_KEPT_STAMP = "%Y%m%d%H%M%S"


def check_name(what: str, value: str) -> str:
    """Return `value` if it can stand in a path and in a file name on any system.

    Allowed are 1 to 64 letters, digits, dots, underscores and dashes of ASCII, the first a letter or digit.
    Raises InvalidInput that names `what`, the value and the rule.
    """
    if not _SAFE_NAME.fullmatch(value) or ".." in value:
        raise InvalidInput(
            f"{what} {value!r} cannot be used: give 1 to 64 letters, digits, dots, underscores or dashes, "
            "beginning with a letter or digit, without '..'."
        )
    return value


def stamp(moment: datetime) -> str:
    """The UTC time as it stands in identifiers: 20261123T150735.123456Z; such texts sort by time."""
    return moment.astimezone(timezone.utc).strftime(_STAMP) + "Z"


def new_stamp(existing: Iterable[str], now: datetime | None = None) -> str:
    """A stamp later than every stamp that begins one of the `existing` identifiers.

    A clock that was set back, or two runs within a microsecond, still give identifiers in order.
    """
    moment = now or datetime.now(timezone.utc)
    latest = max((seen for seen in map(stamp_of, existing) if seen), default=None)
    if latest is not None and latest >= moment:
        moment = latest + timedelta(microseconds=1)
    return stamp(moment)


def stamp_of(identifier: str) -> datetime | None:
    """The UTC time an identifier begins with, or None when it is not one of ours."""
    head = identifier.split("Z", 1)[0]
    try:
        return datetime.strptime(head, _STAMP).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def kept_suffix(now: datetime) -> str:
    """What the name of a database that is replaced now goes on with: __before_20261123150735, in UTC."""
    return f"{_BEFORE}{now.astimezone(timezone.utc):{_KEPT_STAMP}}"


def kept_since(name: str, database: str) -> datetime | None:
    """When the database was replaced that is kept under `name`; None for one that is not kept of `database`."""
    head, mark, tail = name.rpartition(_BEFORE)
    if head != database or not mark or len(tail) != 14 or not tail.isdecimal():
        return None
    try:
        return datetime.strptime(tail, _KEPT_STAMP).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def short_id() -> str:
    """Six random hexadecimal digits, so that two hosts never make the same identifier."""
    return secrets.token_hex(3)
