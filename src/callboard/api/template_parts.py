"""The parts of a template by themselves: roles, settings, destinations, recordings (platform.md §3.10).

Owns: their routes. Like templates they are camelCase.
"""

from __future__ import annotations

from litestar import Router, delete, get, post
from litestar.params import FromPath, JSONBody

from callboard.api.bodies import JsonBody
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.rooms.destinations import Destinations
from callboard.rooms.models import Recording, Role, Settings
from callboard.rooms.template_parts import (
    DestinationsEdit,
    Recordings,
    RoleEdit,
    SettingsEdit,
    role_named,
    with_destinations,
    with_recordings,
    with_role,
    with_settings,
    without_role,
)
from callboard.rooms.templates import masked

NOTHING = RoleEdit()


def roles_routes(deps: Deps) -> Router:
    """The routes of one role."""

    @get(
        "/{template_id:str}/roles/{role:str}",
        operation_id="get_role",
        summary="Get a role of a template",
        responses=errors(404),
    )
    async def get_role(template_id: FromPath[str], role: FromPath[str]) -> Role:
        """The role."""
        return role_named(await deps.store.template(template_id), role)

    @post(
        "/{template_id:str}/roles/{role:str}",
        status_code=200,
        operation_id="update_role",
        summary="Create or change a role of a template",
        responses=errors(404),
        dto=JsonBody[RoleEdit],
        return_dto=None,
    )
    async def update_role(template_id: FromPath[str], role: FromPath[str], data: JSONBody[RoleEdit] = NOTHING) -> Role:
        """Each part that the body names is replaced whole, the others stay; a new role has defaults for them.

        `name` in the body renames the role, also where recordings, destinations and other roles name it.
        """
        change = await deps.store.change_template(template_id, lambda old: with_role(old, role, data, deps.clock.now()))
        return change.roles[data.name if isinstance(data.name, str) else role]

    @delete(
        "/{template_id:str}/roles/{role:str}",
        operation_id="delete_role",
        summary="Delete a role of a template",
        responses=errors(404),
    )
    async def delete_role(template_id: FromPath[str], role: FromPath[str]) -> None:
        """Who is in a room with this role stays; nobody else comes in with it. Not the last one, nor one that a
        recording or a destination names.
        """
        await deps.store.change_template(template_id, lambda old: without_role(old, role, deps.clock.now()))

    return Router("/templates", route_handlers=[get_role, update_role, delete_role], tags=["Templates"])


def parts_routes(deps: Deps) -> Router:
    """The routes of settings, destinations and recordings."""

    @get(
        "/{template_id:str}/settings",
        operation_id="get_template_settings",
        summary="Get the settings of a template",
        responses=errors(404),
    )
    async def get_settings(template_id: FromPath[str]) -> Settings:
        """The settings; a secret is shown as `********`, which sent back means: as it was."""
        return masked((await deps.store.template(template_id)).settings)

    @post(
        "/{template_id:str}/settings",
        status_code=200,
        operation_id="update_template_settings",
        summary="Change the settings of a template",
        responses=errors(404),
        dto=JsonBody[SettingsEdit],
        return_dto=None,
    )
    async def update_settings(template_id: FromPath[str], data: JSONBody[SettingsEdit]) -> Settings:
        """Each setting that the body names is replaced whole, the others stay."""
        template = await deps.store.change_template(template_id, lambda old: with_settings(old, data, deps.clock.now()))
        return masked(template.settings)

    @get(
        "/{template_id:str}/destinations",
        operation_id="get_template_destinations",
        summary="Get the destinations of a template",
        responses=errors(404),
    )
    async def get_destinations(template_id: FromPath[str]) -> Destinations:
        """The destinations by kind and name; a kind of which there are none is left out."""
        return (await deps.store.template(template_id)).destinations

    @post(
        "/{template_id:str}/destinations",
        status_code=200,
        operation_id="update_template_destinations",
        summary="Change the destinations of a template",
        responses=errors(404),
        dto=JsonBody[DestinationsEdit],
        return_dto=None,
    )
    async def update_destinations(template_id: FromPath[str], data: JSONBody[DestinationsEdit]) -> Destinations:
        """All destinations of a kind that the body names are replaced; other kinds stay."""
        template = await deps.store.change_template(
            template_id, lambda old: with_destinations(old, data, deps.clock.now())
        )
        return template.destinations

    @get(
        "/{template_id:str}/recordings",
        operation_id="get_template_recordings",
        summary="Get the recordings of a template",
        responses=errors(404),
    )
    async def get_recordings(template_id: FromPath[str]) -> tuple[Recording, ...]:
        """What is recorded: an array of at most one element."""
        return (await deps.store.template(template_id)).recordings

    @post(
        "/{template_id:str}/recordings",
        status_code=200,
        operation_id="update_template_recordings",
        summary="Configure the recordings of a template",
        responses=errors(404),
        dto=JsonBody[Recordings],
        return_dto=None,
    )
    async def update_recordings(template_id: FromPath[str], data: JSONBody[Recordings]) -> tuple[Recording, ...]:
        """An array of one element, or of none: nothing is recorded. Holds for sessions that open from now on."""
        template = await deps.store.change_template(
            template_id, lambda old: with_recordings(old, data, deps.clock.now())
        )
        return template.recordings

    handlers = [get_settings, update_settings, get_destinations, update_destinations, get_recordings, update_recordings]
    return Router("/templates", route_handlers=handlers, tags=["Templates"])
