"""What the REST API itself refuses, whatever is asked for.

Owns: refusals that have to do with how, how often or where something was asked. What the actions refuse is in
`callboard.errors`.
"""

from __future__ import annotations

import math

from callboard.errors import Refusal


class RateLimited(Refusal):
    """Asked too often. `seconds`: when it may be asked again (platform.md §1.5)."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, math.ceil(seconds))
        super().__init__(f"rate limit exceeded, retry after {self.seconds} seconds")
