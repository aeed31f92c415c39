#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: db_backup
short_description: Make a verified backup set of one database
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Dumps one database into a new backup set, a folder with the packed dump and a manifest of what it holds.
  - The set gets its name only when it is complete, on disk and verified; a run that fails or is killed leaves none.
  - Row counts and checksums are taken from the dump itself, so they belong to its very snapshot.
  - The application can go on using the database meanwhile.
extends_documentation_fragment:
  - holdfast.deploy.database
  - holdfast.deploy.rehearse
  - holdfast.deploy.key
attributes:
  check_mode:
    support: full
    description: Checks tools, folders and the login, and says that a set would be made.
  diff_mode:
    support: none
    description: A backup changes nothing that could be compared.
  platform:
    support: full
    platforms: linux
    description: Passwords are handed on by memory files, which Linux has.
options:
  root:
    description: The folder that holds the backup sets of all applications; made with mode 0700 when missing.
    type: path
    required: true
  app:
    description: The application's name, a folder in O(root).
    type: str
    required: true
  label:
    description: A word that says what the set is for; part of its id.
    type: str
    default: manual
  compression:
    description: How the dump is packed.
    type: str
    choices: [zstd, gzip, none]
    default: zstd
  compression_level:
    description: The packer's level, 1 to 19 for V(zstd) (1 when not given), 1 to 9 for V(gzip) (6 when not given).
    type: int
  jobs:
    description:
      - How many programs may dump large tables side by side, 1 to 16; by default one for each core, 4 at most.
      - They dump one snapshot. PostgreSQL hands its own on. MySQL and MariaDB cannot, and nobody is kept from writing
        for it, so there it is done only where the server holds still for the moment in which the programs begin, as in
        a deploy's maintenance; otherwise one program does it all, and so it is for SQLite.
    type: int
  verify:
    description:
      - How far the set is checked before it counts.
      - V(checksum) reads the files back and compares size and SHA-256.
      - V(archive) unpacks them to their end as well, which compares the checksums inside of the packed data. That they
        hold a whole dump, with the manifest's tables, rows, content and schema, was seen as they were written.
      - V(rehearse) restores the set into a scratch database as well, and compares tables, rows, content, schema and the
        next values of sequences with the manifest. The scratch database is removed whatever happens.
    type: str
    choices: [none, checksum, archive, rehearse]
    default: archive
  encrypt_to:
    description:
      - The public keys that the backup is encrypted to by C(age), such as C(age1...) of C(age-keygen), or
        C(ssh-ed25519 ...); any one of their private keys opens it. Not encrypted when empty.
      - A host that has no private key cannot read its backups back. Then O(verify) can be V(checksum) at most, and they
        are rehearsed where a key is, by M(holdfast.deploy.db_restore_drill). The manifest is not encrypted.
    type: list
    elements: str
    default: []
  unchanged_since:
    description:
      - The id of an earlier set. When the server tells that nothing was written since that set was begun, no new one is
        made and that one is returned.
    type: str
seealso:
  - module: holdfast.deploy.db_restore
  - module: holdfast.deploy.db_backup_info
"""

EXAMPLES = r"""
- name: Back up the shop's database
  holdfast.deploy.db_backup:
    engine: mysql
    database: shop
    login_user: shop_backup
    login_password: "{{ vault_shop_backup_password }}"
    root: /var/backups/holdfast
    app: shop

- name: Back up a PostgreSQL database through its socket, packed harder
  holdfast.deploy.db_backup:
    engine: postgresql
    database: shop
    login_unix_socket: /var/run/postgresql
    root: /var/backups/holdfast
    app: shop
    label: nightly
    compression_level: 9
  become: true
  become_user: postgres
