"""Who signs a request when: keys that expire between two requests."""

from __future__ import annotations

import random
from email.parser import BytesHeaderParser

from hypothesis import given
from hypothesis import strategies as st

from callboard.clock import NANOSECONDS
from callboard.ledger import Recorded
from callboard.webhooks.endpoint import Endpoint, EndpointRequest, new_endpoint, rotated_endpoint
from callboard.webhooks.keys_text import public_key_of
from callboard.webhooks.request import Renderer
from callboard.webhooks.signing import Verifier

NOW = 1_800_000_000 * NANOSECONDS
RANDOM = random.Random(5).randbytes
BODY = b'{"type":"x"}'
EVENT = Recorded(1, "i1", "s1", 1, "x", "r", "s1", "p", NOW, NOW, "", "", BODY)


def signed_by(renderer: Renderer, endpoint: Endpoint, now: int) -> list[int]:
    """Which of the endpoint's keys, by their place, have signed a request of this moment, in order."""
    head, _, body = renderer.render(EVENT, b"s1", now).partition(b"\r\n\r\n")
    fields = BytesHeaderParser().parsebytes(head.partition(b"\r\n")[2])
    content = f"{fields['webhook-id']}.{fields['webhook-timestamp']}.".encode() + body
    known = [text if text.startswith("whsec_") else public_key_of(text) for text in endpoint.secrets]
    signatures = str(fields["webhook-signature"]).encode().split(b" ")
    return [
        next(place for place, key in enumerate(known) if Verifier(key).matches(content, [signature]))
        for signature in signatures
    ]


def test_an_old_key_signs_until_it_expires_and_the_renderer_need_not_be_told() -> None:
    endpoint = new_endpoint(EndpointRequest(url="https://a.example/", schemes=["v1", "v1a"]), "e1", RANDOM, NOW)
    endpoint = rotated_endpoint(endpoint, 60, RANDOM, NOW)
    renderer = Renderer(endpoint)
    assert signed_by(renderer, endpoint, NOW) == [0, 1, 2, 3]
    assert signed_by(renderer, endpoint, NOW + 60 * NANOSECONDS - 1) == [0, 1, 2, 3]
    assert signed_by(renderer, endpoint, NOW + 60 * NANOSECONDS) == [0, 1]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20), st.lists(st.integers(0, 90), max_size=5))
def test_whatever_the_clock_does_exactly_the_active_keys_sign(moments: list[int], overlaps: list[int]) -> None:
    endpoint = new_endpoint(EndpointRequest(url="https://a.example/"), "e1", RANDOM, NOW)
    for overlap in overlaps:
        endpoint = rotated_endpoint(endpoint, overlap, RANDOM, NOW)
    renderer = Renderer(endpoint)
    for seconds in moments:
        now = NOW + seconds * NANOSECONDS
        expected = [place for place, key in enumerate(endpoint.keys) if key.active(now)]
        assert signed_by(renderer, endpoint, now) == expected
