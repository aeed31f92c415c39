# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a scheduler still runs: a dead man's switch on a file that each of its runs renews."""

from __future__ import annotations

import re
import shlex
from datetime import datetime
from pathlib import Path

from .. import options as opt
from ..checks import WARN, CheckType, Look, Measure, Option, Seen, Unhealthy
from ..deadline import why

_READ = 100
_SKEW_S = 5.0  # two clocks that are kept by NTP, or a filesystem that rounds up


def check_scheduler(look: Look) -> Seen:
    """Tell how long ago the last run was. Raises Unhealthy when there was none yet."""
    file = Path(look.options["file"])
    try:
        with open(file, "rb") as handle:
            content = handle.read(_READ).decode(errors="replace")
        last = _time_in(content) or file.stat().st_mtime
    except FileNotFoundError:
        raise Unhealthy(f"there is no {file}. {_advice(str(file))}", verdict="missing") from None
    except (OSError, ValueError) as error:
        raise Unhealthy(f"{file} cannot be read: {why(error)}") from error
    age = look.now - last
    values = {"age_s": round(age, 1)}
    if age < -_SKEW_S:
        said = f"the last run was {-age:.0f} s in the future by {file}; compare this machine's clock with its writer's"
        return Seen(said, values, WARN, "future")
    return Seen(f"the last run was {max(0.0, age):.0f} s ago by {file}", values)


def _time_in(content: str) -> float | None:
    """A time that a file says, in seconds since 1970; None when it says none, or one without its offset from UTC."""
    text = content.strip()
    if re.fullmatch(r"\d{9,11}(\.\d+)?", text):
        return float(text)
    if re.fullmatch(r"\d{13}", text):
        return int(text) / 1000  # as JavaScript counts
    # Python before 3.11 knows neither Z nor an offset without a colon, nor fractions of other lengths.
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)", text)
    if found is None:
        return None
    offset = "+00:00" if found[4] == "Z" else f"{found[4][:3]}:{found[4][-2:]}"
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{offset}").timestamp() + float(found[3] or 0)
    except ValueError:
        return None


def _advice(file: str) -> str:
    """What to type so that there is such a file."""
    php = "'" + file.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return (
        f"With cron, append `&& touch {shlex.quote(file)}` to the line of the job; with Laravel, add "
        f"`$schedule->call(fn () => touch({php}))->everyMinute()->evenInMaintenanceMode();` to its schedule"
    )


SCHEDULER = CheckType(
    options={"file": Option(opt.text, required=True)},
    run=check_scheduler,
    target=lambda options: str(options["file"]),
    component="system",
    measures={"age_s": Measure("s", warn=120, fail=300)},
)
