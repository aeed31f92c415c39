# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One message of all there is to tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from ..errors import HoldfastError
from ..notify import send
from .alerts import Notice
from .config import Config

_KEPT = 100
_NAMED = 3


def tell(config: Config, notices: Sequence[Notice]) -> tuple[list[Notice], list[str]]:
    """Send the notices in one message to all services.

    Returns those to try again, which are all when no service took the message, and a sentence for each failure.
    """
    if not notices or not config.urls:
        return [], []
    good = all(notice.good for notice in notices)
    try:
        sent, problems = send(config.urls, _title(config.title, notices), _text(notices), good=good)
    except HoldfastError as error:
        return list(notices[-_KEPT:]), [f"Nobody can be told: {error}"]
    return ([] if sent else list(notices[-_KEPT:])), list(problems)


def _title(where: str, notices: Sequence[Notice]) -> str:
    named = ", ".join(notice.title for notice in notices[:_NAMED])
    more = len(notices) - _NAMED
    return f"{where}: {named}" + (f", and {more} more" if more > 0 else "")


def _text(notices: Sequence[Notice]) -> str:
    return "\n".join(f"{_time(notice.at)} {notice.title}. {notice.text}" for notice in notices)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%H:%M UTC")
