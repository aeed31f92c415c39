# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Stripe answers, takes the key, and how much money is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .. import options as opt
from ..api import Api, get_json, whole_number
from ..checks import CheckType, Look, Measure, Option, Seen, Unhealthy, excerpt

_API = Api(
    "Stripe",
    "api_key must be a secret key, or a restricted one that may read the balance",
    "does not know /v1/balance: url must be that of its API",
)
_MODES = {True: "live mode", False: "test mode"}


def check_stripe(look: Look) -> Seen:
    """Ask for the balance (Stripe's API reference, "Retrieve balance"), which costs nothing and changes nothing."""
    options = look.options
    balance = get_json(_API, look, "/v1/balance", {"Authorization": f"Bearer {options['api_key']}"})
    available, pending = (_amounts(balance, name) for name in ("available", "pending"))
    live = balance.get("livemode")
    if not isinstance(live, bool):
        raise Unhealthy(f"expected livemode of Stripe to be true or false, got {excerpt(repr(live))}")
    if options["livemode"] not in (None, live):
        said = f"expected a key of {_MODES[options['livemode']]}, got one of {_MODES[live]}"
        raise Unhealthy(said, verdict="wrong_mode")
    currency = _currency(options["currency"], available)
    if currency is None:
        return Seen(f"{_MODES[live]}, {len(available)} currencies")
    values = {"available": available[currency], "pending": pending.get(currency, 0)}
    shown = ", ".join(f"{amount} {currency} {name}" for name, amount in values.items())
    return Seen(f"{_MODES[live]}, {shown}", values)


def _amounts(balance: Mapping[str, Any], name: str) -> dict[str, int]:
    """The sum of each currency in a list of the balance, in its smallest unit. Raises Unhealthy when it is none."""
    entries = balance.get(name)
    if not isinstance(entries, list):
        raise Unhealthy(f"expected {name} of Stripe's balance to be a list, got {excerpt(repr(entries))}")
    sums: dict[str, int] = {}
    for entry in entries:
        amount = whole_number(entry.get("amount")) if isinstance(entry, dict) else None
        currency = entry.get("currency") if isinstance(entry, dict) else None
        if amount is None or not isinstance(currency, str):
            raise Unhealthy(f"expected amount and currency in {name} of Stripe's balance, got {excerpt(repr(entry))}")
        sums[currency.lower()] = sums.get(currency.lower(), 0) + amount
    return sums


def _currency(wanted: str | None, available: Mapping[str, int]) -> str | None:
    """The currency to measure: the wanted one, or the only one there is. Raises Unhealthy."""
    if wanted is None:
        return next(iter(available)) if len(available) == 1 else None
    if wanted.lower() not in available:
        there = ", ".join(sorted(available)) or "none"
        raise Unhealthy(f"expected a balance in {wanted.lower()}, got one in {excerpt(there)}")
    return wanted.lower()


STRIPE = CheckType(
    options={
        "api_key": Option(opt.token, required=True, secret=True),
        "url": Option(opt.url, "https://api.stripe.com"),
        "livemode": Option(opt.boolean),
        "currency": Option(opt.text),
    },
    run=check_stripe,
    target=lambda options: urlsplit(options["url"]).netloc,
    component="component",
    measures={
        "available": Measure("minor units", lower_is_worse=True),
        "pending": Measure("minor units", lower_is_worse=True),
    },
    ttl=300,
)
