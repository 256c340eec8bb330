"""Templates: create, list, get, update (platform.md §3.10). Their parts are in `template_parts.py`.

Owns: the template as REST shows it, and its routes.
"""

from __future__ import annotations

from typing import Any

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct, field

from callboard.api import pages
from callboard.api.bodies import JsonBody
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.api.pages import Limit, Start
from callboard.events import timestamps
from callboard.rooms.destinations import Destinations
from callboard.rooms.models import Plugin, Recording, Role, Settings, Template, Workspace
from callboard.rooms.templates import TemplateRequest, masked


class TemplateResponse(Struct, frozen=True, kw_only=True, rename="camel"):
    """A template. Unlike everything else here it is camelCase."""

    id: str
    old_id: str = field(name="_id")
    name: str
    customer_id: str
    customer: str
    roles: dict[str, Role]
    settings: Settings
    recordings: tuple[Recording, ...]
    destinations: Destinations
    plugins: dict[Plugin, Any]
    created_at: str
    updated_at: str


class TemplatePage(Struct, frozen=True, kw_only=True):
    limit: int
    data: list[TemplateResponse]
    last: str


def shown(template: Template, workspace: Workspace) -> TemplateResponse:
    """The template as REST shows it."""
    return TemplateResponse(
        id=template.id,
        old_id=template.id,
        name=template.name,
        customer_id=workspace.id,
        customer=workspace.id,
        roles=template.roles,
        settings=masked(template.settings),
        recordings=template.recordings,
        destinations=template.destinations,
        plugins=template.plugins,
        created_at=timestamps.stored(template.created_at),
        updated_at=timestamps.stored(template.updated_at),
    )


def templates_router(deps: Deps) -> Router:
    """The routes below `/v2/templates`."""

    @post(
        "/",
        status_code=200,
        operation_id="create_template",
        summary="Create a template",
        responses=errors(),
        dto=JsonBody[TemplateRequest],
        return_dto=None,
    )
    async def create(data: JSONBody[TemplateRequest]) -> TemplateResponse:
        """Create a template. If there is one with this name, it is changed instead, and returned.

        What a role leaves out has its default; without a name the template gets one.
        """
        return shown(await deps.store.create_template(data), deps.workspace)

    @get("/", operation_id="list_templates", summary="List templates", responses=errors())
    async def list_templates(limit: Limit = pages.MIN_LIMIT, start: Start = "") -> TemplatePage:
        """Templates, newest first."""
        applied = pages.clamped(limit)
        found = await deps.store.templates(applied + 1, pages.cursor(start))
        page, more = pages.cut(found, applied)
        templates = [shown(template, deps.workspace) for template in page]
        return TemplatePage(limit=applied, data=templates, last=templates[-1].id if more else "")

    @get("/{template_id:str}", operation_id="get_template", summary="Get a template", responses=errors(404))
    async def get_template(template_id: FromPath[str]) -> TemplateResponse:
        """The template."""
        return shown(await deps.store.template(template_id), deps.workspace)

    @post(
        "/{template_id:str}",
        status_code=200,
        operation_id="update_template",
        summary="Replace a template",
        responses=errors(404),
        dto=JsonBody[TemplateRequest],
        return_dto=None,
    )
    async def update(template_id: FromPath[str], data: JSONBody[TemplateRequest]) -> TemplateResponse:
        """Replace the template: `roles` and `settings` are required, what is left out of the rest is emptied.

        Sessions that are open keep the template they opened with.
        """
        return shown(await deps.store.replace_template(template_id, data), deps.workspace)

    return Router("/templates", route_handlers=[create, list_templates, get_template, update], tags=["Templates"])
