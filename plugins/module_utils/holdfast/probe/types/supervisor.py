# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the programs of a Supervisor run, and stay up."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from .. import options as opt
from ..checks import FAIL, PASS, WARN, CheckType, Look, Measure, Option, Seen, Unhealthy
from ..supervisord import EXITED, RUNNING, STARTING, STOPPING, Program, Supervisor

_SHOWN = 5


def check_supervisor(look: Look) -> Seen:
    """Ask for all programs and judge those that are wanted. A note tells when new starts of each were seen."""
    options = look.options
    programs = Supervisor(options, look.deadline).programs()
    restarts = _restarts(look, programs, options["window"])
    wanted = _wanted(programs, options["programs"])
    running = [program for program in wanted if program.state == RUNNING]
    values = {"running": float(len(running)), "not_running": float(len(wanted) - len(running)), "restarts": 0.0}
    said = f"{len(running)} of {len(wanted)} programs run"
    worst = max(wanted, key=lambda program: restarts[program.full_name], default=None)
    if worst is not None and restarts[worst.full_name]:
        values["restarts"] = float(restarts[worst.full_name])
        said += f"; new starts of {worst.full_name} in {options['window']:g} s: {restarts[worst.full_name]}"
    uptimes = [program.uptime for program in running if program.uptime is not None]
    if uptimes:
        values["youngest_s"] = min(uptimes)
    return _seen(wanted, said, values, named=options["programs"] is not None)


def _seen(wanted: Sequence[Program], said: str, values: Mapping[str, float], *, named: bool) -> Seen:
    """The worst state of all, with those programs that are in one that is not right."""
    by_status: dict[str, list[Program]] = {FAIL: [], WARN: [], PASS: []}
    for program in wanted:
        by_status[_status(program, named)].append(program)
    wrong = [*by_status[FAIL], *by_status[WARN]]
    status = FAIL if by_status[FAIL] else WARN if wrong else PASS
    shown = [f"{program.full_name} is {_in_words(program)}" for program in wrong[:_SHOWN]]
    more = [f"{len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
    return Seen("; ".join([*shown, *more, said]), values, status)


def _status(program: Program, named: bool) -> str:
    """A program that ended as it should may be meant for one run, unless the operator counts on it."""
    if program.state == EXITED and program.exit_status == 0:
        return WARN if named else PASS
    return {RUNNING: PASS, STARTING: WARN, STOPPING: WARN}.get(program.state, FAIL)


def _in_words(program: Program) -> str:
    if program.state == EXITED:
        return f"{EXITED} with status {program.exit_status}"
    return f"{program.state} ({program.said})" if program.said else program.state


def _wanted(programs: Sequence[Program], entries: Sequence[str] | None) -> list[Program]:
    """The programs that the entries name. Raises Unhealthy for an entry that names none."""
    if entries is None:
        return list(programs)
    for entry in entries:
        if not any(_is_meant(program, entry) for program in programs):
            known = {name for one in programs for name in (one.full_name, one.name, one.group, f"{one.group}:*")}
            near = difflib.get_close_matches(entry, sorted(known), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise Unhealthy(f"Supervisor has no program {entry!r}{hint}")
    return [program for program in programs if any(_is_meant(program, entry) for entry in entries)]


def _is_meant(program: Program, entry: str) -> bool:
    """Whether `group:name`, `group:*`, or a bare name, of the program or of its group, means a program."""
    group, colon, name = entry.partition(":")
    if colon:
        return program.group == group and name in ("*", "", program.name)
    return entry in (program.name, program.group)


def _restarts(look: Look, programs: Sequence[Program], window: float) -> dict[str, int]:
    """For each program, how many new starts were seen in the last seconds; those of this look are noted."""
    before = look.notes.read()
    note: dict[str, Any] = {}
    for program in programs:
        last = before.get(program.full_name)
        seen = [when for when in last["seen"] if look.now - window < when <= look.now] if last else []
        if last and _is_new(program, last):
            seen.append(look.now)
        note[program.full_name] = {"pid": program.pid, "started": program.started, "seen": seen}
    look.notes.write(note)
    return {name: len(one["seen"]) for name, one in note.items()}


def _is_new(program: Program, last: Mapping[str, Any]) -> bool:
    # From 2038 on its start is always the same, and after a change of the clock another: the process tells more.
    if program.pid:
        return bool(program.pid != last["pid"])
    return bool(program.started != last["started"])


def _fit(options: Mapping[str, Any]) -> None:
    if options["socket"] is not None and options["url"] is not None:
        raise ValueError("the type supervisor takes the option 'socket' or 'url', not both")
    if str(options["url"]).startswith("https:"):
        raise ValueError("the type supervisor takes no https in the option 'url': supervisord does not speak it")


SUPERVISOR = CheckType(
    options={
        "socket": Option(opt.text),
        "url": Option(opt.url),
        "login_user": Option(opt.text),
        "login_password": Option(opt.text, secret=True),
        "programs": Option(opt.texts),
        "window": Option(opt.seconds, 600.0),
    },
    run=check_supervisor,
    target=lambda options: str(options["url"] or options["socket"] or "on this machine"),
    fit=_fit,
    component="system",
    measures={
        "running": Measure(lower_is_worse=True),
        "not_running": Measure(),
        "restarts": Measure(warn=3, fail=10),
        "youngest_s": Measure("s", lower_is_worse=True),
    },
)
