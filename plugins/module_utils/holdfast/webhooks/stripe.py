# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of Stripe's webhooks (https://docs.stripe.com/webhooks#verify-manually).

The header is `t=EPOCH,v1=HEX`, with a v1 for each secret that is good while one is being replaced. The HMAC-SHA256 is
over "EPOCH." and the body's very bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

TOLERANCE_S = 300
FUTURE_S = 30  # how far the sender's clock may be ahead


class BadSignature(Exception):
    """Why an event is not taken for the sender's, as one sentence without a full stop. No secret is in it."""


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """The header for a body that is sent at a time in seconds since 1970. Raises ValueError for an empty secret."""
    return f"t={timestamp},v1={_hmac(body, secret, timestamp)}"


def verify(body: bytes, header: str, secrets: Sequence[str], now: float, tolerance: int = TOLERANCE_S) -> int:
    """The time at which a body was signed with one of the secrets, in seconds since 1970. Raises BadSignature.

    It must not lie more than `tolerance` seconds back, nor more than 30 ahead of `now`: Stripe's own library takes any
    time to come, so that what was once signed for next year could be sent again until then. Also refused are a second
    `t=`, and a secret that is empty, which would let in whoever knows that it is (ValueError). Schemes other than v1 do
    not count.
    """
    timestamp, signatures = _parts(header)
    wanted = [_hmac(body, secret, timestamp) for secret in secrets]
    # Every pair is compared, so that the time it takes does not tell which one is right.
    if not any([hmac.compare_digest(one, other) for one in wanted for other in signatures]):
        raise BadSignature("no signature in the header fits the body and the secret")
    if now - timestamp > tolerance:
        raise BadSignature(f"it was signed {now - timestamp:.0f} s ago, {tolerance} s are allowed")
    if timestamp - now > FUTURE_S:
        raise BadSignature(f"it was signed {timestamp - now:.0f} s in the future, {FUTURE_S} s are allowed")
    return timestamp


def _hmac(body: bytes, secret: str, timestamp: int) -> str:
    if not secret:
        raise ValueError("the signing secret is empty")
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def _parts(header: str) -> tuple[int, list[str]]:
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    # compare_digest takes texts of ASCII only.
    signatures = [value for name, _, value in pairs if name == "v1" and re.fullmatch("[0-9a-f]{64}", value)]
    if len(times) != 1 or not re.fullmatch(r"[0-9]{1,12}", times[0]):
        raise BadSignature("the header must have one t=, a number of seconds since 1970")
    if not signatures:
        raise BadSignature("the header has no v1=, 64 hexadecimal digits")
    return int(times[0]), signatures