"""

RETURN = r"""
backup_set:
  description: The set that was made, or the one of O(unchanged_since); null in check mode when one would be made.
  returned: success
  type: dict
  contains:
    id:
      description: The set's name, which begins with its UTC time.
      type: str
      sample: 20261123T150735.123456Z-nightly-64a6ef
    path:
      description: The set's folder.
      type: str
    app:
      description: The application.
      type: str
    label:
      description: The label.
      type: str
    created:
      description: When the dump was begun, UTC, ISO 8601.
      type: str
    engine:
      description: The engine.
      type: str
    database:
      description: The database.
      type: str
    server_version:
      description: The server's version.
      type: str
    tables:
      description: Exact number of rows of each table.
      type: dict
      sample: {"orders": 1204, "users": 88}
    size:
      description: Bytes on disk.
      type: int
    position:
      description: Where the database stood when the dump was begun; null where the engine cannot tell.
      type: dict
      sample: {"gtid": "0-1-42"}
    encrypted_to:
      description: The public keys that it is encrypted to.
      type: list
    consistent:
      description: Whether all tables belong to one snapshot; false when there are tables without transactions.
      type: bool
    verified:
      description: The highest level that was reached.
      type: str
    verification:
      description:
        - When that was (C(at)) and how long it took (C(seconds)). After a rehearsal C(restore_seconds) is how long a
          restore takes, from the packed set to the loaded database. Null for a set that was never verified.
      type: dict
      sample: {"level": "rehearse", "at": "2026-11-24T03:00:12+00:00", "seconds": 41.2, "restore_seconds": 33.9}
    duration:
      description: Seconds that dumping and packing took.
      type: float
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.holdfast.backup.create import Plan, check, create_set
from ..module_utils.holdfast.backup.sets import LEVELS, BackupSet, find_set
from ..module_utils.holdfast.compression import CODECS
from ..module_utils.holdfast.engines import Engine
from ..module_utils.holdfast.errors import HoldfastError, MissingLibrary
from ..module_utils.holdfast.options import (
    KEY_OPTIONS,
    LOGIN_OPTIONS,
    REHEARSE_OPTIONS,
    engine_from,
    rehearse_engine_from,
)
from ..module_utils.holdfast.streams import JOBS


def unchanged_set(engine: Engine, plan: Plan, name: str) -> BackupSet | None:
    """The earlier set, when it still holds all that was ever written."""
    earlier = find_set(plan.root, plan.app, name, engine.name)
    return earlier if engine.unchanged(earlier.manifest.position, engine.inspect().position) else None


def run(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    engine = engine_from(params)
    names = ("app", "label", "compression", "compression_level", "verify")
    plan = Plan(
        root=Path(params["root"]),
        rehearse_on=rehearse_engine_from(params),
        encrypt_to=tuple(params["encrypt_to"]),
        identity=params["age_identity"],
        jobs=JOBS if params["jobs"] is None else params["jobs"],
        **{name: params[name] for name in names},
    )
    check(engine, plan)
    if params["unchanged_since"]:
        earlier = unchanged_set(engine, plan, params["unchanged_since"])
        if earlier:
            return {"changed": False, "backup_set": earlier.summary()}
    if module.check_mode:
        return {"changed": True, "backup_set": None}
    return {"changed": True, "backup_set": create_set(engine, plan).summary()}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **LOGIN_OPTIONS,
            **REHEARSE_OPTIONS,
            **KEY_OPTIONS,
            "encrypt_to": {"type": "list", "elements": "str", "default": []},
            "root": {"type": "path", "required": True},
            "app": {"type": "str", "required": True},
            "label": {"type": "str", "default": "manual"},
            "compression": {"type": "str", "default": "zstd", "choices": list(CODECS)},
            "compression_level": {"type": "int"},
            "verify": {"type": "str", "default": "archive", "choices": list(LEVELS)},
            "jobs": {"type": "int"},
            "unchanged_since": {"type": "str"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except MissingLibrary as error:
        module.fail_json(msg=missing_required_lib(error.library))
    except HoldfastError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
