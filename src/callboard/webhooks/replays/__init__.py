"""Replays: events that are delivered again because somebody asked for it (platform.md §10.5).

Owns: the tables `replay`, `replay_part` and `replay_chunk`, and the jobs that do the work.

Always holds: which events a replay is about is settled once, when it begins; each of them is then sent to its endpoint
in the order of the ledger, so in order within each session, one at a time, no faster than the set rate, on a connection
of its own: deliveries of what happens now wait for none of it. It is the same event: same id, same body but for
`is_replay`, signed anew. What came of it is in the log of attempts. A replay is a job (`jobs/`), so it survives a kill
and goes on where it was, at one worker at a time, and ends in one state.
"""
