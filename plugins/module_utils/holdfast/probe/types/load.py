# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much work waits for each processor."""

from __future__ import annotations

import os

from ..checks import CheckType, Look, Measure, Seen


def check_load(look: Look) -> Seen:
    """Measure the load averages (proc(5), /proc/loadavg) per processor that this process may use."""
    processors = len(os.sched_getaffinity(0))
    loads = [round(load / processors, 2) for load in os.getloadavg()]
    shown = ", ".join(f"{load:g}" for load in loads)
    return Seen(
        f"the load per processor is {shown} (1, 5, 15 minutes; {processors} usable)",
        dict(zip(("load1", "load5", "load15"), loads)),
    )


LOAD = CheckType(
    options={},
    run=check_load,
    target=lambda options: "per processor",
    component="system",
    measures={"load1": Measure(), "load5": Measure(warn=1.5, fail=4), "load15": Measure()},
)
