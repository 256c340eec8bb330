"""The demo: real peers play a scene against a server, and a table shows every event as it arrives.

Owns: the demo's peer, its webhook receiver, the scene, the table and the check of what arrived.

Always holds: nothing here reaches into the server: it is driven and observed from outside, over HTTP,
WebSocket, WebRTC and webhooks, as a customer's application would.
"""

from callboard.demo.client import LeaveRequest, ServerError
from callboard.demo.http import HttpError
from callboard.demo.peer import Peer
from callboard.demo.roster import ProtocolViolation
from callboard.demo.signal_client import Refused, SocketLost

__all__ = [
    "HttpError",
    "LeaveRequest",
    "Peer",
    "ProtocolViolation",
    "Refused",
    "ServerError",
    "SocketLost",
]
