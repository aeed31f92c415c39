# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a database lets one in and answers a query, read-only."""

from __future__ import annotations

from .. import options as opt
from ..checks import CheckType, Look, Option, Seen
from ..databases import ENGINES, LOGIN_OPTIONS, connected, put_query


def check_database(look: Look) -> Seen:
    """Log in and put the query; with `expect`, compare the first value of its first row."""
    options = look.options
    with connected(options["engine"], options, look.deadline) as session:
        put_query(session, options["query"], options["expect"])
    return Seen("the database answered")


DATABASE = CheckType(
    options={
        "engine": Option(opt.choice(*ENGINES), required=True),
        **LOGIN_OPTIONS,
        "query": Option(opt.text, "SELECT 1"),
        "expect": Option(opt.scalar),
    },
    run=check_database,
    target=lambda options: f"{options['engine']} {options['database']}",
    component="datastore",
)
