# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proving that a set can be restored, by restoring it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ..engines import Engine
from ..errors import DamagedBackup, HoldfastError, WrongKey
from ..faults import reached
from .scratch import scratch
from .sets import BackupSet


def rehearse(backup: BackupSet, engine: Engine) -> float:
    """Restore a set into a scratch database beside the engine's, and compare.

    Returns the seconds that a restore takes: unpacking and loading, not comparing. Raises DamagedBackup that says what
    differs, or HoldfastError when the set cannot be loaded at all.
    """
    engine.check_tools()
    with scratch(engine, backup.path.parent, backup.manifest.settings) as other:
        reached("rehearsal: scratch database made")
        started = time.monotonic()
        try:
            other.load(backup.streams(), fresh=True)
        except (DamagedBackup, WrongKey):
            raise
        except HoldfastError as error:
            raise HoldfastError(f"The backup {backup.id} cannot be restored: {error}") from error
        seconds = time.monotonic() - started
        reached("rehearsal: loaded")
        with tempfile.TemporaryDirectory(prefix="holdfast-") as workdir:
            difference = backup.manifest.content.difference(other.content(Path(workdir)))
        reached("rehearsal: compared")
        if difference:
            raise DamagedBackup(f"The backup {backup.id} restores to something else: {difference}.")
    return seconds
