# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether TLS works, and for how long its certificate does."""

from __future__ import annotations

import ssl

from .. import options as opt
from ..checks import CheckType, Look, Option, Seen, Unhealthy
from ..deadline import TIMED_OUT, TimedTLSSocket, connect, secure, why
from ..starttls import STARTTLS
from ..web import tls_context
from ..x509 import CERTIFICATE_DAYS, certificate_days, from_der


def check_tls(look: Look) -> Seen:
    """Shake hands, look at the certificate, and hang up."""
    options = look.options
    where = f"{options['host']} port {options['port']}"
    try:
        connection = _shake_hands(look)
    except TIMED_OUT:
        raise Unhealthy(f"no TLS with {where} within {look.deadline.seconds:g} s", outage=True) from None
    except (OSError, ValueError) as error:
        outage = isinstance(error, OSError) and not isinstance(error, ssl.SSLCertVerificationError)
        raise Unhealthy(f"no TLS with {where}: {why(error)}", outage=outage) from error
    with connection:
        version = connection.version()
        der = connection.getpeercert(binary_form=True)
    try:
        found = from_der(der or b"")
    except ValueError as error:
        raise Unhealthy(f"{where}: {error}") from None
    return Seen(f"{version}, {found}", certificate_days(found.ends, look.now))


def _shake_hands(look: Look) -> TimedTLSSocket:
    options = look.options
    connection = connect(options["host"], options["port"], look.deadline)
    try:
        connection.settimeout(look.deadline.left())
        STARTTLS[options["starttls"]](connection)
        context = tls_context(options["validate_certs"])
        return secure(connection, context, options["server_name"] or options["host"])
    except BaseException:
        connection.close()
        raise


TLS = CheckType(
    options={
        "host": Option(opt.text, required=True),
        "port": Option(opt.port, 443),
        "server_name": Option(opt.text),
        "starttls": Option(opt.choice(*STARTTLS), "none"),
        "validate_certs": Option(opt.boolean, True),
    },
    run=check_tls,
    target=lambda options: f"{options['server_name'] or options['host']}:{options['port']}",
    component="component",
    measures=CERTIFICATE_DAYS,
)
