# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a command ends well. No shell is involved."""

from __future__ import annotations

import shlex

from .. import options as opt
from ..checks import CheckType, Look, Option, Seen, Unhealthy, excerpt
from ..programs import run_program, said


def check_command(look: Look) -> Seen:
    """Run a command; when its time is over it is killed with all that it started."""
    options = look.options
    status, output = run_program(options["command"], look.deadline, options["chdir"])
    if status not in options["exit_status"]:
        wanted = " or ".join(map(str, options["exit_status"]))
        how = f"signal {-status}" if status < 0 else f"status {status}"
        raise Unhealthy(f"expected exit status {wanted}, got {how} ({said(output)})")
    expected = options["output_contains"]
    if expected is not None and expected not in output:
        raise Unhealthy(f"expected the output to contain {expected!r} ({said(output)})")
    return Seen(f"exit status {status}")


COMMAND = CheckType(
    options={
        "command": Option(opt.words, required=True),
        "chdir": Option(opt.text),
        "exit_status": Option(opt.integers, [0]),
        "output_contains": Option(opt.text),
    },
    run=check_command,
    target=lambda options: excerpt(shlex.join(options["command"])),
    component="system",
    may_change=lambda options: True,
)
