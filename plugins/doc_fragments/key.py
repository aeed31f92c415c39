# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of encrypted backups."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  age_identity:
    description:
      - The private key that opens an encrypted backup, as C(age-keygen) writes it (C(AGE-SECRET-KEY-1...)), or an SSH
        private key without a passphrase.
      - It is handed to C(age) in memory, never by an argument, the environment or a file on disk.
    type: str
requirements:
  - age (for encrypted backups)
"""
