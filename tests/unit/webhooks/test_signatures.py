from __future__ import annotations

import base64
import time

import pytest
import standardwebhooks

from inferometer.core.secret import Secret
from inferometer.webhooks.signatures import key_of, signing_headers

VECTOR_SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
NEW_SECRET = Secret("whsec_" + base64.b64encode(bytes(range(32))).decode())


def test_the_test_vector_of_the_specification_holds() -> None:
    headers = signing_headers(
        [VECTOR_SECRET],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        sent_at_s=1_614_265_330,
        body=b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secret", [VECTOR_SECRET, NEW_SECRET])
def test_during_a_rotation_either_secret_verifies(secret: Secret) -> None:
    body = '{"type":"slo.alert.firing","é":1}'.encode()
    headers = signing_headers(
        [NEW_SECRET, VECTOR_SECRET],
        message_id="msg_1",
        sent_at_s=int(time.time()),
        body=body,
    )
    verifier = standardwebhooks.Webhook(secret.reveal())
    assert verifier.verify(body, headers) == {"type": "slo.alert.firing", "é": 1}


def test_a_changed_body_does_not_verify() -> None:
    headers = signing_headers(
        [NEW_SECRET], message_id="msg_1", sent_at_s=int(time.time()), body=b"{}"
    )
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(NEW_SECRET.reveal()).verify(b"{ }", headers)


@pytest.mark.parametrize(
    "text",
    ["whsec_c2hvcnQ=", "whsec_" + base64.b64encode(bytes(65)).decode(), "whsec_%%%", ""],
    ids=["short", "long", "no base64", "empty"],
)
def test_a_bad_secret_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="make one") as caught:
        key_of(Secret(text))
    assert not text or text not in str(caught.value)


def test_secrets_do_not_show() -> None:
    assert "MfKQ" not in f"{VECTOR_SECRET} {VECTOR_SECRET!r} {[VECTOR_SECRET]}"
