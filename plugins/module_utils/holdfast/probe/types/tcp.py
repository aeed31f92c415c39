# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether something accepts TCP connections."""

from __future__ import annotations

from .. import options as opt
from ..checks import CheckType, Look, Option, Seen, Unhealthy
from ..deadline import TIMED_OUT, connect, why


def check_tcp(look: Look) -> Seen:
    """Open a connection and close it."""
    options, deadline = look.options, look.deadline
    where = f"{options['host']} port {options['port']}"
    try:
        connect(options["host"], options["port"], deadline).close()
    except TIMED_OUT:
        raise Unhealthy(f"no connection to {where} within {deadline.seconds:g} s", outage=True) from None
    except (OSError, ValueError) as error:
        raise Unhealthy(f"cannot connect to {where}: {why(error)}", outage=True) from error
    return Seen(f"connected to {where}")


TCP = CheckType(
    options={"host": Option(opt.text, "localhost"), "port": Option(opt.port, required=True)},
    run=check_tcp,
    target=lambda options: f"{options['host']}:{options['port']}",
    component="component",
)
