# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a bucket of Backblaze B2 is reached."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  b2_bucket:
    description: The bucket's name.
    type: str
  b2_key_id:
    description: The id of an application key for that bucket.
    type: str
  b2_application_key:
    description:
      - The key itself. It needs the capabilities C(listBuckets) and C(listFiles), and C(writeFiles) to store,
        C(readFiles) to fetch, C(writeFiles) and C(deleteFiles) to prune, C(writeFileRetentions) and
        C(writeFileLegalHolds) to lock.
      - A host that makes backups is best given a key that cannot delete.
    type: str
  b2_realm:
    description: The environment of B2, or its URL.
    type: str
    default: production
  b2_prefix:
    description: A folder of the bucket in which the application's folder lies.
    type: str
    default: ""
"""
