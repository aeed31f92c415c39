# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's command line."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import HoldfastError
from ..lines import coloured
from .loop import Loop, lock
from .status import kept_config, remembered, report, state_dir

DEFAULT_CONFIG = "/etc/holdfast/agent.json"
_WRONG = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say. Returns the exit status: 0 well, 1 warnings, 2 failures or a wrong configuration."""
    parser = argparse.ArgumentParser(prog="holdfast.pyz", description="Holdfast's agent: it looks, writes and tells.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_text in (
        ("run", "look at regular times until told to end"),
        ("once", "look once, as cron wants it"),
        ("status", "say what was last seen; nothing is asked"),
        ("check-config", "say whether the configuration is right"),
    ):
        command = commands.add_parser(name, help=help_text, description=help_text)
        command.add_argument("--config", type=Path, default=Path(DEFAULT_CONFIG), help=f"default: {DEFAULT_CONFIG}")
    given = parser.parse_args(argv)
    try:
        return _COMMANDS[given.command](given.config)
    except HoldfastError as error:
        print(error, file=sys.stderr)
        return _WRONG


def _run(config_file: Path) -> int:
    return Loop(config_file).run()


def _once(config_file: Path) -> int:
    from .tick import keep_config, load, tick

    config, text, wrong = load(config_file, kept_config(state_dir(config_file)))
    held = lock(config.state_dir)
    memory = tick(config, wrong, remembered(config.state_dir))
    keep_config(config, text)
    os.close(held)
    return _show(memory)


def _status(config_file: Path) -> int:
    return _show(remembered(state_dir(config_file)))


def _show(memory: dict[str, object]) -> int:
    lines, status = report(memory, time.time())
    for kind, text in lines:
        print(coloured(kind, text) if sys.stdout.isatty() else text)
    return status


def _check_config(config_file: Path) -> int:
    from .tick import load

    config, _, _ = load(config_file, "")
    print(f"The configuration {config_file} is right: {len(config.checks)} checks, every {config.interval:g} s.")
    return 0


_COMMANDS = {"run": _run, "once": _once, "status": _status, "check-config": _check_config}
