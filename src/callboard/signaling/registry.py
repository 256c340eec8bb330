"""Who is connected: the clients of all rooms, and which socket speaks for which client.

Owns: `Registry`. Says when a client's socket is lost or back; what follows from that is decided elsewhere.

Always holds: a client is kept while it has a socket or its peer is in the session, and forgotten after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from callboard.media import PeerMedia
from callboard.rooms.reports import Person
from callboard.signaling.client import Client
from callboard.signaling.socket import Socket


class Registry:
    """All clients of this node. `lost` is called when a joined client is left without a socket."""

    def __init__(self, lost: Callable[[Client], None]) -> None:
        self._rooms: dict[str, dict[str, Client]] = {}
        self._lost = lost

    def of_room(self, room_id: str) -> Iterable[Client]:
        return list(self._rooms.get(room_id, {}).values())

    def all(self) -> Iterable[Client]:
        return [client for clients in self._rooms.values() for client in clients.values()]

    def find(self, room_id: str, peer_id: str) -> Client | None:
        return self._rooms.get(room_id, {}).get(peer_id)

    def media(self, room_id: str, peer_id: str) -> PeerMedia | None:
        """The peer's media, if it has any at the moment."""
        client = self.find(room_id, peer_id)
        return client.media if client is not None else None

    def connect(self, room_id: str, person: Person, socket: Socket) -> Client:
        """The client of this peer id, with `socket` as its socket, or as its candidate while another one is open."""
        client = self._rooms.setdefault(room_id, {}).setdefault(person.peer_id, Client(room_id, person))
        if client.socket is None or not client.socket.open:
            client.socket = socket
        else:
            if client.candidate is not None:
                client.candidate.close(1000, "another connection of this peer took over")
            client.candidate = socket
        return client

    def take_over(self, client: Client, socket: Socket) -> bool:
        """`socket` speaks for the client from now on. Returns whether it did not before."""
        if client.socket is socket:
            return False
        old, client.socket, client.candidate = client.socket, socket, None
        if old is not None:
            old.close(1000, "another connection of this peer took over")
        return True

    def disconnect(self, client: Client, socket: Socket) -> None:
        """`socket` is closed. A waiting candidate takes over; without one a joined client is lost."""
        if client.candidate is socket:
            client.candidate = None
        if client.socket is socket:
            client.socket, client.candidate = client.candidate, None
            if client.socket is None and client.joined:
                self._lost(client)
        self.forget(client)

    def forget(self, client: Client) -> None:
        """Drop the client if nothing is left of it."""
        clients = self._rooms.get(client.room_id, {})
        if client.socket is None and not client.joined and clients.get(client.id) is client:
            del clients[client.id]
            if not clients:
                del self._rooms[client.room_id]
