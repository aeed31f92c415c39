# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be asked of a database, whoever has the connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Ask(Protocol):
    """Carries out one statement and returns its rows; `%s` stands for a value where there are any."""

    def __call__(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...
