"""Delivering events to the endpoints of backends: signed, in order, at least once.

Owns: endpoints, lanes, the dispatcher, the sender, signatures, the retry policy, the log of attempts.

Always holds: per (endpoint, stream) an event is sent only after the one before it was accepted or given up
on; an event's id is the same in every attempt; what was not accepted is still in the ledger (DESIGN §1.3).
"""
