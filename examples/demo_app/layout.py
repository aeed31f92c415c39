# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the application lives: the release it was started from, and the folders that outlive releases."""

from __future__ import annotations

import os
from pathlib import Path

# Resolved once, at the start: a process keeps the release it began with, wherever `current` points later.
RELEASE = Path(__file__).resolve().parent
VERSION = (RELEASE / "VERSION").read_text().strip()

# Both are links into shared/ in a deployed release.
DATABASE = RELEASE / "data" / "orders.sqlite"
RUN = RELEASE / "run"
MAINTENANCE = RUN / "maintenance"

# During maintenance, GET BYPASS gives a cookie that lets its bearer in. A real application wants a secret path.
BYPASS = "/bypass"
BYPASS_COOKIE = "maintenance_bypass=yes"

PORT = int(os.environ.get("DEMO_PORT", "8780"))


def live_release() -> Path:
    """The folder that `current` points at now, or this one when it is not deployed as a release."""
    current = RELEASE.parent.parent / "current"
    return current.resolve() if current.is_symlink() else RELEASE
