# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long a certificate in a file is good, and for whom."""

from __future__ import annotations

from pathlib import Path

from ...units import span
from .. import options as opt
from ..checks import FAIL, CheckType, Look, Option, Seen, Unhealthy, excerpt
from ..x509 import CERTIFICATE_DAYS, Certificate, certificate_days, from_pem

_LIMIT = 1 << 20


def check_certificate(look: Look) -> Seen:
    """Read the first certificate of a PEM file."""
    path = Path(look.options["path"])
    found = _read(path)
    values = certificate_days(found.ends, look.now)
    fault = _fault(found, look)
    if fault is None:
        return Seen(str(found), values)
    verdict, wrong = fault
    return Seen(f"{found}, but {wrong}", values, FAIL, verdict)


def _fault(found: Certificate, look: Look) -> tuple[str, str] | None:
    """What is wrong with it irrespective of limits, as a verdict and in words."""
    host = look.options["host_name"]
    if found.ends <= look.now:
        return "expired", "that is over"
    if found.begins > look.now:
        return "not_yet_valid", f"it is good only in {span(found.begins - look.now)}"
    if host is not None and not found.covers(host):
        return "wrong_host", f"it is not good for {host}, only for {excerpt(', '.join(found.names), 'no name')}"
    return None


def _read(path: Path) -> Certificate:
    try:
        # To open a named pipe would wait for its other end.
        if not path.is_file():
            raise Unhealthy(f"there is no file {path}")
        with open(path, encoding="ascii", errors="replace") as handle:
            return from_pem(handle.read(_LIMIT))
    except OSError as error:
        raise Unhealthy(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Unhealthy(f"{path}: {error}") from None


CERTIFICATE = CheckType(
    options={"path": Option(opt.text, required=True), "host_name": Option(opt.text)},
    run=check_certificate,
    target=lambda options: str(options["path"]),
    component="system",
    measures=CERTIFICATE_DAYS,
)
