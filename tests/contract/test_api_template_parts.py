"""The parts of a template: `/v2/templates/{id}/roles/{name}`, `/settings`, `/destinations`, `/recordings`."""

from __future__ import annotations

from typing import Any

import pytest

ABSENT = "5f9edc6ac238215aec2312df"
RECORDING = {
    "name": "default",
    "role": "host",
    "maxDuration": 1800,
    "presignDuration": 3600,
    "thumbnails": {"enabled": False, "width": 1280, "height": 720, "offsets": [2], "fps": 60},
    "compositeRecording": {
        "browserComposite": {"autoStart": False, "autoStopTimeout": 500, "width": 1920, "height": 1080},
        "customComposite": {"enabled": False},
    },
    "trackRecording": {"enabled": False},
    "streamRecording": {"enabled": False, "width": 1920, "height": 1080},
}
HLS = {
    "name": "test",
    "maxDuration": 28800,
    "layers": [
        {"width": 1080, "height": 720, "videoBitrate": 1100, "audioBitrate": 32},
        {"width": 720, "height": 720, "videoBitrate": 600},
    ],
    "playlistType": "event",
    "numPlaylistSegments": 12,
    "recording": {"hlsVod": True, "layers": [{"width": 720, "height": 720, "videoBitrate": 600}]},
}
DESTINATIONS: dict[str, Any] = {
    "browserRecordings": {"test": {"name": "test", "role": "host", "width": 1920, "height": 1080}},
    "rtmpDestinations": {"test": {"name": "test", "width": 1080, "height": 1920, "rtmpUrls": ["rtmp://a.b/live/key"]}},
    "hlsDestinations": {"test": HLS},
    "transcriptions": {"test": {"name": "test", "role": "host", "modes": ["recorded", "live"]}},
}


@pytest.fixture
async def path(rest: Any) -> str:
    """A template with the roles host and guest."""
    body = {"name": "t", "roles": {"host": {}, "guest": {"subscribeParams": {"subscribeToRoles": ["host"]}}}}
    return f"/v2/templates/{(await rest.post('/v2/templates', body))['id']}"


def contains(whole: Any, part: Any) -> bool:
    """Whether everything in `part` is in `whole`, which may have more."""
    if isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return bool(whole == part)


async def test_a_role_is_made_with_defaults_and_changed_part_by_part(rest: Any, path: str) -> None:
    made = await rest.post(f"{path}/roles/viewer", {"publishParams": {"allowed": ["audio"]}})
    assert (made["name"], made["publishParams"]["allowed"], made["priority"]) == ("viewer", ["audio"], 1)
    assert made["permissions"]["hlsStreaming"] is True
    changed = await rest.post(f"{path}/roles/viewer", {"permissions": {"endRoom": True}, "maxPeerCount": 3})
    assert (changed["publishParams"], changed["maxPeerCount"]) == (made["publishParams"], 3)
    assert changed["permissions"]["endRoom"] is True
    assert await rest.get(f"{path}/roles/viewer") == changed
    assert list((await rest.get(path))["roles"]) == ["host", "guest", "viewer"]


async def test_a_role_without_a_body_is_one_of_defaults(rest: Any, path: str) -> None:
    assert (await rest.post(f"{path}/roles/new role"))["name"] == "new role"


async def test_a_renamed_role_keeps_its_place_and_is_named_anew_wherever_it_was_named(rest: Any, path: str) -> None:
    await rest.post(f"{path}/recordings", [RECORDING])
    await rest.post(f"{path}/destinations", DESTINATIONS)
    assert (await rest.post(f"{path}/roles/host", {"name": "boss"}))["name"] == "boss"
    template = await rest.get(path)
    assert list(template["roles"]) == ["boss", "guest"]
    assert template["roles"]["guest"]["subscribeParams"]["subscribeToRoles"] == ["boss"]
    assert template["recordings"][0]["role"] == "boss"
    assert template["destinations"]["transcriptions"]["test"]["role"] == "boss"
    await rest.get(f"{path}/roles/host", 404)


async def test_a_role_cannot_take_anothers_name(rest: Any, path: str) -> None:
    answer = await rest.post(f"{path}/roles/host", {"name": "guest"}, 400)
    assert answer["message"] == "role name already exists"


