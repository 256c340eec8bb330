"""Looking at a machine before, or while, a server runs on it: what is missing, blocked or about to run out.

Owns: `examine`, which looks at everything that the settings need, and the `Finding`s that it returns.

Always holds: nothing is changed (ports that are tried are given back, an allocation at a TURN server is deleted); each
finding that is not well says what to do; no finding has a secret in it; one look that fails does not keep the others
away.
"""

from callboard.doctor.examination import examine
from callboard.doctor.finding import Finding, Verdict

__all__ = ["Finding", "Verdict", "examine"]
