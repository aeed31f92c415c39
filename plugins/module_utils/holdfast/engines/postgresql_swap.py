# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchanging a PostgreSQL database for another by two renames in one transaction.

ALTER DATABASE ... RENAME may stand in a transaction, takes the name from nobody who is connected, and holds up who
connects meanwhile (PostgreSQL manual, "ALTER DATABASE").
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import SwapRefused
from .postgresql_catalog import literal, quote

if TYPE_CHECKING:
    import psycopg

_GOODBYE_S = 2.0
_ATTEMPTS = 3  # each of which waits up to 5 s for others to go, who may come back in between

# What belongs to a database and its schema public and stands in no dump. The rights are as the owner left them, and
# ACLs without an entry mean the defaults (PostgreSQL manual, 5.8 "Privileges").
_ATTRIBUTES = """
SELECT jsonb_build_object(
  'owner', pg_get_userbyid(datdba),
  'limit', datconnlimit,
  'comment', shobj_description(d.oid, 'pg_database'),
  'tablespace', (SELECT spcname FROM pg_tablespace t WHERE t.oid = dattablespace),
  'settings', (SELECT jsonb_agg(setting ORDER BY setting) FROM pg_db_role_setting s, unnest(setconfig) setting
    WHERE setdatabase = d.oid AND setrole = 0),
  'rights', (SELECT jsonb_agg(a ORDER BY a::text) FROM (SELECT grantee::regrole::text, privilege_type, is_grantable
    FROM aclexplode(coalesce(datacl, acldefault('d', datdba)))) a),
  'public', (SELECT jsonb_agg(a ORDER BY a::text) FROM (SELECT grantee::regrole::text, privilege_type, is_grantable
    FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) WHERE nspname = 'public') a))
FROM pg_database d WHERE datname = current_database()
"""

# Each row says why the database has to keep its place.
_STAYS_BEHIND = """
SELECT format('The user %s is not allowed to create databases: ALTER ROLE ... CREATEDB.', current_user)
  FROM pg_roles WHERE rolname = current_user AND NOT rolcreatedb AND NOT rolsuper
UNION ALL SELECT format('The user %s is not the owner of the database.', current_user)
  FROM pg_database WHERE datname = current_database() AND NOT pg_has_role(datdba, 'USAGE')
UNION ALL SELECT format('The replication slot %s belongs to the database.', slot_name)
  FROM pg_replication_slots WHERE database = current_database()
UNION ALL SELECT format('The subscription %s belongs to the database.', subname)
  FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = current_database()
UNION ALL SELECT format('The extension %s can only be created by a superuser.', extname)
  FROM pg_extension JOIN pg_available_extension_versions v ON v.name = extname AND v.version = extversion
  WHERE superuser AND NOT coalesce((to_jsonb(v) ->> 'trusted')::boolean, false)
  AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
UNION ALL SELECT format('The role %s has settings of its own for the database.', setrole::regrole)
  FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
  WHERE datname = current_database() AND setrole <> 0
"""


def refuse_what_stays_behind(connection: psycopg.Connection[Any]) -> None:
    """Raise SwapRefused when the connection's database cannot give up its place to another."""
    for (reason,) in connection.execute(_STAYS_BEHIND).fetchall():
        raise SwapRefused(str(reason))


def hand_down(source: psycopg.Connection[Any], target: psycopg.Connection[Any]) -> None:
    """Give the target's empty database the owner, rights and settings of the source's.

    Raises SwapRefused, naming what could not be given.
    """
    wanted, found = _attributes(source), _attributes(target)
    statements = _statements(quote(target.info.dbname), wanted, found)
    for statement in statements:
        try:
            target.execute(statement)
        except target.Error as error:
            raise SwapRefused(f"What belongs to the database cannot be given to another: {error}") from error
    found = _attributes(target)
    for name, value in wanted.items():
        if found[name] != value:
            raise SwapRefused(f"The database's {name} ({json.dumps(value)}) cannot be given to another by this user.")


def _attributes(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    row = connection.execute(_ATTRIBUTES).fetchone()
    assert row is not None
    return dict(row[0])


def _statements(name: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """What makes the `found` attributes the `wanted` ones; the owner comes last, as it takes the right to the rest."""
    statements = []
    if wanted["limit"] != found["limit"]:
        statements.append(f"ALTER DATABASE {name} CONNECTION LIMIT {wanted['limit']}")
    if wanted["comment"] is not None:
        statements.append(f"COMMENT ON DATABASE {name} IS {literal(wanted['comment'])}")
    for setting in wanted["settings"] or []:
        key, value = setting.split("=", 1)
        # As a list such as search_path's is taken whole.
        statements.append(f"SELECT set_config({literal(key)}, {literal(value)}, false)")
        statements.append(f"ALTER DATABASE {name} SET {key} FROM CURRENT")
    for kind, there in (("rights", f"DATABASE {name}"), ("public", "SCHEMA public")):
        if wanted[kind] != found[kind]:
            statements += [f"REVOKE ALL ON {there} FROM {_grantee(right)}" for right in found[kind] or []]
            statements += [_grant(right, there) for right in wanted[kind] or []]
    if wanted["owner"] != found["owner"]:
        statements.append(f"ALTER DATABASE {name} OWNER TO {quote(wanted['owner'])}")
    return statements


def _grant(right: Mapping[str, Any], there: str) -> str:
    option = " WITH GRANT OPTION" if right["is_grantable"] else ""
    return f"GRANT {right['privilege_type']} ON {there} TO {_grantee(right)}{option}"


def _grantee(right: Mapping[str, Any]) -> str:
    """A role as regrole shows it, quoted where that is needed; its dash stands for everybody."""
    return "PUBLIC" if right["grantee"] == "-" else str(right["grantee"])


def exchange(connection: psycopg.Connection[Any], live: str, source: str, kept: str) -> None:
    """Rename `live` to `kept` and `source` to `live`, at once; who is connected to them is sent away.

    Raises SwapRefused when somebody stays or the user may not.
    """
    from psycopg import errors

    for attempt in range(1, _ATTEMPTS + 1):
        _send_away(connection, live, source)
        try:
            with connection.transaction():
                connection.execute(f"ALTER DATABASE {quote(live)} RENAME TO {quote(kept)}")
                connection.execute(f"ALTER DATABASE {quote(source)} RENAME TO {quote(live)}")
            return
        except errors.ObjectInUse as error:
            if attempt == _ATTEMPTS:
                raise SwapRefused(f"Others connect to it again and again: {error}") from error
        except errors.InsufficientPrivilege as error:
            raise SwapRefused(f"The user may not rename it: {error}") from error


def _send_away(connection: psycopg.Connection[Any], *databases: str) -> None:
    query = "SELECT pid, usename FROM pg_stat_activity WHERE datname = ANY (%s) AND pid <> pg_backend_pid()"
    for pid, user in connection.execute(query, (list(databases),)).fetchall():
        try:
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        except connection.Error as error:
            # The server ends its own workers, which have no user, by itself; who just comes may seem to be another.
            if user is not None and not _leaves(connection, pid):
                raise SwapRefused(f"The user {user} stays connected, whom this login may not send away.") from error


def _leaves(connection: psycopg.Connection[Any], pid: int) -> bool:
    """Whether a session ends by itself within two seconds."""
    end = time.monotonic() + _GOODBYE_S
    while connection.execute("SELECT FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone() is not None:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
