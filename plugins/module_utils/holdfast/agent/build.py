# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The core as one file that Python runs (Python's zipapp): the same core gives the same bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

_SHEBANG = b"#!/usr/bin/env python3\n"
_MAIN = "import sys\n\nfrom holdfast.agent.cli import main\n\nsys.exit(main())\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a ZIP file knows (APPNOTE.TXT, 4.4.6)
_MODE = 0o644 << 16


def package() -> bytes:
    """The agent as the content of a .pyz file.

    Nothing is compressed: what zlib makes of it depends on its version, and the agent starts quicker so.
    """
    core = Path(__file__).resolve().parents[1]
    memory = io.BytesIO()
    memory.write(_SHEBANG)
    with zipfile.ZipFile(memory, "a", zipfile.ZIP_STORED) as archive:
        _add(archive, "__main__.py", _MAIN.encode())
        for source in sorted(core.rglob("*.py")):
            _add(archive, f"holdfast/{source.relative_to(core).as_posix()}", source.read_bytes())
    return memory.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = _MODE
    archive.writestr(entry, data)
