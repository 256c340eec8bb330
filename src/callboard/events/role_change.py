"""Role change events: a peer gets another role, or could not.

Source: seed, "Role change Events"; platform.md §4.5.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, UnsetType

from callboard.events.fields import JoinedAt, PeerId, RoleName, Timestamp, UserData, UserId, UserName
from callboard.events.groups import InSession

RequestedBy = Annotated[
    str,
    Meta(
        description="The id of the peer who asked for the change. Left out if the API did.",
        examples=["0f8f4b1e-6f0c-4d5b-9a44-5d3a2c1b0e9f"],
    ),
]


class RoleChangeError(StrEnum):
    """Why a role change failed. `role limit reached`: the role has as many peers as its template allows.

    Source: seed, `role.change.failure`; platform.md §10.9.
    """

    ROLE_LIMIT_REACHED = "role limit reached"


class _RoleChange(InSession, frozen=True, kw_only=True):
    """Whose role, and who asked."""

    THEME: ClassVar[str] = "Role change Events"

    peer_id: PeerId
    user_id: UserId
    user_name: UserName
    user_data: UserData
    joined_at: JoinedAt
    role_change_requested_by: RequestedBy | UnsetType = UNSET


class RoleChangeSuccess(_RoleChange, frozen=True, kw_only=True):
    """A peer has a new role: another peer or the API changed it.

    Source: seed, Role change Events, `role.change.success`.
    """

    EVENT: ClassVar[str] = "role.change.success"

    previous_role: RoleName
    role: Annotated[str, Meta(description="The name of the peer's new role.", examples=["host"])]
    role_changed_at: Annotated[
        Timestamp, Meta(description="When the role changed.", examples=["2025-01-15T10:03:30.5Z"])
    ]


class RoleChangeFailure(_RoleChange, frozen=True, kw_only=True):
    """A peer's role could not be changed, for example because the role is full.

    Source: seed, Role change Events, `role.change.failure`.
    """

    EVENT: ClassVar[str] = "role.change.failure"

    role: Annotated[str, Meta(description="The name of the role that was asked for.", examples=["host"])]
    error_message: Annotated[
        RoleChangeError,
        Meta(description="Why it failed.", examples=[RoleChangeError.ROLE_LIMIT_REACHED]),
    ]
