"""What the meeting page shows to a role: the layout that it asks for (signal.md §8.4). Pure.

Owns: `layouts`. Always holds: the first layout is that of the role which asks, since the page takes the first; every
role of the template has one, since the page looks there when a role changes. An entry is there only when this server
can do what it is for, and the role may.
"""

from __future__ import annotations

from typing import Any, Final

from callboard.rooms.models import Role, Template

Json = dict[str, Any]

FONT: Final = "Inter"
"""The page brings it along."""

PREVIEW: Final[Json] = {
    "default": {
        "elements": {
            "preview_header": {"title": "Get Started", "sub_title": "Set up your audio and video before joining"},
            "join_form": {
                "join_btn_type": "JOIN_BTN_TYPE_JOIN_ONLY",
                "join_btn_label": "Join Now",
                "go_live_btn_label": "Go Live",
            },
        }
    }
}


def layouts(template: Template, role_name: str, app_id: str) -> list[Json]:
    """The layouts of all roles of the template, the one of `role_name` first."""
    names = sorted(template.roles, key=lambda name: name != role_name)
    return [_layout(template, template.roles[name], app_id) for name in names]


def _layout(template: Template, role: Role, app_id: str) -> Json:
    return {
        "id": f"{template.id}-{role.name}",
        "role_id": role.name,
        "role": role.name,
        "template_id": template.id,
        "app_id": app_id,
        "typography": {"font_family": FONT},
        "themes": [],
        "options": {},
        "screens": {
            "preview": PREVIEW,
            "conferencing": {"default": {"elements": _elements(template, role)}},
            "leave": {},
        },
    }


def _elements(template: Template, role: Role) -> Json:
    """The parts of the room. Who may mute or remove others also pins messages and people for all."""
    leads = role.permissions.remove_others or role.permissions.mute
    return {
        "chat": {
            "public_chat_enabled": True,
            "private_chat_enabled": True,
            "roles_whitelist": list(template.roles),
            "chat_title": "Chat",
            "message_placeholder": "Message",
            "allow_pinning_messages": leads,
        },
        "participant_list": {},
        "hand_raise": {},
        "emoji_reactions": {},
        "video_tile_layout": {
            "grid": {"enable_local_tile_inset": True, "prominent_roles": [], "enable_spotlighting_peer": leads}
        },
    }
