"""The receiver of the tests and the drill: what it says arrived, when it says so."""

from __future__ import annotations

import socket

from callboard.testing.receiver import Receiver


def _sent_and_gone(port: int, number: int) -> None:
    """As a process does that is killed: its connections are closed for it, and what it wrote stays to be read."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST /hook HTTP/1.1\r\nwebhook-id: %d\r\ncontent-length: 0\r\n\r\n" % number)


async def test_what_was_sent_by_those_who_are_gone_has_arrived_once_the_receiver_is_caught_up() -> None:
    async with Receiver() as receiver:
        for number in range(50):
            _sent_and_gone(receiver.port, number)
        assert receiver.deliveries == []
        await receiver.caught_up()
        assert {delivery.id for delivery in receiver.deliveries} == {str(number) for number in range(50)}
