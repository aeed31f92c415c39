# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and links that are either there, whole and durable, or not there at all."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from .errors import HoldfastError

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600


def fsync_dir(path: Path) -> None:
    """Make the entries of a folder durable (fsync(2): a file's own fsync does not cover its name)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_dirs(path: Path, mode: int = 0o755) -> None:
    """Create `path` and its parents; the new ones get `mode`. Raises HoldfastError that names the path."""
    try:
        for folder in (*reversed(path.parents), path):
            if not folder.is_dir():
                folder.mkdir(exist_ok=True)
                folder.chmod(mode)
    except OSError as error:
        raise HoldfastError(f"Cannot create the folder {path}: {error.strerror}.") from error


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace `path` by a durable file with `data`: readers see the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as handle:
            os.fchmod(handle.fileno(), mode)
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        os.rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_dir(path.parent)


def write_json(path: Path, value: Any, mode: int = 0o644) -> None:
    """Write `value` as indented JSON by `write_atomic`."""
    write_atomic(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode(), mode)


def replace_link(link: Path, target: str) -> None:
    """Point the symbolic link `link` at `target` by one rename, the first time as every later one.

    rename(2) replaces an existing link atomically. Raises HoldfastError when something that is not a link
    stands in the way.
    """
    if link.exists() and not link.is_symlink():
        raise HoldfastError(f"{link} is not a symbolic link. Move it away; Holdfast never replaces a real folder.")
    temporary = link.with_name(f".{link.name}.{secrets.token_hex(4)}.tmp")
    os.symlink(target, temporary)
    try:
        os.rename(temporary, link)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_dir(link.parent)
