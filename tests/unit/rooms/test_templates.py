"""Templates: from a request to something valid, and to its row and back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from callboard.errors import Invalid
from callboard.rooms.destinations import Destinations
from callboard.rooms.models import Permissions, Role, Template
from callboard.rooms.templates import (
    MASK,
    TemplateRequest,
    changed_template,
    default_template,
    masked,
    new_template,
    replaced_template,
    template_of,
    template_row,
)

ID = "5f9edc6ac238215aec2312df"
NOW = 1_800_000_000_123_456_789
UPLOAD = {"type": "s3", "location": "bucket", "credentials": {"key": "AK", "secretKey": "hunter2"}}


def asked(**body: Any) -> TemplateRequest:
    """The request with this JSON body."""
    return msgspec.convert(body, TemplateRequest)


def made(**body: Any) -> Template:
    return new_template(asked(**{"name": "t", "roles": {"host": {}}} | body), ID, NOW)


def with_layers(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"host": {"publishParams": {"simulcast": {"video": {"layers": list(layers)}}}}}


def secret_of(template: Template) -> str:
    assert template.settings.recording is not None
    assert template.settings.recording.upload is not None
    return template.settings.recording.upload.credentials.secret_key


def test_a_role_has_the_platforms_defaults() -> None:
    role = made().roles["host"]
    assert msgspec.to_builtins(role) == {
        "name": "host",
        "publishParams": {
            "allowed": (),
            "audio": {"bitRate": 32, "codec": "opus"},
            "video": {"bitRate": 256, "codec": "vp8", "frameRate": 25, "width": 320, "height": 180},
            "screen": {"bitRate": 1024, "codec": "vp8", "frameRate": 10, "width": 1280, "height": 720},
            "simulcast": {"video": {"layers": ()}, "screen": {"layers": ()}},
        },
        "subscribeParams": {"subscribeToRoles": (), "maxSubsBitRate": 3200},
        "permissions": {
            "endRoom": False,
            "removeOthers": False,
            "mute": False,
            "unmute": False,
            "changeRole": False,
            "sendRoomState": False,
            "pollRead": False,
            "pollWrite": False,
            "browserRecording": True,
            "rtmpStreaming": True,
            "hlsStreaming": True,
        },
        "priority": 1,
        "maxPeerCount": 0,
    }


def test_what_a_request_says_stands_and_the_rest_has_its_default() -> None:
    degradation = {"packetLossThreshold": 25}
    template = made(
        roles={
            "guest": {
                "publishParams": {"allowed": ["audio"], "video": {"frameRate": 30}},
                "subscribeParams": {"subscribeToRoles": ["guest"], "subscribeDegradation": degradation},
                "permissions": {"mute": True, "hlsStreaming": False},
                "maxPeerCount": -1,
            }
        }
    )
    role = template.roles["guest"]
    assert role.name == "guest"
    assert role.publish_params.allowed == ("audio",)
    assert (role.publish_params.video.frame_rate, role.publish_params.video.width) == (30, 320)
    assert role.permissions == Permissions(mute=True, hls_streaming=False)
    assert role.max_peer_count == -1
    assert msgspec.to_builtins(role.subscribe_params)["subscribeDegradation"] == {
        "packetLossThreshold": 25,
        "degradeGracePeriodSeconds": 1,
        "recoverGracePeriodSeconds": 4,
    }


@pytest.mark.parametrize("missing", ["name", "roles"])
def test_a_new_template_needs_a_name_and_roles(missing: str) -> None:
    body = {"name": "t", "roles": {"host": {}}}
    del body[missing]
    with pytest.raises(Invalid, match=f"{missing}: is required"):
        new_template(asked(**body), ID, NOW)


def test_a_role_that_says_another_name_than_its_key_is_refused() -> None:
    with pytest.raises(Invalid, match=r"roles\.host\.name: must be host"):
        made(roles={"host": {"name": "guest"}})


@pytest.mark.parametrize(
    "layers",
    [
        (),
        ({"rid": "f"},),
        ({"rid": "f", "scaleResolutionDownBy": 1.0}, {"rid": "q", "scaleResolutionDownBy": 4}),
        (
            {"rid": "f"},
            {"rid": "h", "scaleResolutionDownBy": 2, "maxBitrate": 400},
            {"rid": "q", "scaleResolutionDownBy": 4.5, "maxFramerate": 10},
        ),
    ],
)
def test_simulcast_layers_that_descend_are_taken(layers: tuple[dict[str, Any], ...]) -> None:
    template = made(roles=with_layers(*layers))
    assert len(template.roles["host"].publish_params.simulcast.video.layers) == len(layers)


@pytest.mark.parametrize(
    "layers",
    [
        ({"rid": "h", "scaleResolutionDownBy": 2},),
        ({"rid": "f", "scaleResolutionDownBy": 2},),
        ({"rid": "f"}, {"rid": "f", "scaleResolutionDownBy": 2}),
        ({"rid": "f"}, {"rid": "q", "scaleResolutionDownBy": 4}, {"rid": "h", "scaleResolutionDownBy": 8}),
        ({"rid": "f"}, {"rid": "h", "scaleResolutionDownBy": 4}, {"rid": "q", "scaleResolutionDownBy": 2}),
        ({"rid": "f"}, {"rid": "h"}),
    ],
)
def test_simulcast_layers_in_any_other_order_are_refused(layers: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(Invalid, match=r"roles\.host\.publishParams\.simulcast\.video\.layers: .*large to small"):
        made(roles=with_layers(*layers))


def test_everything_that_is_wrong_with_roles_is_said_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        made(roles=with_layers({"rid": "q"}) | {"guest": {"name": "x"}})
    assert len(caught.value.details) == 2


def test_replacing_keeps_id_creation_and_recordings_and_empties_what_is_not_said() -> None:
    old = made(
        destinations={"hlsDestinations": {"d": {"name": "d"}}},
        plugins={"whiteboard": {}},
        recordings=[{"name": "r", "role": "host", "trackRecording": {"enabled": True}}],
    )
    new = replaced_template(old, asked(roles={"guest": {}}, settings={"region": "eu"}), NOW + 1)
    assert (new.id, new.name, new.created_at, new.updated_at) == (ID, "t", NOW, NOW + 1)
    assert list(new.roles) == ["guest"]
    assert new.settings.region == "eu"
    assert (new.destinations, new.plugins) == (Destinations(), {})
    assert new.recordings == old.recordings
    assert new.recordings[0].track_recording.enabled


@pytest.mark.parametrize(("said", "missing"), [({"roles": {"a": {}}}, "settings"), ({"settings": {}}, "roles")])
def test_replacing_needs_roles_and_settings(said: dict[str, Any], missing: str) -> None:
    with pytest.raises(Invalid, match=f"{missing}: is required"):
        replaced_template(made(), asked(**said), NOW)


def test_changing_leaves_what_is_not_said() -> None:
    old = made(settings={"region": "in"}, plugins={"whiteboard": {}})
    new = changed_template(old, asked(roles={"guest": {}}), NOW + 1)
    assert (list(new.roles), new.settings, new.plugins) == (["guest"], old.settings, old.plugins)


def test_a_secret_is_masked_when_shown_and_kept_when_the_mask_comes_back() -> None:
    old = made(settings={"recording": {"upload": UPLOAD}})
    shown = masked(old.settings)
    assert "hunter2" not in msgspec.json.encode(shown).decode()
    assert "hunter2" not in repr(old)
    back = asked(roles={"host": {}}, settings=msgspec.to_builtins(shown))
    assert secret_of(replaced_template(old, back, NOW)) == "hunter2"


def test_a_mask_without_a_secret_behind_it_is_no_secret() -> None:
    upload = UPLOAD | {"credentials": {"key": "AK", "secretKey": MASK}}
    assert secret_of(made(settings={"recording": {"upload": upload}})) == ""


def test_a_secret_may_be_spelled_as_rooms_spell_it() -> None:
    upload = UPLOAD | {"credentials": {"key": "AK", "secret": "hunter2"}}
    template = made(settings={"recording": {"upload": upload}})
    assert secret_of(template) == "hunter2"
    assert b'"secret":' not in msgspec.json.encode(template)


def test_a_row_is_read_back_as_the_same_template() -> None:
    template = made(
        name="A template",
        roles=with_layers({"rid": "f"}, {"rid": "q", "scaleResolutionDownBy": 4}) | {"viewer": {"maxPeerCount": 3}},
        settings={"region": "us", "recording": {"upload": UPLOAD}, "retry": {"anything": [1, None]}},
        recordings=[{"name": "r", "role": "viewer", "streamRecording": {"enabled": True}}],
        destinations={"rtmpDestinations": {"d": {"name": "d", "rtmpUrls": ["rtmp://x/live/key"]}}},
        plugins={"transcriptions": {"mode": "caption"}},
    )
    assert template_of(template_row(template).row) == template


def test_what_answers_have_besides_may_come_back_in_a_request() -> None:
    extra = {"id": 1, "_id": 2, "customerId": 3, "customer": 4, "createdAt": 5, "updatedAt": 6, "default": True}
    assert made(**extra).id == ID


def test_in_the_default_template_host_and_guest_hear_each_other_and_viewers_hear_both() -> None:
    template = default_template(ID, NOW)
    assert template.name == "default"
    talks = {name: role.publish_params.allowed for name, role in template.roles.items()}
    assert talks == {"host": ("audio", "video", "screen"), "guest": ("audio", "video", "screen"), "viewer": ()}
    hears = {role.subscribe_params.subscribe_to_roles for role in template.roles.values()}
    assert hears == {("host", "guest")}
    host = template.roles["host"].permissions
    assert all(getattr(host, name) for name in Permissions.__struct_fields__)
    assert not template.roles["viewer"].permissions.end_room
    assert template_of(template_row(template).row) == template
    for role in template.roles.values():
        assert msgspec.convert(msgspec.to_builtins(role), Role) == role
