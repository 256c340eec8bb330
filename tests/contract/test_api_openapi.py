"""The description of the API: complete, from the same types, and nothing fetched from elsewhere."""

from __future__ import annotations

import json
from typing import Any

from callboard.api.not_here import NOT_HERE

OPERATIONS = {one.operation for one in NOT_HERE} | {
    "create_room",
    "list_rooms",
    "get_room",
    "update_room",
    "list_recordings",
    "get_recording",
    "compose_recording_again",
    "list_recording_assets",
    "get_recording_asset",
    "presign_recording_asset",
    "list_jobs",
    "get_job",
    "cancel_job",
    "retry_job",
    "create_template",
    "list_templates",
    "get_template",
    "update_template",
    "get_role",
    "update_role",
    "delete_role",
    "get_template_settings",
    "update_template_settings",
    "get_template_destinations",
    "update_template_destinations",
    "get_template_recordings",
    "update_template_recordings",
    "get_active_room",
    "list_peers",
    "get_peer",
    "update_peer",
    "send_message",
    "remove_peers",
    "end_room",
    "list_sessions",
    "get_session",
    "create_webhook_endpoint",
    "list_webhook_endpoints",
    "get_webhook_endpoint",
    "update_webhook_endpoint",
    "rotate_webhook_secret",
    "pause_webhook_endpoint",
    "list_parked_events",
    "list_operational_events",
    "resume_webhook_endpoint",
    "delete_webhook_endpoint",
    "get_webhook_endpoint_state",
    "list_webhook_endpoint_attempts",
    "list_event_attempts",
    "ping_webhook_endpoint",
    "list_webhook_keys",
    "list_events",
    "list_webhook_deliveries",
    "start_webhook_replay",
    "list_webhook_replays",
    "get_webhook_replay",
    "cancel_webhook_replay",
    "get_event",
    "expunge_event",
    "trigger_event",
    "stream_events",
    "export_events",
    "get_asyncapi",
    "create_room_codes",
    "token_by_room_code",
    "create_room_code",
    "update_room_code",
    "list_room_codes",
    "create_poll",
    "get_poll",
    "update_poll",
    "list_poll_sessions",
    "list_poll_responses",
    "get_poll_response",
    "list_poll_results",
    "get_poll_result",
    "update_poll_question",
    "delete_poll_question",
    "update_poll_option",
    "delete_poll_option",
    "list_analytics_events",
    "get_peer_stats",
    "health",
    "readiness",
}

OPEN = {"health", "readiness", "list_webhook_keys", "get_asyncapi", "token_by_room_code"}


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The operations by their ids."""
    return {one["operationId"]: one for path in document["paths"].values() for one in path.values()}


async def test_every_operation_has_an_id_a_tag_a_summary_and_a_description(rest: Any) -> None:
    document = await rest.get("/v2/openapi.json")
    found = operations(document)
    assert set(found) == OPERATIONS
    for name, operation in found.items():
        assert operation["tags"], name
        assert operation["summary"][:1].isupper(), name
        assert operation["description"], name


async def test_the_description_can_be_read_without_a_token(rest: Any) -> None:
    answer = await rest.ask("GET", "/v2/openapi.json", token="")
    assert (answer.status, answer.json()["openapi"]) == (200, "3.1.0")


async def test_every_operation_is_described_as_secured_or_is_one_that_anybody_may_ask(rest: Any) -> None:
    document = await rest.get("/v2/openapi.json")
    assert document["components"]["securitySchemes"]["management"]["scheme"] == "bearer"
    for name, operation in operations(document).items():
        expected: object = None if name in OPEN else [{"management": []}]
        assert operation.get("security") == expected, name


async def test_bodies_and_errors_are_described_by_their_types(rest: Any) -> None:
    document = await rest.get("/v2/openapi.json")
    create = operations(document)["create_room"]
    schemas = document["components"]["schemas"]
    body = create["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/RoomRequest"}
    assert schemas["RoomRequest"]["properties"]["max_duration_seconds"]
    assert schemas["VideoParams"]["properties"]["frameRate"]["maximum"] == 30
    for code in ("400", "401"):
        error = create["responses"][code]["content"]["application/json"]["schema"]
        assert error == {"$ref": "#/components/schemas/Error"}
    assert set(schemas["Error"]["properties"]) == {"code", "message", "details"}


async def test_no_page_is_served_that_would_fetch_from_elsewhere(rest: Any) -> None:
    for path in (
        "/v2",
        "/v2/openapi.json",
        "/v2/openapi.json/x",
        "/v2/swagger",
        "/v2/redoc",
        "/v2/elements",
        "/v2/rapidoc",
        "/v2/scalar",
        "/schema",
    ):
        answer = await rest.ask("GET", path, token="")
        assert answer.headers["content-type"].partition(";")[0] == "application/json", path
        assert b"<script" not in answer.body


async def test_items_of_lists_are_described_as_what_they_are(rest: Any) -> None:
    schemas = (await rest.get("/v2/openapi.json"))["components"]["schemas"]
    layers = schemas["SimulcastLayers"]["properties"]["layers"]
    assert layers["items"] == {"$ref": "#/components/schemas/SimulcastLayer"}
    assert "{}]" not in json.dumps(schemas).replace(" ", "")


async def test_every_post_with_a_token_may_be_sent_twice_and_says_so(rest: Any) -> None:
    paths = (await rest.get("/v2/openapi.json"))["paths"]
    posts = {path: one["post"] for path, one in paths.items() if "post" in one and path != "/v2/token"}
    assert len(posts) > 25
    for path, operation in posts.items():
        named = [one["name"] for one in operation["parameters"] if one["in"] == "header"]
        assert named == ["Idempotency-Key"], path
        assert {"409", "422"} <= set(operation["responses"]), path
