# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent wrote last, for who asks: nothing is probed, and little is imported."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidInput
from ..lines import line

EXIT = {"pass": 0, "warn": 1, "fail": 2}
KEPT_CONFIG = "last-good.json"
_MISSED = 3  # so many intervals without a look mean that nobody looks


def state_dir(config_file: Path) -> Path:
    """The agent's folder, by its configuration, even by a broken one. Raises InvalidInput."""
    try:
        text = config_file.read_text(errors="replace")
    except OSError as error:
        raise InvalidInput(f"The configuration {config_file} cannot be read: {error.strerror}.") from None
    try:
        return Path(json.loads(text)["state_dir"])
    except (ValueError, TypeError, KeyError):
        # Who asks how things stand because of a broken configuration should be told.
        found = re.search(r'"state_dir"\s*:\s*"([^"\\]+)"', text)
        if not found:
            raise InvalidInput(
                f"The configuration {config_file} does not say where the agent's state_dir is."
            ) from None
        return Path(found[1])


def state_file(folder: Path) -> Path:
    """Where the agent notes what it saw."""
    return folder / "state.json"


def remembered(folder: Path) -> dict[str, Any]:
    """What the agent noted last; empty when there is nothing that can be read."""
    try:
        found = json.loads(state_file(folder).read_bytes())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def kept_config(folder: Path) -> str:
    """The text of the last good configuration; empty when none is kept."""
    try:
        return (folder / KEPT_CONFIG).read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def report(memory: Mapping[str, Any], now: float) -> tuple[list[tuple[str, str]], int]:
    """A status and a line for each check and whatever else there is to say, and the exit status."""
    if "results" not in memory:
        return [("fail", "The agent has not looked yet.")], EXIT["fail"]
    lines = [(one["status"], line(one["status"], one["name"], one["output"])) for one in memory["results"]]
    said = list(memory["problems"])
    if memory.get("unwritten"):
        said.append(memory["unwritten"])
    if memory["silence"]:
        lines.append(("warn", f"Nobody is told of anything: {memory['silence']}."))
    lines += [("warn", problem) for problem in said]
    ago = now - memory["at"]
    if ago < -memory["interval"]:
        lines.append(("fail", f"This was written {-ago:.0f} s from now: the clock was set back."))
        return lines, EXIT["fail"]
    if ago > _MISSED * memory["interval"]:
        lines.append(("fail", f"This is {ago:.0f} s old: the agent does not run, or cannot write to its folder."))
        return lines, EXIT["fail"]
    return lines, max(EXIT[memory["status"]], EXIT["warn"] if said else 0)
