"""The client's protocol: `/init`, the WebSocket, JSON-RPC methods grouped by theme (signal.md).

Owns: sockets, clients, who is told what. Decides nothing about sessions: that is `rooms/`.

Always holds: each call gets exactly one answer; permissions are checked here and in `rooms/`, never trusted to the
client; a broken frame, an unknown method or a lie in a parameter harms nobody but the call that carried it.
"""
