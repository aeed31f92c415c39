# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check's result as a line on a terminal. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_COLOURS = {"pass": "32", "warn": "33", "fail": "31"}  # green, yellow, red (ECMA-48, SGR)


def line(status: str, name: str, output: str) -> str:
    """The line; what could steer a terminal is not in it."""
    return plain(f"{status.upper():4}  {name}: {output}")


def coloured(status: str, text: str) -> str:
    """The text in the colour of a status."""
    return f"\033[{_COLOURS[status]}m{text}\033[0m"


def plain(text: str) -> str:
    """The text without what could steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def lines_of_host(host: str, seen: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A status and a line for each check of a host, by what the module health_probe returned there."""
    if seen.get("results"):
        return [
            (one["status"], f"{host}  {line(one['status'], one['name'], one['output'])}") for one in seen["results"]
        ]
    what = "unreachable" if seen.get("unreachable") else "nothing was asked"
    why = f"{seen.get('msg', 'no reason was given')} {seen.get('module_stderr', '')}".strip()
    return [("fail", f"{host}  {line('fail', what, why)}")]
