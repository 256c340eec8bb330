"""`rotate-secret` and the public keys, as REST shows them, and receivers that go by them."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from callboard.clock import NANOSECONDS
from callboard.consumer import SecretMismatch, public_keys, verify
from callboard.webhooks.keys import signer_at
from callboard.webhooks.keys_public import PATH

ABSENT = "5f9edc6ac238215aec2312df"
NOW = 1_800_000_000
BOTH = {"url": "https://a.example/hook", "schemes": ["v1", "v1a"]}
LATER = 100
"""Seconds: more than all looks at the clock in one test."""


async def made(rest: Any, **wanted: Any) -> tuple[str, Any]:
    """A new endpoint and its path."""
    endpoint = await rest.post("/v2/webhook-endpoints", BOTH | wanted)
    return f"/v2/webhook-endpoints/{endpoint['id']}", endpoint


def accepts(rest: Any, endpoint_id: str, key: str, after: float = LATER) -> bool:
    """Whether who knows `key` accepts what is sent to the endpoint so many seconds after the beginning."""
    now = NOW + int(after)
    signer = signer_at(rest.deps.endpoints.get(endpoint_id).keys, now * NANOSECONDS)
    signature = signer.sign(b"id", b"%d" % now, b"{}").decode()
    headers = {"webhook-id": "id", "webhook-timestamp": str(now), "webhook-signature": signature}
    try:
        verify(headers, b"{}", key, now=now)
    except SecretMismatch:
        return False
    return True


async def test_an_endpoint_shows_which_keys_sign_and_the_public_ones(rest: Any) -> None:
    path, endpoint = await made(rest)
    (secret,) = endpoint.pop("secrets")
    v1, v1a = endpoint["signing_keys"]
    assert v1 == {"scheme": "v1", "created_at": endpoint["created_at"]}
    assert v1a == {"scheme": "v1a", "created_at": endpoint["created_at"], "public_key": v1a["public_key"]}
    assert accepts(rest, endpoint["id"], secret)
    assert accepts(rest, endpoint["id"], v1a["public_key"])
    assert await rest.get(path) == endpoint


async def test_the_private_key_is_never_shown(rest: Any) -> None:
    private = "whsk_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    path, endpoint = await made(rest, secrets=[private])
    answers = [
        endpoint,
        await rest.get(path),
        await rest.get("/v2/webhook-endpoints"),
        await rest.post(path, {"secrets": [private]}),
        await rest.post(f"{path}/rotate-secret"),
        await rest.get(PATH),
    ]
    assert "whsk_" not in json.dumps(answers)
    assert rest.deps.endpoints.get(endpoint["id"]).secrets.count(private) == 1


async def test_a_rotation_shows_the_new_secret_once(rest: Any) -> None:
    path, endpoint = await made(rest)
    rotated = await rest.post(f"{path}/rotate-secret", {"overlap_seconds": 3600})
    (new,) = rotated.pop("secrets")
    (old,) = endpoint["secrets"]
    assert [key["scheme"] for key in rotated["signing_keys"]] == ["v1", "v1a", "v1", "v1a"]
    assert ["expires_at" in key for key in rotated["signing_keys"]] == [False, False, True, True]
    assert "secrets" not in await rest.get(path)
    assert [accepts(rest, endpoint["id"], key) for key in (old, new)] == [True, True]
    assert [accepts(rest, endpoint["id"], key, 3600 + LATER) for key in (old, new)] == [False, True]


async def test_without_a_word_the_old_keys_sign_on_for_a_day(rest: Any) -> None:
    path, endpoint = await made(rest)
    (old,) = endpoint["secrets"]
    for answer in (await rest.post(f"{path}/rotate-secret"), await rest.post(f"{path}/rotate-secret", {})):
        assert "secrets" in answer
    assert accepts(rest, endpoint["id"], old, 86_399)
    assert not accepts(rest, endpoint["id"], old, 86_400 + LATER)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"overlap_seconds": -1}, "overlap_seconds: must be"),
        ({"overlap_seconds": 604_801}, "overlap_seconds: must be"),
        ({"overlap_seconds": "1"}, "overlap_seconds: must be"),
        ({"overlap": 1}, "overlap: there is no such key; did you mean overlap_seconds?"),
    ],
)
async def test_a_wrong_rotation_is_refused_and_changes_nothing(rest: Any, body: Any, detail: str) -> None:
    path, endpoint = await made(rest)
    answer = await rest.post(f"{path}/rotate-secret", body, 400)
    assert answer["details"][0].startswith(detail)
    del endpoint["secrets"]
    assert await rest.get(path) == endpoint


async def test_rotating_what_is_not_there_is_404_and_needs_a_token(rest: Any) -> None:
    assert (await rest.post(f"/v2/webhook-endpoints/{ABSENT}/rotate-secret", None, 404))[
        "message"
    ] == "endpoint not found"
    assert (await rest.ask("POST", f"/v2/webhook-endpoints/{ABSENT}/rotate-secret", token="")).status == 401


async def test_too_many_rotations_are_refused_but_never_one_in_an_emergency(rest: Any) -> None:
    path, _ = await made(rest, schemes=["v1"])
    for _ in range(9):
        await rest.post(f"{path}/rotate-secret")
    answer = await rest.post(f"{path}/rotate-secret", None, 400)
    assert answer["message"] == "too many keys"
    rotated = await rest.post(f"{path}/rotate-secret", {"overlap_seconds": 0})
    assert len(rotated["signing_keys"]) == len(rotated["secrets"]) == 1


async def test_switching_a_scheme_on_shows_its_secret_once(rest: Any) -> None:
    path, endpoint = await made(rest, schemes=["v1a"])
    assert "secrets" not in endpoint
    (secret,) = (await rest.post(path, {"schemes": ["v1", "v1a"]}))["secrets"]
    assert accepts(rest, endpoint["id"], secret)
    assert accepts(rest, endpoint["id"], endpoint["signing_keys"][0]["public_key"]), "the other scheme's key stays"
    assert "secrets" not in await rest.post(path, {"schemes": ["v1", "v1a"]})


@pytest.mark.parametrize("schemes", [[], ["v2"], "v1", [1]])
async def test_schemes_that_there_are_not_are_refused(rest: Any, schemes: Any) -> None:
    answer = await rest.post("/v2/webhook-endpoints", BOTH | {"schemes": schemes}, 400)
    assert answer["details"][0].startswith("schemes")


async def test_the_public_keys_need_no_token_and_may_be_cached(rest: Any) -> None:
    _, endpoint = await made(rest)
    await made(rest, schemes=["v1"])
    answer = await rest.ask("GET", PATH, token="")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "max-age=300, public"
    (key,) = answer.json()["keys"]
    assert key.pop("kid")
    assert key.pop("x")
    assert key == {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
        "endpoint_id": endpoint["id"],
        "whpk": endpoint["signing_keys"][1]["public_key"],
        "iat": key["iat"],
    }
    assert [one.key_id for one in jwt.PyJWKSet.from_json(answer.body.decode()).keys]


async def test_a_receiver_follows_rotations_by_the_public_keys_alone(rest: Any) -> None:
    path, endpoint = await made(rest)
    _, other = await made(rest)
    known = public_keys((await rest.ask("GET", PATH, token="")).body, endpoint["id"])
    assert known == [endpoint["signing_keys"][1]["public_key"]]
    await rest.post(f"{path}/rotate-secret", {"overlap_seconds": 30})
    document = await rest.ask("GET", PATH, token="")
    both = public_keys(document.body, endpoint["id"])
    assert both[1:] == known
    assert [accepts(rest, endpoint["id"], key, 0) for key in both] == [True, True]
    assert [accepts(rest, endpoint["id"], key) for key in both] == [True, False]
    assert public_keys(document.body, other["id"]) == [other["signing_keys"][1]["public_key"]]
    ending = [key for key in document.json()["keys"] if "exp" in key]
    assert [key["whpk"] for key in ending] == known
    for _ in range(30):  # a second passes at each look
        await rest.get(PATH, endpoint_id=endpoint["id"])
    (left,) = (await rest.get(PATH, endpoint_id=endpoint["id"]))["keys"]
    assert left["whpk"] == both[0]
