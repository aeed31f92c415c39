#!/usr/bin/env python3
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue worker of the demonstration: marks waiting orders with the release that processed them."""

from __future__ import annotations

import signal
import sqlite3
import sys
import threading

import orders
from layout import RELEASE

PAUSE_S = 0.2


def main() -> None:
    """Work until SIGTERM, and never stop in the middle of a batch."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    while not ended.is_set():
        try:
            orders.process(RELEASE.name)
        except sqlite3.Error as error:
            print(f"worker: {error}", file=sys.stderr, flush=True)
        ended.wait(PAUSE_S)


if __name__ == "__main__":
    main()