async def test_a_deleted_role_is_gone_and_the_last_one_stays(rest: Any, path: str) -> None:
    assert (await rest.ask("DELETE", f"{path}/roles/guest")).status == 204
    assert (await rest.ask("DELETE", f"{path}/roles/guest")).status == 404
    answer = await rest.ask("DELETE", f"{path}/roles/host")
    assert (answer.status, answer.json()["details"]) == (400, ["a template has at least one role"])
    assert list((await rest.get(path))["roles"]) == ["host"]


async def test_a_role_that_a_recording_or_a_destination_names_is_not_deleted(rest: Any, path: str) -> None:
    await rest.post(f"{path}/recordings", [RECORDING])
    await rest.post(f"{path}/destinations", DESTINATIONS)
    answer = await rest.ask("DELETE", f"{path}/roles/host")
    expected = "recordings.default, destinations.browserRecordings.test, destinations.transcriptions.test"
    assert (answer.status, answer.json()["details"]) == (400, [f"it is the role of {expected}"])


async def test_settings_that_are_named_are_replaced_and_the_others_stay(rest: Any, path: str) -> None:
    first = await rest.post(f"{path}/settings", {"region": "eu", "roomState": {"messageInterval": 5, "enabled": True}})
    assert (first["region"], first["roomState"]["messageInterval"], first["retry"]) == ("eu", 5, {})
    second = await rest.post(f"{path}/settings", {"region": "us"})
    assert second == first | {"region": "us"}
    assert await rest.get(f"{path}/settings") == second
    assert (await rest.get(path))["settings"] == second


async def test_the_secret_of_a_bucket_is_masked_and_the_mask_sent_back_keeps_it(rest: Any, path: str) -> None:
    upload = {"type": "s3", "location": "bucket", "credentials": {"key": "AK", "secret": "hunter2"}}
    shown = await rest.post(f"{path}/settings", {"recording": {"upload": upload}})
    assert shown["recording"]["upload"]["credentials"] == {"key": "AK", "secretKey": "********"}
    await rest.post(f"{path}/settings", shown)
    stored = (await rest.deps.store.template(path.rpartition("/")[2])).settings.recording
    assert stored.upload.credentials.secret_key == "hunter2"
    assert (await rest.post(f"{path}/settings", {"recording": None}))["recording"] is None


async def test_destinations_are_stored_as_documented_with_defaults_for_what_they_leave_out(
    rest: Any, path: str
) -> None:
    shown = await rest.post(f"{path}/destinations", DESTINATIONS)
    assert contains(shown, DESTINATIONS)
    assert shown["rtmpDestinations"]["test"]["maxDuration"] == 14_400
    assert await rest.get(f"{path}/destinations") == shown
    assert (await rest.get(path))["destinations"] == shown


async def test_all_destinations_of_a_kind_are_replaced_and_other_kinds_stay(rest: Any, path: str) -> None:
    before = await rest.post(f"{path}/destinations", DESTINATIONS)
    after = await rest.post(f"{path}/destinations", {"hlsDestinations": {"b": {"name": "b"}}, "transcriptions": {}})
    assert list(after) == ["browserRecordings", "rtmpDestinations", "hlsDestinations"]
    assert after["browserRecordings"] == before["browserRecordings"]
    assert list(after["hlsDestinations"]) == ["b"]
    assert [layer["height"] for layer in after["hlsDestinations"]["b"]["layers"]] == [720, 540, 480, 360]


