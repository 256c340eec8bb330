"""How long a join takes: from the open WebSocket to the SDP answer, over 50 joins, one after the other.

    python -m bench.join [joins]

The client's offer (data channel only, as the official client makes it) is prepared before the clock starts, so what
is measured is the server: policy, admission, Janus, the commit of `peer.join.success`, the answer. Beside it, in the
same run, stands a ping on the same socket: what the WebSocket alone costs.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import websockets
from aiortc import RTCConfiguration, RTCPeerConnection

from callboard.demo.rest import Rest
from callboard.demo.server import ServerProcess
from callboard.demo.stage import ROLES

GOAL_SECONDS = 0.050
DEADLINE = 20.0


async def offered() -> tuple[RTCPeerConnection, str]:
    """A publish connection with a data channel only, and its offer with all candidates."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.createDataChannel("ion-sfu", protocol="SCTP")
    await connection.setLocalDescription(await connection.createOffer())
    return connection, connection.localDescription.sdp


async def until(socket: Any, wanted: str) -> dict[str, Any]:
    """The next frame that has this method or id."""
    async with asyncio.timeout(DEADLINE):
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            if wanted in (frame.get("method"), frame.get("id")):
                return frame


async def call(socket: Any, method: str, params: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """The answer's frame, and the seconds that it took."""
    call_id, began = str(uuid.uuid4()), time.perf_counter()
    await socket.send(json.dumps({"id": call_id, "method": method, "params": params, "jsonrpc": "2.0"}))
    frame = await until(socket, call_id)
    return frame, time.perf_counter() - began


async def one_join(server: ServerProcess, room_id: str) -> tuple[float, float]:
    """Seconds from the open socket to the SDP answer, and of a ping after it."""
    connection, sdp = await offered()
    token = server.tokens.mint_app_token(room_id, "guest", "bench")
    url = f"ws://127.0.0.1:{server.port}/ws?peer={uuid.uuid4()}&token={token}"
    try:
        async with websockets.connect(url, max_size=2**22) as socket:
            began = time.perf_counter()
            await until(socket, "on-policy-change")
            frame, _ = await call(socket, "join", {"name": "bench", "offer": {"type": "offer", "sdp": sdp}})
            seconds = time.perf_counter() - began
            if "sdp" not in frame.get("result", {}):
                raise RuntimeError(f"the join was refused: {frame}")
            pings = [(await call(socket, "ping", {"timestamp": 1}))[1] for _ in range(5)]
            await socket.send(json.dumps({"method": "leave", "params": {}}))
            return seconds, statistics.median(pings)
    finally:
        await connection.close()


async def run(joins: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="callboard-bench-") as folder:
        server = ServerProcess(Path(folder))
        await server.start()
        try:
            rest = Rest(server.base_url, server.management_token())
            room_id = await rest.create_room("bench", await rest.create_template("bench", ROLES))
            await one_join(server, room_id)  # warm-up: the first one also makes the Janus room
            measured = [await one_join(server, room_id) for _ in range(joins)]
        finally:
            await server.stop()
    seconds = sorted(join for join, _ in measured)
    ping = statistics.median(ping for _, ping in measured)
    p50, p95 = statistics.median(seconds), seconds[int(len(seconds) * 0.95)]
    print(f"join, WebSocket open to SDP answer, {joins} joins: p50 {p50 * 1e3:.1f} ms, p95 {p95 * 1e3:.1f} ms")
    print(f"a ping on the same sockets: p50 {ping * 1e3:.2f} ms; a join is {p50 / ping:.0f} pings")
    print(f"goal p50 <= {GOAL_SECONDS * 1e3:.0f} ms: {'reached' if p50 <= GOAL_SECONDS else 'NOT reached'}")
    return p50 <= GOAL_SECONDS


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(run(int(sys.argv[1]) if len(sys.argv) > 1 else 50)) else 1)
