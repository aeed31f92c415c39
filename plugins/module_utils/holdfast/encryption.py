# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encryption of backups by age (https://age-encryption.org/v1): who holds a public key can write, and not read."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator, Sequence
from typing import IO

from .errors import DamagedBackup, InvalidInput, ToolFailed, WrongKey
from .process import Tool, require_tool, secret_file

SUFFIX = ".age"
# Of age-keygen(1), by the specification's "X25519 recipient stanza", and of ssh-keygen(1).
_RECIPIENT = re.compile(r"age1[a-z0-9]{58}|ssh-(?:ed25519|rsa) [A-Za-z0-9+/=]+(?: .*)?")
_NOT_OURS = ("no identity matched", "incorrect identity", "malformed secret key", "no identities", "unknown identity")


def check_recipients(recipients: Sequence[str]) -> None:
    """Raise InvalidInput for a text that is no public key, and MissingTool where age is not installed."""
    if recipients:
        _program()
    for number, recipient in enumerate(recipients, 1):
        if not _RECIPIENT.fullmatch(recipient):
            # It may be a private key that got to the wrong place.
            raise InvalidInput(
                f"Number {number} of encrypt_to is no public key: age-keygen shows one that begins with age1,"
                " ssh-keygen one that begins with ssh-ed25519 or ssh-rsa."
            )


def encrypting(recipients: Sequence[str], stdin: int | IO[bytes]) -> Tool:
    """The program that encrypts for all of the recipients."""
    options = [option for recipient in recipients for option in ("--recipient", recipient)]
    return Tool([_program(), "--encrypt", *options], stdin=stdin, stdout=subprocess.PIPE)


@contextlib.contextmanager
def decrypting(source: IO[bytes], name: str, identity: str) -> Iterator[Tool]:
    """The program that decrypts `source`, with the key in memory only.

    Raises WrongKey for a key that does not open it, and DamagedBackup when it is not whole.
    """
    with secret_file(identity.strip() + "\n") as (path, descriptor):
        argv = [_program(), "--decrypt", "--identity", path]
        try:
            with Tool(argv, stdin=source, stdout=subprocess.PIPE, pass_fds=[descriptor]) as tool:
                try:
                    yield tool
                except DamagedBackup:
                    # It may only be that nothing came.
                    tool.stdout.close()
                    tool.finish()
                    raise
        except ToolFailed as error:
            if any(words in str(error) for words in _NOT_OURS):
                raise WrongKey(
                    f"The key given by age_identity does not open the backup {name}. Its manifest names the public"
                    " keys that it was encrypted to."
                ) from None
            raise DamagedBackup(f"{name} does not decrypt to its end: {error}") from error


def _program() -> str:
    return require_tool("age", "age")
