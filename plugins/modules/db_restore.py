#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: db_restore
short_description: Put a verified backup back into a database
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Verifies a backup, takes a safety backup of what it is about to replace, replaces everything in the database by the
    backup, and compares the result with the backup's manifest.
  - When loading or comparing fails, the database goes back to what it was, by itself, and the message says so.
  - The backup is loaded and compared beside the live database, which stays in use; then the two change places. What
    was replaced is kept as C(NAME__before_TIME), and O(undo) brings it back in seconds.
  - PostgreSQL databases are renamed, in one transaction; who is connected is sent away. In MySQL and MariaDB all tables
    move by one RENAME TABLE, with triggers, views, routines and events made anew around it. Of an SQLite file a copy is
    kept, and its content is replaced in one transaction.
  - Where that is impossible, RV(in_place) says why, and the backup is loaded into the live database itself, behind the
    safety backup. It takes a user who may create databases (PostgreSQL), or databases named C(holdfast_scratch_%) and
    C(NAME__before_%) (MySQL and MariaDB), and tables without a column that a sequence fills (MariaDB).
    Foreign keys of other databases are recognised where the user may see them. A dump made by others is always loaded
    in place there, as it can name databases by itself.
    PostgreSQL does this in one transaction; MySQL and MariaDB have none for it and are emptied first.
  - Nobody should write to the database meanwhile; what is written while a backup is loaded stays in what is kept, or is
    lost where it is loaded in place.
extends_documentation_fragment:
  - holdfast.deploy.database
  - holdfast.deploy.rehearse
  - holdfast.deploy.key
attributes:
  check_mode:
    support: full
    description:
      - Finds and verifies the backup and tries the login; touches neither the database nor the backup. In place of a
        rehearsal, which needs a database, the backup is verified as by V(archive).
  diff_mode:
    support: full
    description: Shows the rows of each table before and after.
  platform:
    support: full
    platforms: linux
    description: Passwords are handed on by memory files, which Linux has.
options:
  root:
    description: The folder that holds the backup sets; the safety backup goes there too.
    type: path
    required: true
  app:
    description: The application's name, a folder in O(root).
    type: str
    required: true
  backup:
    description:
      - The id of a set, the path of a set's folder, or V(latest) for the newest set of this database that is not a
        safety backup.
      - Or the path of a dump made by others on the target, ending in C(.sql), C(.sql.gz) or C(.sql.zst).
    type: str
  undo:
    description:
      - Bring back the database that the newest restore replaced, instead of a backup. What is live is kept in its turn.
    type: bool
  verify:
    description: How far the backup is checked before anything is touched; see M(holdfast.deploy.db_backup).
    type: str
    choices: [none, checksum, archive, rehearse]
    default: archive
  verify_only:
    description: Verify the backup and stop there. A set keeps the result beside its manifest.
    type: bool
    default: false
  safety_backup:
    description:
      - Back up what is about to be replaced, with the label V(safety), before it is touched. O(undo) takes none, as it
        removes nothing.
    type: bool
    default: true
seealso:
  - module: holdfast.deploy.db_backup
  - module: holdfast.deploy.db_backup_info
"""

EXAMPLES = r"""
- name: Put the newest backup back
  holdfast.deploy.db_restore:
    engine: mysql
    database: shop
    login_user: shop_migrate
    login_password: "{{ vault_shop_migrate_password }}"
    root: /var/backups/holdfast
    app: shop
    backup: latest

- name: Only look whether a set is whole
  holdfast.deploy.db_restore:
    engine: sqlite
    database: /srv/shop/shared/database.sqlite
    root: /var/backups/holdfast
    app: shop
    backup: 20261123T150735.123456Z-nightly-64a6ef
    verify_only: true

- name: Go back to what the last restore replaced
  holdfast.deploy.db_restore:
    engine: mysql
    database: shop
    login_user: shop_migrate
    login_password: "{{ vault_shop_migrate_password }}"
    root: /var/backups/holdfast
    app: shop
    undo: true

- name: Load a dump that somebody sent
  holdfast.deploy.db_restore:
    engine: postgresql
    database: shop
    login_unix_socket: /var/run/postgresql
    root: /var/backups/holdfast
    app: shop
    backup: /root/shop.sql.gz
"""

RETURN = r"""
restored:
  description: The backup's id, the foreign file's path, or the name of the kept database that O(undo) brought back.
  returned: success
  type: str
backup_set:
  description: The set, as M(holdfast.deploy.db_backup) returns it; null for a foreign file.
  returned: success
  type: dict
safety_backup:
  description: The set that holds what was replaced; null when none was taken.
  returned: success
  type: dict
