# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether units of systemd are active."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import options as opt
from ..checks import FAIL, PASS, WARN, CheckType, Look, Measure, Option, Seen, Unhealthy
from ..programs import run_program, said

_PROPERTIES = "Id,LoadState,ActiveState,SubState,NRestarts,Result,MemoryCurrent"
_BOOTED = Path("/run/systemd/system")  # sd_booted(3)
_NO_SIZE = 2**64 - 1  # older systemd's "[not set]"
_MIB = 1 << 20


def check_systemd(look: Look) -> Seen:
    """Ask systemd for all units at once."""
    units = look.options["units"]
    try:
        status, output = run_program(_command(look.options), look.deadline)
    except Unhealthy as error:
        raise _why_not(str(error)) from error
    if status != 0:
        raise _why_not(f"systemctl failed with status {status} ({said(output)})")
    return judge_units(units, output)


def _why_not(problem: str) -> Unhealthy:
    return Unhealthy(problem if _BOOTED.is_dir() else f"systemd does not run here: {problem}")


def _command(options: Mapping[str, Any]) -> list[str]:
    command = ["systemctl", "show", f"--property={_PROPERTIES}", "--", *options["units"]]
    if not options["user"]:
        return command
    command.insert(1, "--user")
    # Who came by su or sudo has no session that would set it (pam_systemd(8)).
    place = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return ["env", f"XDG_RUNTIME_DIR={place}", *command]


def judge_units(units: Sequence[str], output: str) -> Seen:
    """What `systemctl show` printed about units: a block for each, in their order. Raises Unhealthy."""
    blocks = [_properties(block) for block in re.split(r"\n\s*\n", output.strip())]
    if len(blocks) != len(units) or not all("ActiveState" in block for block in blocks):
        raise Unhealthy(f"expected systemctl to tell of {len(units)} units, got {said(output)}")
    wrong: dict[str, list[str]] = {FAIL: [], WARN: [], PASS: []}
    for unit, block in zip(units, blocks):
        status, words = _judge(block)
        wrong[status].append(f"{unit} {words}")
    values = {"restarts": float(max(int(block.get("NRestarts") or 0) for block in blocks))}
    sizes = [int(size) for size in (block.get("MemoryCurrent", "") for block in blocks) if size.isdecimal()]
    known = [size for size in sizes if size < _NO_SIZE]
    if known:
        values["memory_mb"] = round(sum(known) / _MIB, 1)
    status = FAIL if wrong[FAIL] else WARN if wrong[WARN] else PASS
    return Seen("; ".join([*wrong[FAIL], *wrong[WARN]]) or ", ".join(wrong[PASS]), values, status)


def _properties(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _judge(unit: Mapping[str, str]) -> tuple[str, str]:
    """The status of one unit, and what is to be said of it."""
    load, active, sub = unit.get("LoadState", ""), unit["ActiveState"], unit.get("SubState", "")
    if load == "not-found":
        return FAIL, "is not known to systemd"
    if load not in ("loaded", "") and active != "active":
        return FAIL, f"is {load}"
    if active in ("active", "reloading", "refreshing"):
        return PASS, f"is {active} ({sub})"
    result = unit.get("Result", "success")
    words = f"is {active} ({sub}{'' if result in ('success', '') else ', ' + result})"
    # Between two starts after a failure a unit is "activating" (systemd.service(5), RestartMode=).
    started = active in ("activating", "deactivating") and not sub.startswith("auto-restart")
    return (WARN if started else FAIL), words


def _units(value: Any) -> list[str]:
    units = opt.texts(value)
    for unit in units:
        if not re.fullmatch(r"[A-Za-z0-9:_.\\@-]+", unit):
            raise ValueError(f"must be names of units without wildcards; {unit!r} is none")
    return units


SYSTEMD = CheckType(
    options={"units": Option(_units, required=True), "user": Option(opt.boolean, False)},
    run=check_systemd,
    target=lambda options: " ".join(options["units"]),
    component="system",
    measures={"restarts": Measure(), "memory_mb": Measure("MiB")},
)
