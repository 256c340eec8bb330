"""What the server counts, for Prometheus.

Owns: the names, their text on the wire, and where the numbers come from. It asks the other rooms, when it is asked;
none of them knows it.

Always holds: the number of series is bounded: by the endpoints (at most 100), by closed lists, by the routes that there
are. No id of a room, session or peer is a label, and nothing that somebody outside could choose.
"""