kept:
  description: The name of the database that holds what was replaced; null where it was loaded in place.
  returned: success
  type: str
  sample: shop__before_20261123150735
in_place:
  description: Why the backup was loaded into the live database itself; null where it was swapped.
  returned: success
  type: str
seconds:
  description: How long each part took, in seconds.
  returned: success
  type: dict
  sample: {"verify": 0.4, "load": 3.0, "compare": 0.9, "safety_backup": 1.2, "swap": 0.1}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.holdfast.backup.create import Plan
from ..module_utils.holdfast.backup.restore import (
    Restored,
    Source,
    check_restore,
    find_source,
    newest_kept,
    restore,
    undo,
    verify_source,
)
from ..module_utils.holdfast.backup.sets import LEVELS, SAFETY_LABEL, BackupSet
from ..module_utils.holdfast.compression import codec_of
from ..module_utils.holdfast.engines import Engine
from ..module_utils.holdfast.errors import HoldfastError, MissingLibrary
from ..module_utils.holdfast.options import (
    KEY_OPTIONS,
    LOGIN_OPTIONS,
    REHEARSE_OPTIONS,
    engine_from,
    rehearse_engine_from,
)


def rows_as_text(tables: dict[str, int]) -> str:
    return "".join(f"{name}: {rows} rows\n" for name, rows in sorted(tables.items()))


def expected_rows(source: Source) -> str:
    if source.expected is None:
        return "(a dump made by others)\n"
    return rows_as_text({name: table.rows for name, table in source.expected.tables.items()})


def outcome(restored: str, done: Restored | None, backup: BackupSet | None = None) -> dict[str, object]:
    return {
        "changed": True,
        "restored": restored,
        "backup_set": backup.summary() if backup else None,
        "safety_backup": done.safety.summary() if done and done.safety else None,
        "kept": done.kept if done else None,
        "in_place": done.in_place if done else None,
        "seconds": done.seconds if done else {},
    }


def run_undo(module: AnsibleModule, engine: Engine) -> dict[str, object]:
    params = module.params
    before = newest_kept(engine)
    result = outcome(before, None)
    if module._diff:
        rows = {"before": engine.count_rows(), "after": engine.beside(before).count_rows()}
        result["diff"] = {key: rows_as_text(value) for key, value in rows.items()}
    if not module.check_mode:
        result.update(outcome(before, undo(engine, Path(params["root"]), params["app"])))
    return result


def safety_plan(params: dict[str, object], source: Source) -> Plan:
    """What is replaced is packed, and encrypted, as what replaces it."""
    root, app = Path(params["root"]), params["app"]
    if source.backup is None:
        return Plan(root, app, SAFETY_LABEL, codec_of(source.path).name)
    manifest = source.backup.manifest
    identity = source.backup.key() if manifest.encrypted_to else None
    return Plan(
        root,
        app,
        SAFETY_LABEL,
        manifest.compression,
        encrypt_to=manifest.encrypted_to,
        identity=identity,
    )


def run(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    engine = engine_from(params)
    if params["undo"]:
        return run_undo(module, engine)
    root = Path(params["root"])
    rehearse_on = rehearse_engine_from(params)
    source = find_source(root, params["app"], params["backup"], engine, params["age_identity"])
    backup = source.backup
    if params["verify_only"] or module.check_mode:
        level = "archive" if module.check_mode and params["verify"] == "rehearse" else params["verify"]
        backup = verify_source(source, rehearse_on or engine, level, record=not module.check_mode)
        if params["verify_only"]:
            return {**outcome(source.name, None, backup), "changed": False}
    safety = safety_plan(params, source) if params["safety_backup"] else None
    check_restore(engine, safety)
    result = outcome(source.name, None, backup)
    if module._diff:
        result["diff"] = {"before": rows_as_text(engine.count_rows()), "after": expected_rows(source)}
    if not module.check_mode:
        done = restore(engine, source, verify=params["verify"], safety=safety, rehearse_on=rehearse_on)
        result.update(outcome(source.name, done, done.backup))
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **LOGIN_OPTIONS,
            **REHEARSE_OPTIONS,
            **KEY_OPTIONS,
            "root": {"type": "path", "required": True},
            "app": {"type": "str", "required": True},
            "backup": {"type": "str"},
            "undo": {"type": "bool"},
            "verify": {"type": "str", "default": "archive", "choices": list(LEVELS)},
            "verify_only": {"type": "bool", "default": False},
            "safety_backup": {"type": "bool", "default": True},
        },
        required_one_of=[["backup", "undo"]],
        required_if=[["undo", False, ["backup"]]],
        mutually_exclusive=[["backup", "undo"]],
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
