"""Stripe's signatures, ours against those of its own library."""

from __future__ import annotations

import pytest
import stripe
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.webhooks.stripe import BadSignature, sign, verify

SECRET = "whsec_test_secret"
NOW = 1700000000
BODY = b'{"id":"evt_test_webhook"}'
HEX = "31f5d883dbc7f94e904e545163bf33620012700d5b31ff192138ab47bf55025a"
GOOD = f"t={NOW},v1={HEX}"


def stripe_takes(header: str, now: float = NOW, secret: str = SECRET) -> bool:
    """What Stripe's library says; its clock is time.time()."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", lambda: now)
        try:
            return bool(stripe.WebhookSignature.verify_header(BODY.decode(), header, secret, 300))
        except stripe.SignatureVerificationError:
            return False


def we_take(header: str, now: float = NOW, secret: str = SECRET) -> bool:
    try:
        return verify(BODY, header, [secret], now) == NOW
    except BadSignature:
        return False


def test_a_known_signature_comes_out():
    assert sign(BODY, SECRET, NOW) == GOOD


def test_what_we_sign_is_taken_by_stripes_library():
    assert stripe_takes(sign(BODY, SECRET, NOW), NOW + 299)
    event = stripe.Webhook.construct_event(BODY.decode(), sign(BODY, SECRET, NOW), SECRET, tolerance=None)
    assert event["id"] == "evt_test_webhook"


@pytest.mark.parametrize("header", [GOOD, f"t={NOW},v1={'0' * 64},v1={HEX}", f"{GOOD},v0={'1' * 64}"])
def test_any_v1_is_enough(header):
    assert stripe_takes(header) and we_take(header)


@pytest.mark.parametrize(
    ("header", "now"),
    [
        (GOOD, NOW + 301),
        (GOOD.replace("31f5", "31f6"), NOW),
        (GOOD.replace("v1=", "v0="), NOW),
        (GOOD.replace(str(NOW), str(NOW + 1)), NOW),
        (f"v1={HEX}", NOW),
        (f"t=soon,v1={HEX}", NOW),
        (f"t={NOW}", NOW),
        ("", NOW),
        (GOOD.replace(HEX, ""), NOW),
        (GOOD.replace(HEX, HEX[:-1]), NOW),
    ],
)
def test_what_stripes_library_refuses_is_refused(header, now):
    assert not stripe_takes(header, now)
    assert not we_take(header, now)


@pytest.mark.parametrize(
    ("header", "now"), [(GOOD, NOW - 365 * 86400), (GOOD, NOW - 31), (f"{GOOD},t={NOW + 300}", NOW)]
)
def test_the_future_and_a_second_time_are_refused_though_stripes_library_takes_them(header, now):
    assert stripe_takes(header, now)
    assert not we_take(header, now)


def test_a_clock_that_is_a_little_behind_is_no_reason():
    assert we_take(GOOD, NOW - 30)


def test_each_of_several_secrets_counts():
    assert verify(BODY, GOOD, ["whsec_the_next_one", SECRET], NOW) == NOW
    with pytest.raises(BadSignature, match="no signature in the header fits"):
        verify(BODY, GOOD, ["whsec_the_next_one"], NOW)


def test_an_empty_secret_is_an_error_whoever_signed():
    with pytest.raises(ValueError, match="secret is empty"):
        sign(BODY, "", NOW)
    with pytest.raises(ValueError, match="secret is empty"):
        verify(BODY, GOOD, [SECRET, ""], NOW)


def test_the_refusal_says_by_how_much():
    with pytest.raises(BadSignature, match="it was signed 400 s ago, 300 s are allowed"):
        verify(BODY, GOOD, [SECRET], NOW + 400)
    with pytest.raises(BadSignature, match="it was signed 60 s in the future, 30 s are allowed"):
        verify(BODY, GOOD, [SECRET], NOW - 60)


def test_text_that_is_not_ascii_is_a_bad_signature_and_no_crash():
    with pytest.raises(BadSignature):
        verify(BODY, f"t={NOW},v1=é{HEX}", [SECRET], NOW)
    with pytest.raises(BadSignature):
        verify(BODY, f"t=\u0661,v1={HEX}", [SECRET], NOW)
