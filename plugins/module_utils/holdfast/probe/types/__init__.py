# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of checks. A new one is a file here and a line below."""

from __future__ import annotations

from ..checks import CheckType
from .command import COMMAND
from .database import DATABASE
from .http import HTTP
from .queue import QUEUE
from .redis import REDIS
from .tcp import TCP

TYPES: dict[str, CheckType] = {
    "http": HTTP,
    "tcp": TCP,
    "command": COMMAND,
    "database": DATABASE,
    "redis": REDIS,
    "queue": QUEUE,
}
