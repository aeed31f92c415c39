# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed files, written and read as streams by the tools of each format."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from .encryption import decrypting, encrypting
from .errors import DamagedBackup, HoldfastError, InvalidInput, ToolFailed
from .process import CHUNK, Tool, require_tool


@dataclass(frozen=True)
class Codec:
    """One format: its file suffix, its programs in order of preference, and its levels."""

    name: str
    suffix: str
    magic: bytes
    programs: tuple[str, ...]
    package: str
    levels: range
    default_level: int

    def check_level(self, level: int | None) -> int:
        """The level to use. Raises InvalidInput for one the format does not have."""
        if level is None:
            return self.default_level
        if level not in self.levels:
            if not self.levels:
                raise InvalidInput(f"compression_level does not go with compression {self.name!r}.")
            raise InvalidInput(
                f"compression_level {level} is not one of {self.name}'s: {self.levels[0]} to {self.levels[-1]}."
            )
        return level

    def program(self) -> str | None:
        """The path of the program, None where none is needed. Raises MissingTool."""
        return require_tool(self.package, *self.programs) if self.programs else None


CODECS = {
    # zstd(1): levels 1 to 19 without --ultra; RFC 8878, 3.1.1 gives the magic number.
    "zstd": Codec("zstd", ".zst", b"\x28\xb5\x2f\xfd", ("zstd",), "zstd", range(1, 20), 1),
    # RFC 1952, 2.3.1.
    "gzip": Codec("gzip", ".gz", b"\x1f\x8b", ("pigz", "gzip"), "gzip", range(1, 10), 6),
    "none": Codec("none", "", b"", (), "", range(0), 0),
}


def codec_of(path: Path) -> Codec:
    """The format of a file by its first bytes, whatever it is called."""
    with open(path, "rb") as handle:
        head = handle.read(4)
    return next((codec for codec in CODECS.values() if codec.magic and head.startswith(codec.magic)), CODECS["none"])


class CompressedFile:
    """A new file of mode 0600; what is written to it is compressed, encrypted, and hashed on its way to the disk.

    After the block has ended well the file is durable, and `size` (bytes), `sha256` and `raw_size` are known.
    """

    def __init__(self, path: Path, codec: Codec, level: int | None = None, encrypt_to: Sequence[str] = ()) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._error: OSError | None = None
        self.size = 0
        self.raw_size = 0
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._tools: list[Tool] = []
        program = codec.program()
        if program:
            argv = [program, f"-{codec.check_level(level)}", "-q", "-c"]
            if codec.name == "zstd":
                argv.append("-T0")
            self._tools.append(Tool(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        if encrypt_to:
            source = self._tools[0].stdout if self._tools else subprocess.PIPE
            self._tools.append(encrypting(encrypt_to, source))
            if len(self._tools) > 1:
                # It is the other program's alone now, so that the first ends when that one does.
                self._tools[0].stdout.close()
        if self._tools:
            self._drain = threading.Thread(target=self._store_output, args=(self._tools[-1],), daemon=True)
            self._drain.start()

    @property
    def sha256(self) -> str:
        """The hash of the file's bytes, in hexadecimal."""
        return self._hash.hexdigest()

    def _store_output(self, tool: Tool) -> None:
        try:
            for chunk in tool.chunks():
                self._store(chunk)
        except OSError as error:
            # The tool's pipe is closed, so that it ends and whoever feeds it comes to know of the error.
            self._error = error
            tool.stdout.close()

    def _store(self, data: bytes | memoryview) -> None:
        self._hash.update(data)
        self.size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._handle, view) :]

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes. Raises OSError when the disk refuses, ToolFailed when the program fails."""
        self.raw_size += len(data)
        if self._tools:
            self._tools[0].stdin.write(data)
        else:
            self._store(data)

    def __enter__(self) -> CompressedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._tools:
                self._end_tools(kind, value, trace)
            if kind is None:
                os.fsync(self._handle)
        finally:
            os.close(self._handle)

    def _end_tools(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed: ToolFailed | None = None
        if kind is None or issubclass(kind, BrokenPipeError):
            self._close_input()
            self._drain.join()
        for tool in self._tools:
            try:
                tool.__exit__(kind, value, trace)
            except ToolFailed as error:
                failed = error
        self._drain.join()
        if self._error is not None:
            raise self._error
        if failed is not None:
            raise failed

    def _close_input(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended already; its status tells why
            self._tools[0].stdin.close()


def decompressed(path: Path) -> Iterator[bytes]:
    """The file's content. Raises DamagedBackup when the file does not decompress to its end."""
    with open(path, "rb") as handle:
        yield from unpacked(handle, codec_of(path), str(path))


def decrypted(path: Path, codec: Codec, identity: str) -> Iterator[bytes]:
    """The content of an encrypted file. Raises WrongKey, or DamagedBackup when it is not whole."""
    with open(path, "rb") as handle, decrypting(handle, str(path), identity) as tool:
        yield from unpacked(tool.stdout, codec, str(path))


def unpacked(source: IO[bytes], codec: Codec, name: str) -> Iterator[bytes]:
    """What is packed in a stream. Raises DamagedBackup when it does not decompress to its end."""
    program = codec.program()
    if program is None:
        while chunk := source.read(CHUNK):
            yield chunk
        return
    try:
        with Tool([program, "-d", "-q", "-c"], stdin=source, stdout=subprocess.PIPE) as tool:
            yield from tool.chunks()
    except ToolFailed as error:
        raise DamagedBackup(f"{name} does not decompress to its end: {error}") from error


@contextlib.contextmanager
def tested(path: Path) -> Iterator[None]:
    """Side by side with the block, let the format's own program read the file to its end.

    It compares the checksum that was made of the data before they were compressed (RFC 8878, 3.1.1: Content_Checksum;
    RFC 1952, 2.3.1: CRC32). Raises DamagedBackup when the block ends.
    """
    codec = codec_of(path)
    program = codec.program()
    if program is None:
        yield
        return
    with open(path, "rb") as handle:
        try:
            with Tool([program, "-t", "-q"], stdin=handle):
                yield
        except ToolFailed as error:
            raise DamagedBackup(f"{path} does not decompress to its end: {error}") from error


def hash_file(path: Path) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a file. Raises HoldfastError when it cannot be read."""
    digest = hashlib.sha256()
    size = 0
    try:
        with open(path, "rb") as handle:
            while chunk := handle.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise HoldfastError(f"Cannot read {path}: {error.strerror}.") from error
    return size, digest.hexdigest()
