# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The points at which the tests kill a run, to see that nothing is lost and that the next run recovers."""

from __future__ import annotations

import os
import signal

VARIABLE = "HOLDFAST_TEST_KILL_AT"
POINTS = (
    "backup: folder made",
    "backup: data written",
    "backup: manifest written",
    "backup: verified",
    "backup: named",
    "rehearsal: scratch database made",
    "rehearsal: loaded",
    "rehearsal: compared",
    "restore: staging database made",
    "restore: loaded",
    "restore: compared",
    "restore: safety backup made",
    "swap: begun",
    "swap: done",
    "prune: renamed",
    "prune: emptied",
    "upload: data sent",
    "upload: manifest sent",
    "webhooks: archived",
    "webhooks: moved",
)


def reached(point: str) -> None:
    """Die here when the environment asks for it, as by a power cut: nothing is cleaned up."""
    assert point in POINTS
    if os.environ.get(VARIABLE) == point:
        os.kill(os.getpid(), signal.SIGKILL)
