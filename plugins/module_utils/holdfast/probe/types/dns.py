# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a name resolves, and to what it should."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .. import options as opt
from ..checks import CheckType, Look, Measure, Option, Seen, Unhealthy, excerpt
from ..deadline import TIMED_OUT, why
from ..nameserver import KINDS, Refused, encoded, records

_PORT = 53
_ADDRESSES = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}


def check_dns(look: Look) -> Seen:
    """Ask the system's resolver, or one name server."""
    options = look.options
    kinds = [options["record"]] if options["record"] else list(_ADDRESSES)
    what = f"{options['domain']} ({' or '.join(kinds)})"
    if options["server"] is not None:
        found = _of_server(look, kinds, what)
    else:
        found = _of_system(options["domain"], kinds, what)
    if not found:
        raise Unhealthy(f"there is no record for {what}")
    there = excerpt(", ".join(found))
    lacking = [one for one in options["expect"] if _plain(one) not in map(_plain, found)]
    if lacking:
        raise Unhealthy(f"expected {', '.join(lacking)} among the records for {what}, got {there}")
    return Seen(f"{what} is {there}", {"answers": len(found)})


def _of_system(name: str, kinds: list[str], what: str) -> list[str]:
    """The addresses by the system's resolver, which knows no time limit: whoever asks this check leaves it behind."""
    family = _ADDRESSES[kinds[0]] if len(kinds) == 1 else socket.AF_UNSPEC
    try:
        answers = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)
    except socket.gaierror as error:
        outage = error.errno == socket.EAI_AGAIN
        raise Unhealthy(f"{what} does not resolve: {error.strerror}", outage=outage) from error
    except (OSError, UnicodeError) as error:
        raise Unhealthy(f"{what} does not resolve: {error}") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in answers))


def _of_server(look: Look, kinds: list[str], what: str) -> list[str]:
    server = look.options["server"]
    host, port = _address(server)
    try:
        return [one for kind in kinds for one in records(host, port, look.options["domain"], kind, look.deadline)]
    except Refused as error:
        if error.rcode == "NXDOMAIN":
            raise Unhealthy(f"{server} knows no name {look.options['domain']} (NXDOMAIN)") from None
        # It is there but did not get the answer from others (RFC 2308, 7.1).
        outage = error.rcode == "SERVFAIL"
        raise Unhealthy(f"{server} has no answer for {what}: {error.rcode}", outage=outage) from None
    except TIMED_OUT:
        said = f"no answer from {server} for {what} within {look.deadline.seconds:g} s"
        raise Unhealthy(said, outage=True) from None
    except OSError as error:
        raise Unhealthy(f"no answer from {server} for {what}: {why(error)}", outage=True) from error
    except ValueError as error:
        raise Unhealthy(f"{server} does not speak proper DNS: {error}") from None


def _plain(record: str) -> str:
    """A record so that one that is written in another way is the same."""
    try:
        return str(ipaddress.ip_address(record))
    except ValueError:
        return record.rstrip(".").lower()


def _domain(value: Any) -> str:
    found = opt.text(value)
    encoded(found)
    return found


def _server(value: Any) -> str:
    found = opt.text(value)
    try:
        _address(found)
    except ValueError as error:
        raise ValueError(f"must be a host, or a host and a port: {error}") from None
    return found


def _address(server: str) -> tuple[str, int]:
    """Host and port of a name server; an IPv6 address with a port stands in brackets. Raises ValueError."""
    bare = server.count(":") > 1 and not server.startswith("[")
    parts = urlsplit(f"//[{server}]" if bare else f"//{server}")
    if not parts.hostname or parts.netloc != (f"[{server}]" if bare else server) or "@" in server:
        raise ValueError(f"{server!r} is none")
    return parts.hostname, _PORT if parts.port is None else parts.port


def _fit(options: Mapping[str, Any]) -> None:
    if options["server"] is None and options["record"] not in (None, *_ADDRESSES):
        raise ValueError(f"for records of {options['record']}, give the server to ask")


def _target(options: Mapping[str, Any]) -> str:
    return str(options["domain"]) + (f" at {options['server']}" if options["server"] else "")


DNS = CheckType(
    options={
        "domain": Option(_domain, required=True),
        "record": Option(opt.choice(*KINDS)),
        "server": Option(_server),
        "expect": Option(opt.texts, []),
    },
    run=check_dns,
    target=_target,
    component="system",
    measures={"answers": Measure(lower_is_worse=True)},
    fit=_fit,
)
