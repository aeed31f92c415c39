#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: db_restore_drill
short_description: Prove that the newest backup can be brought back, whole and in time
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Fetches the newest backup set of a database from off-site, restores it into a scratch database, compares every
    table with the set's manifest, and holds age and duration against what was promised.
  - Writes a report, as JSON and as a page, whatever comes of it; and fails when the set is missing, damaged, too old,
    too slow or not equal.
  - The database itself is neither needed nor touched. It can run on any host that has a server of the same kind.
extends_documentation_fragment:
  - holdfast.deploy.database
  - holdfast.deploy.offsite
  - holdfast.deploy.key
attributes:
  check_mode:
    support: none
    description: A drill that does nothing proves nothing; it is skipped.
  diff_mode:
    support: none
    description: Nothing is changed but the report.
  platform:
    support: full
    platforms: linux
    description: As the modules that make the sets.
options:
  database:
    description: The database whose sets are meant; for SQLite, the path it has on the host that it was backed up on.
  login_host:
    description: The server that holds the scratch database; the login must be able to create one.
  root:
    description:
      - Without O(b2_bucket), the folder that holds the backup sets; their newest is drilled, and keeps the result.
      - With it, a folder with room for a set, which is removed afterwards.
    type: path
    required: true
  app:
    description: The application's name.
    type: str
    required: true
  rpo:
    description: How old the newest set may be, written like V(26h) or V(2d) (s, m, h, d); any age when not given.
    type: str
  rto:
    description: How long it may take to fetch and restore the set, written like V(30m); any time when not given.
    type: str
  report_dir:
    description: The folder in which reports are kept; links named C(APP-latest.html) and C(APP-latest.json) lead on.
    type: path
    required: true
seealso:
  - module: holdfast.deploy.db_backup_offsite
  - module: holdfast.deploy.db_restore
"""

EXAMPLES = r"""
- name: Prove that the shop can be brought back within half an hour
  holdfast.deploy.db_restore_drill:
    engine: mysql
    database: shop
    login_unix_socket: /run/mysqld/mysqld.sock
    login_user: drill
    login_password: "{{ vault_drill_password }}"
    root: /var/lib/holdfast
    app: shop
    b2_bucket: acme-backups
    b2_key_id: "{{ vault_b2_key_id }}"
    b2_application_key: "{{ vault_b2_application_key }}"
    rpo: 26h
    rto: 30m
    report_dir: /var/lib/holdfast/reports
"""

RETURN = r"""
report:
  description: What was found, as in the JSON file; times in seconds.
  returned: always, once the options were understood
  type: dict
  sample:
    verdict: passed
    app: shop
    backup: 20261123T150735.123456Z-nightly-64a6ef
    age: 3600.2
    rpo: 93600
    fetch: 12.3
    restore: 31.9
    rto: 1800
    rows: 1250000
    failures: []
report_page:
  description: The path of the page.
  returned: always, once the options were understood
  type: str
msg:
  description: What it comes to, in a sentence or two.
  returned: always
  type: str
"""

from dataclasses import replace
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.holdfast.backup.drill import Report, Targets, drill, workspace, write_report
from ..module_utils.holdfast.backup.sets import BackupSet, find_set
from ..module_utils.holdfast.errors import HoldfastError, MissingLibrary
from ..module_utils.holdfast.names import check_name
from ..module_utils.holdfast.offsite.b2 import READ
from ..module_utils.holdfast.options import KEY_OPTIONS, LOGIN_OPTIONS, OFFSITE_OPTIONS, copies_from, engine_from
from ..module_utils.holdfast.units import parse_span


def local_drill(params: dict[str, object], targets: Targets) -> Report:
    def find() -> BackupSet:
        found = find_set(Path(params["root"]), params["app"], "latest", params["engine"], params["database"])
        return replace(found, identity=params["age_identity"])

    return drill(params["app"], params["root"], find, engine_from(params), targets)


def offsite_drill(params: dict[str, object], targets: Targets) -> Report:
    with workspace(Path(params["root"]), params["app"]) as folder:

        def find() -> BackupSet:
            copies = copies_from(params, READ)
            copy = copies.find("latest", params["engine"], params["database"])
            return replace(copies.fetch(copy, folder)[0], identity=params["age_identity"])

        source = f"the bucket {params['b2_bucket']}"
        return drill(params["app"], source, find, engine_from(params), targets)


def run(module: AnsibleModule) -> tuple[Report, Path]:
    params = module.params
    check_name("app", params["app"])
    targets = Targets(**{name: parse_span(name, params[name]) for name in ("rpo", "rto") if params[name]})
    report = (offsite_drill if params["b2_bucket"] else local_drill)(params, targets)
    return report, write_report(report, Path(params["report_dir"]))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **LOGIN_OPTIONS,
            **OFFSITE_OPTIONS,
            **KEY_OPTIONS,
            "root": {"type": "path", "required": True},
            "app": {"type": "str", "required": True},
            "rpo": {"type": "str"},
            "rto": {"type": "str"},
            "report_dir": {"type": "path", "required": True},
        },
        required_by={"b2_bucket": ["b2_key_id", "b2_application_key"]},
    )
    try:
        report, page = run(module)
    except MissingLibrary as error:
        module.fail_json(msg=missing_required_lib(error.library))
    except HoldfastError as error:
        module.fail_json(msg=str(error))
    result = {"changed": True, "report": report.to_json(), "report_page": str(page)}
    result["msg"] = f"{report.sentence()} The report: {page}"
    (module.exit_json if report.passed else module.fail_json)(**result)


if __name__ == "__main__":
    main()
