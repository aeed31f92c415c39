#!/usr/bin/python
# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: webhook_guard
short_description: Give a table of webhooks the unique key that makes each event count once
version_added: 0.1.0
author: The Holdfast authors (@holdfast)
description:
  - Sees to it that a table has a unique key on provider and id of the event. Who sends webhooks sends some of them
    again, at the same moment too; an application that looks whether an event is there before it inserts it takes it
    twice then. Only a unique key in the database keeps the second one out.
  - A unique key, constraint or primary key on these columns in any order, or on some of them, is enough, by whatever
    name. One that holds for a part of the rows, is on an expression, compares the beginning of a column, is deferrable
    or not valid, is not, and is named in a warning.
  - Of rows that are there twice already the first stays; the others are moved to another table, in one transaction.
    Nothing is deleted. Rows with NULL in one of the columns are never the same; their number is given in a warning.
  - The key is made while the application goes on reading and writing. PostgreSQL does so with C(CONCURRENTLY), MySQL
    and MariaDB with C(LOCK=NONE); where they cannot, a warning says that the table was locked. SQLite makes it in the
    transaction that moves the rows. Duplicates that come in between are moved as well, in up to five attempts.
  - PostgreSQL first waits for the transactions that are open, such as a dump; nobody has to wait meanwhile. MySQL and
    MariaDB would have everybody wait, so that after 5 seconds the key is given up, with an error.
  - Refuses, with nothing changed, when a foreign key points at a row that would be moved, or when ids that are not the
    same are taken for it by the column's collation.
  - MySQL and MariaDB show a user the foreign keys of those tables only that he may read. Where tables of another
    database point at this one, take a user who may read them too, or their C(ON DELETE CASCADE) is carried out unseen.
  - With MySQL and MariaDB it takes C(SELECT) and C(ALTER), and C(CREATE), C(INSERT) and C(DELETE) to move rows; with
    PostgreSQL the table's owner, who may create in its schema. A user who lacks one is refused, with nothing changed.
extends_documentation_fragment:
  - holdfast.deploy.database
attributes:
  check_mode:
    support: full
    description: Finds what stands against the key, counts the rows that would be moved, and changes nothing.
  diff_mode:
    support: full
    description: Shows the key, the number of duplicates and where they go.
  platform:
    support: full
    platforms: posix
    description: Any POSIX system with Python 3.9 or newer.
options:
  table:
    description:
      - The table. With V(postgresql) it must be in the user's search path, and must not be partitioned.
    type: str
    required: true
  columns:
    description: The columns of the key; the last one is the event's id.
    type: list
    elements: str
    default: [provider, webhook_id]
  key_name:
    description: The name of a new key. By default the table's name, the columns' and C(unique), joined by C(_).
    type: str
  order_by:
    description:
      - The column that says which row is the first, such as C(created_at); of equal ones the primary key decides, which
        is also the default. Rows with NULL come last.
    type: str
  duplicates:
    description:
      - What is done about rows that came again.
      - V(archive) moves them to O(archive_table). It takes a primary key, and with MySQL and MariaDB InnoDB.
      - V(refuse) changes nothing and fails with their number and some of their ids.
    type: str
    choices: [archive, refuse]
    default: archive
  archive_table:
    description:
      - Where rows are moved to; the name of the table with C(_duplicates) by default. It is made when there are any,
        with the same columns, C(holdfast_archived_at) and C(holdfast_run), which is one for each transaction.
    type: str
requirements:
  - MySQL 8.0, MariaDB 10.3 or PostgreSQL 12, or newer
seealso:
  - module: holdfast.deploy.health_probe
"""

EXAMPLES = r"""
- name: Take each webhook once
  holdfast.deploy.webhook_guard:
    engine: mysql
    database: shop
    login_user: shop_migrate
    login_password: "{{ vault_shop_migrate_password }}"
    table: webhook_events

- name: The same for a table of one provider, if it has no duplicates yet
  holdfast.deploy.webhook_guard:
    engine: postgresql
    database: shop
    login_unix_socket: /var/run/postgresql
    table: stripe_events
    columns: [event_id]
    order_by: created_at
    duplicates: refuse
  become: true
  become_user: postgres
"""

RETURN = r"""
key:
  description: The name of the unique key that there is, or in check mode would be.
  returned: success
  type: str
  sample: webhook_events_provider_webhook_id_unique
added:
  description: Whether it is new.
  returned: success
  type: bool
archived:
  description: How many rows were moved, or in check mode would be.
  returned: success
  type: int
archive_table:
  description: Where to; null when there were none.
  returned: success
  type: str
  sample: webhook_events_duplicates
nulls:
  description: How many rows have NULL in one of the columns, so that no key compares them.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.holdfast.errors import HoldfastError, MissingLibrary
from ..module_utils.holdfast.options import LOGIN_OPTIONS, engine_from
from ..module_utils.holdfast.webhooks.guard import Wish, guard
from ..module_utils.holdfast.webhooks.keys import COLUMNS


def run(module: AnsibleModule) -> dict[str, object]:
    names = ("table", "columns", "key_name", "order_by", "duplicates", "archive_table")
    wish = Wish(**{name: module.params[name] for name in names})
    done = guard(engine_from(module.params), wish, dry_run=module.check_mode)
    for warning in done.warnings:
        module.warn(warning)
    result: dict[str, object] = {name: getattr(done, name) for name in ("key", "added", "archived", "nulls")}
    result |= {"changed": done.added or done.archived > 0, "archive_table": done.archive_table}
    if module._diff:
        result["diff"] = {"before": done.before, "after": done.after}
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **LOGIN_OPTIONS,
            "table": {"type": "str", "required": True},
            "columns": {"type": "list", "elements": "str", "default": COLUMNS},
            "key_name": {"type": "str"},
            "order_by": {"type": "str"},
            "duplicates": {"type": "str", "default": "archive", "choices": ["archive", "refuse"]},
            "archive_table": {"type": "str"},
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
