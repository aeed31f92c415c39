# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, as types. A message says what happened, to what, and what to do now."""

from __future__ import annotations


class HoldfastError(Exception):
    """The base of every error that Holdfast foresees; its text is meant for an operator."""


class InvalidInput(HoldfastError):
    """A value given by the operator cannot be used; nothing was touched."""


class MissingTool(HoldfastError):
    """A program that the job needs is not installed on this host."""

    def __init__(self, tool: str, package: str) -> None:
        super().__init__(f"The program {tool!r} is not on this host. Install the package {package}.")
        self.tool = tool
        self.package = package


class MissingLibrary(HoldfastError):
    """A Python library that the job needs cannot be imported by the target's interpreter."""

    def __init__(self, library: str) -> None:
        super().__init__(f"The Python library {library} is not installed for this interpreter.")
        self.library = library


class ToolFailed(HoldfastError):
    """A program ended with a non-zero status or by a signal."""

    def __init__(self, tool: str, status: int, stderr: str) -> None:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        said = stderr.strip()
        super().__init__(f"{tool} {how}" + (f": {said}" if said else " and said nothing."))
        self.tool = tool
        self.status = status


class DatabaseError(HoldfastError):
    """The database server refused or broke off what was asked of it."""


class DamagedBackup(HoldfastError):
    """A backup is not what its manifest says, or does not decompress to its end."""


class WrongKey(HoldfastError):
    """An encrypted backup cannot be read for want of its key; it may be whole."""


class NotFound(HoldfastError):
    """The backup set, release or journal that was named does not exist."""


class OffsiteError(HoldfastError):
    """The service that keeps the off-site copies refused, or could not be reached."""


class SwapRefused(HoldfastError):
    """A finished database cannot take the place of the live one; nothing was touched."""


class Locked(HoldfastError):
    """Another run holds the lock and is alive."""


class RestoreFailed(HoldfastError):
    """A restore did not succeed; the message says what state the database is in now."""