@pytest.mark.parametrize(
    ("kind", "change", "detail"),
    [
        ("rtmpDestinations", {"name": "other"}, ".name: must be test, the key it stands under"),
        ("browserRecordings", {"role": "x"}, ".role: must be a role of this template; x is none"),
        ("browserRecordings", {"width": 1920, "height": 1920}, ": width and height must be at most 1920x1080"),
        ("browserRecordings", {"width": 499}, ".width: must be an integer from 500 to 1920"),
        ("rtmpDestinations", {"rtmpUrls": ["http://x"]}, ".rtmpUrls[0]: must be rtmp://… or rtmps://…"),
        ("rtmpDestinations", {"rtmpUrls": ["rtmp://x/y"] * 6}, ".rtmpUrls: must be a list of at most 5 items"),
        ("hlsDestinations", {"layers": HLS["layers"][::-1]}, ".layers: must go from large to small"),  # type: ignore[index]
        ("hlsDestinations", {"layers": [{"width": 145, "height": 200}]}, ".layers[0].width: must be an integer"),
        ("hlsDestinations", {"recording": {"layers": [{"width": 640, "height": 360}]}}, ".recording.layers[0]: must"),
        ("hlsDestinations", {"recording": {"enableZipUpload": True}}, ".recording.enableZipUpload: needs a bucket"),
        ("hlsDestinations", {"numPlaylistSegments": 2}, ".numPlaylistSegments: must be an integer from 3 to 150"),
        ("transcriptions", {"summary": {"temperature": 0}}, ".summary.temperature: must be a number from 0.1 to 1.0"),
        ("transcriptions", {"modes": ["always"]}, '.modes[0]: must be "caption", "live" or "recorded"'),
        ("transcriptions", {"language": "en"}, ".language: there is no such key"),
    ],
)
async def test_a_wrong_destination_is_refused_with_its_place_and_changes_nothing(
    rest: Any, path: str, kind: str, change: dict[str, Any], detail: str
) -> None:
    answer = await rest.post(f"{path}/destinations", {kind: {"test": DESTINATIONS[kind]["test"] | change}}, 400)
    place = f"{kind}.test{detail}"
    assert any(found.removeprefix("destinations.").startswith(place) for found in answer["details"]), answer
    assert await rest.get(f"{path}/destinations") == {}


async def test_recordings_are_an_array_of_one(rest: Any, path: str) -> None:
    assert await rest.get(f"{path}/recordings") == []
    shown = await rest.post(f"{path}/recordings", [RECORDING])
    assert contains(shown, [RECORDING])
    assert await rest.get(f"{path}/recordings") == shown
    assert await rest.post(f"{path}/recordings", shown) == shown
    assert await rest.post(f"{path}/recordings", []) == []


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ([RECORDING, RECORDING], "recordings: must be a list of at most 1 items"),
        ({}, "must be a list, each an object with name"),
        ([RECORDING | {"role": "x"}], "recordings[0].role: must be a role of this template; x is none"),
        ([{"name": "a"}], "[0].role: is required"),
        (
            [RECORDING | {"compositeRecording": {"customComposite": {"enabled": True, "width": 640}}}],
            "recordings[0].compositeRecording.customComposite: width and height must be 0",
        ),
        ([RECORDING | {"trackRecording": {"enabled": 1}}], "[0].trackRecording.enabled: must be true or false"),
    ],
)
async def test_wrong_recordings_are_refused(rest: Any, path: str, body: Any, detail: str) -> None:
    answer = await rest.post(f"{path}/recordings", body, 400)
    assert any(found.startswith(detail) for found in answer["details"]), answer
    assert await rest.get(f"{path}/recordings") == []


@pytest.mark.parametrize("part", ["roles/host", "settings", "destinations", "recordings"])
async def test_the_parts_of_a_template_that_is_not_there_are_404(rest: Any, part: str) -> None:
    for answer in (
        await rest.get(f"/v2/templates/{ABSENT}/{part}", 404),
        await rest.post(f"/v2/templates/{ABSENT}/{part}", [] if part == "recordings" else {}, 404),
    ):
        assert answer["message"] == "template not found"


async def test_a_role_that_no_template_can_have_is_refused(rest: Any, path: str) -> None:
    for name in ("a%2Fb", "a%00", "é", "x" * 101):
        answer = await rest.ask("POST", f"{path}/roles/{name}", data="{}")
        assert answer.status in {400, 404}, (name, answer.body)
    layers = {"publishParams": {"simulcast": {"video": {"layers": [{"rid": "q"}]}}}}
    answer = await rest.post(f"{path}/roles/host", layers, 400)
    assert answer["details"][0].startswith("publishParams.simulcast.video.layers: simulcast layers go from large")


async def test_the_parts_that_were_read_can_be_written_back_with_the_template(rest: Any, path: str) -> None:
    await rest.post(f"{path}/recordings", [RECORDING])
    await rest.post(f"{path}/destinations", DESTINATIONS)
    template = await rest.get(path)
    again = await rest.post(path, template)
    assert again == template | {"updatedAt": again["updatedAt"]}
