"""The ledger: a change and the events that report it, committed as one, and read back in order.

Owns: `Ledger.commit`, the reading of events (cursor, live tail). Touches `events` and `database`.

Always holds: no event without its change, no change without its event, and nobody sees an event before it is durable
(DESIGN §1.1).
"""

from callboard.ledger.changes import Changes, Fact
from callboard.ledger.ledger import Ledger
from callboard.ledger.records import Filter, Recorded

__all__ = ["Changes", "Fact", "Filter", "Ledger", "Recorded"]
