# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements that find their way by PostgreSQL's catalog: what a restore has to drop, and whether it may.

The catalog's tables are described in the PostgreSQL manual, chapter 53 "System Catalogs"; pg_depend says what belongs
to an extension (deptype e) or to another object (deptype i).
"""

from __future__ import annotations

# Empties the current database inside the transaction that fills it again. Extensions stay, since creating one may take
# more rights than the restore has, and so do the schemas they live in; what belongs to one is never dropped on its own.
EMPTY = r"""
SET lock_timeout = '60s';
SET client_min_messages = warning;
DO $holdfast$
DECLARE statements text[]; statement text;
BEGIN
  -- Written down first: a name cannot be told any more when a cascade has dropped its object.
  statements := ARRAY(
    WITH of_extensions AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
    own_schemas AS (
      SELECT oid, nspname, nspname = 'public' OR oid IN (SELECT extnamespace FROM pg_extension) AS stays
      FROM pg_namespace n WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM of_extensions e WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid))
    SELECT format('DROP EVENT TRIGGER %I', evtname) FROM pg_event_trigger t
      WHERE NOT EXISTS (SELECT FROM of_extensions e WHERE e.classid = 'pg_event_trigger'::regclass AND e.objid = t.oid)
    UNION ALL SELECT format('DROP PUBLICATION %I', pubname) FROM pg_publication
    UNION ALL SELECT format('SELECT lo_unlink(%s)', oid) FROM pg_largeobject_metadata
    UNION ALL SELECT format('DROP SERVER %I CASCADE', srvname) FROM pg_foreign_server
    UNION ALL SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM own_schemas WHERE NOT stays
    UNION ALL SELECT format('DROP %s IF EXISTS %s CASCADE', replace(o.type, ' object', ''), o.identity)
      FROM pg_depend d JOIN own_schemas n ON n.oid = d.refobjid AND n.stays,
        pg_identify_object(d.classid, d.objid, 0) o
      WHERE d.refclassid = 'pg_namespace'::regclass AND d.classid NOT IN
        ('pg_extension'::regclass, 'pg_default_acl'::regclass)
      -- Of an extension, or of another object: the sequence of an identity column, the type of a table.
      AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = d.classid AND i.objid = d.objid
        AND i.deptype IN ('e', 'i') AND i.refobjid <> i.objid)
  );
  FOREACH statement IN ARRAY statements LOOP
    EXECUTE statement;
  END LOOP;
END
$holdfast$;
"""

# What the database had no more than the backup has: extensions that were made since, if the login may drop them.
DROP_OTHER_EXTENSIONS = r"""
DO $holdfast$
DECLARE other name;
BEGIN
  FOR other IN SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' AND extname <> ALL (%s) LOOP
    BEGIN
      EXECUTE format('DROP EXTENSION %%I', other);
    EXCEPTION WHEN insufficient_privilege OR dependent_objects_still_exist THEN NULL;
    END;
  END LOOP;
END
$holdfast$;
"""

# What the login could not drop, as neither its owner nor the owner of its schema (PostgreSQL manual, DROP TABLE), or
# not create again.
NOT_OURS = r"""
WITH of_extensions AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
schemas AS (
  SELECT oid, nspname, nspowner, pg_has_role(nspowner, 'USAGE') AS ours FROM pg_namespace
  WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'),
objects AS (
  SELECT 'pg_class'::regclass AS classid, c.oid, relowner AS owner FROM pg_class c
    JOIN schemas s ON s.oid = relnamespace WHERE NOT s.ours AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  UNION ALL SELECT 'pg_proc'::regclass, p.oid, proowner FROM pg_proc p JOIN schemas s ON s.oid = pronamespace
    WHERE NOT s.ours
  UNION ALL SELECT 'pg_type'::regclass, t.oid, typowner FROM pg_type t JOIN schemas s ON s.oid = typnamespace
    WHERE NOT s.ours AND typtype IN ('d', 'e', 'r')
  UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner FROM schemas
    WHERE nspname <> 'public' AND oid NOT IN (SELECT extnamespace FROM pg_extension)
  UNION ALL SELECT 'pg_largeobject'::regclass, oid, lomowner FROM pg_largeobject_metadata
  UNION ALL SELECT 'pg_event_trigger'::regclass, oid, evtowner FROM pg_event_trigger
  UNION ALL SELECT 'pg_publication'::regclass, oid, pubowner FROM pg_publication
  UNION ALL SELECT 'pg_foreign_server'::regclass, oid, srvowner FROM pg_foreign_server)
SELECT format('%s %s (owner %s)', o.type, o.identity, pg_get_userbyid(owner))
  FROM objects, pg_identify_object(classid, oid, 0) o WHERE NOT pg_has_role(owner, 'USAGE')
  AND NOT EXISTS (SELECT FROM of_extensions e WHERE e.classid = objects.classid AND e.objid = objects.oid)
UNION ALL SELECT 'schema public (no right to create in it)' FROM schemas
  WHERE nspname = 'public' AND NOT has_schema_privilege(oid, 'CREATE')
UNION ALL SELECT 'schemas (no right to create them in the database)'
  WHERE NOT has_database_privilege(current_database(), 'CREATE')
  AND EXISTS (SELECT FROM schemas WHERE nspname <> 'public' AND oid NOT IN (SELECT extnamespace FROM pg_extension))
"""

# As CREATE DATABASE wants them. The provider's columns came with PostgreSQL 15, and one of them was renamed by 17.
SETTINGS = """
SELECT jsonb_strip_nulls(jsonb_build_object('encoding', pg_encoding_to_char(encoding), 'collate', datcollate,
  'ctype', datctype, 'provider', to_jsonb(d) ->> 'datlocprovider',
  'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')))
FROM pg_database d WHERE datname = current_database()
"""


def quote(name: str) -> str:
    """An identifier as it stands in a statement (PostgreSQL manual, 4.1.1)."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A string as it stands in a statement (PostgreSQL manual, 4.1.2.1)."""
    return "'" + value.replace("'", "''") + "'"
