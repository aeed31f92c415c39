# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that goes on after the process that began it has ended."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable


def in_background(work: Callable[[], None]) -> None:
    """Have a process of its own do the work; it belongs to no terminal and holds none of the caller's streams.

    It inherits open files, locks included. What it raises is lost.
    """
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        with contextlib.suppress(Exception):
            work()
    finally:
        os._exit(0)
