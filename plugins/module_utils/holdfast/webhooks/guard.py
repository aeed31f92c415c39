# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving a table the unique key that makes its application take each event once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..asking import Ask
from ..engines import Engine
from ..errors import DatabaseError, InvalidInput
from .archive import Archive, check_archive, move, refuse_referenced
from .keys import COLUMNS, DIALECTS, Found, alike_only, counted, find, find_column, look_at
from .tables import Dialect, Duplicated

_ATTEMPTS = 5
_SUFFIX = "_duplicates"


@dataclass(frozen=True)
class Wish:
    """A unique key on columns of a table, by a name of the operator's or of ours.

    Of rows with the same values the first by `order_by`, the primary key by default, stays; the others go to the
    archive, or with `duplicates` of `refuse` nothing is done.
    """

    table: str
    columns: Sequence[str] = field(default_factory=lambda: list(COLUMNS))
    key_name: str | None = None
    order_by: str | None = None
    duplicates: str = "archive"
    archive_table: str | None = None


@dataclass(frozen=True)
class Guarded:
    """What came of it, or would: the key's name, whether it is new, how many rows went to the archive and its name.

    `before` and `after` are for an operator to compare.
    """

    key: str
    added: bool
    archived: int
    nulls: int
    archive_table: str | None
    warnings: tuple[str, ...]
    before: str
    after: str


def guard(engine: Engine, wish: Wish, *, dry_run: bool = False) -> Guarded:
    """See to it that the table has the key. A dry run finds whatever would stop it, and changes nothing.

    Raises InvalidInput and NotFound with nothing touched, Locked when another run is at it, or DatabaseError. What has
    gone to the archive by then stays there: rows are moved whole, and are in one of the two tables.
    """
    dialect = DIALECTS[engine.name]
    with engine.asking() as ask:
        dialect.prepare(ask)
        found = find(ask, dialect, wish.table, wish.columns)
        if found.key or dry_run:
            found = counted(ask, dialect, found)
        if found.key:
            return _told(found, found, wish, found.key.name, 0, ())
        if dry_run:
            name, _ = _plan(ask, dialect, found, wish)
            return _told(found, None, wish, name, found.duplicates, ())
        with dialect.alone(ask, found.table):
            return _make(ask, dialect, wish)


def _make(ask: Ask, dialect: Dialect, wish: Wish) -> Guarded:
    """Move and make the key until no duplicate comes in between."""
    archived = 0
    before = found = look_at(ask, dialect, wish.table, wish.columns)
    for _ in range(_ATTEMPTS):
        if found.key:  # another run was quicker
            return _told(before, found, wish, found.key.name, archived, ())
        name, archive = _plan(ask, dialect, found, wish)
        if found.duplicates:
            archived += move(ask, dialect, found, archive)
        try:
            warning = dialect.add_key(ask, found.table, name, found.columns)
        except Duplicated:
            found = look_at(ask, dialect, wish.table, wish.columns)
            continue
        return _told(before, None, wish, name, archived, (warning,) if warning else ())
    raise DatabaseError(
        f"The key on {before.table.name} was not made: new duplicates came during each of {_ATTEMPTS} attempts."
        f" {archived} rows were moved to {_archive_name(before, wish)}. Stop what writes them, and run this again."
    )


def _plan(ask: Ask, dialect: Dialect, found: Found, wish: Wish) -> tuple[str, Archive]:
    """The key's name and the archive. Raises HoldfastError for whatever is known to stop the work."""
    name = _key_name(dialect, found, wish)
    if dialect.name_taken(ask, found.table, name):
        raise InvalidInput(
            f"The name {name} is taken, by something that is not a unique key on {_listed(found)}. Give key_name."
        )
    order = find_column(dialect, found.table, wish.order_by) if wish.order_by else None
    archive = Archive(_archive_name(found, wish), order)
    if found.duplicates:
        _check_duplicates(ask, dialect, found, wish)
        check_archive(ask, dialect, found.table, archive)
        refuse_referenced(ask, dialect, found, archive)
    dialect.check_rights(ask, found.table, archive.sql(dialect, found.table) if found.duplicates else None)
    return name, archive


def _check_duplicates(ask: Ask, dialect: Dialect, found: Found, wish: Wish) -> None:
    """Raise InvalidInput when the duplicates must not be moved, or cannot."""
    table = found.table.name
    rows = "1 row stands" if found.duplicates == 1 else f"{found.duplicates} rows stand"
    if wish.duplicates == "refuse":
        raise InvalidInput(
            f"{rows} in {table} that came before with the same {_listed(found)}: {', '.join(found.examples)}."
            " Nothing was changed. With duplicates=archive all but the first of each are moved to another table."
        )
    alike = alike_only(ask, dialect, found)
    if alike:
        raise InvalidInput(
            f"{table} has ids that are different, but not by the column's collation: {', '.join(alike)}. A key would"
            " refuse one of them. Give the column one that tells them apart, such as utf8mb4_bin or BINARY."
        )
    if not found.table.primary:
        raise InvalidInput(f"{rows} twice in {table}, which has no primary key to tell them by. Give it one first.")
    if found.table.immovable:
        raise InvalidInput(f"{rows} twice in {table} and cannot be moved safely: {found.table.immovable}.")


def _key_name(dialect: Dialect, found: Found, wish: Wish) -> str:
    """The operator's name, or one such as Laravel gives, made shorter where the engine would not take it."""
    name = wish.key_name
    if name is None:
        name = "_".join([found.table.name, *found.columns, "unique"]).lower()
        if dialect.name_limit and dialect.name_length(name) > dialect.name_limit:
            tail = "_" + hashlib.sha256(name.encode()).hexdigest()[:8] + "_unique"
            while dialect.name_length(name + tail) > dialect.name_limit:
                name = name[:-1]
            name += tail
    _check_name(dialect, "key_name", name)
    return name


def _archive_name(found: Found, wish: Wish) -> str:
    return wish.archive_table or found.table.name + _SUFFIX


def _check_name(dialect: Dialect, option: str, name: str) -> None:
    too_long = dialect.name_limit and dialect.name_length(name) > dialect.name_limit
    if not name or "\0" in name or too_long or name.upper() in ("PRIMARY", "PRIMARY KEY"):
        limit = f", and at most {dialect.name_limit} long" if dialect.name_limit else ""
        raise InvalidInput(f"{option} {name!r} cannot be used: it must not be empty, nor PRIMARY{limit}.")


def _listed(found: Found) -> str:
    return f"({', '.join(found.columns)})"


def _told(before: Found, now: Found | None, wish: Wish, key: str, archived: int, warnings: tuple[str, ...]) -> Guarded:
    """The outcome; without a `now`, the key is a new one."""
    added = now is None
    nulls = (now or before).nulls
    if nulls:
        rows = "1 row has" if nulls == 1 else f"{nulls} rows have"
        warnings += (f"{rows} NULL in {_listed(before)} of {before.table.name}: no unique key compares those.",)
    if before.short:
        warnings += tuple(f"The unique index {one}." for one in before.short)
    archive = _archive_name(before, wish) if archived else None
    return Guarded(
        key=key,
        added=added,
        archived=archived,
        nulls=nulls,
        archive_table=archive,
        warnings=warnings,
        before=_page(before, before.key.name if before.key else None, before.duplicates, ""),
        after=_page(before, key, 0, f"moved to {archive}: {archived}\n" if archive else ""),
    )


def _page(found: Found, key: str | None, duplicates: int, more: str) -> str:
    return f"unique key on {_listed(found)}: {key or 'none'}\nduplicates: {duplicates}\n{more}"
