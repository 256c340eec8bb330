"""What happened in a call besides the events of the seed: tracks, what failed at clients, how good connections were.

Owns: the analytics events and peer statistics of platform.md §2.13 and §3.12, from where they come in to where they are
read. They are for people who look into a call, not for attendance or billing: the ledger is.

Always holds: nothing here can hold up a call. What a client says of itself is bounded in size and rate, and what is too
much is counted and dropped. Nothing is kept longer than `KEPT_DAYS`.
"""

from typing import Final

KEPT_DAYS: Final = 30
