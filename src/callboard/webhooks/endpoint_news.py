"""Endpoints that other nodes create, change and delete.

Owns: `EndpointNews`.
"""

from __future__ import annotations

import logging

from callboard.database import Database
from callboard.database.news import TableNews
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.vault import VaultError

log = logging.getLogger("callboard.webhooks")


class EndpointNews(TableNews):
    """See the module, and `TableNews`."""

    def __init__(self, database: Database, endpoints: Endpoints) -> None:
        super().__init__(database, "endpoint")
        self._endpoints = endpoints

    async def look(self) -> None:
        try:
            await self._endpoints.refresh()
        except VaultError:
            log.exception("an endpoint that another node changed cannot be opened")
