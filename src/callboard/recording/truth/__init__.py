"""Media truth: publishers whose picture and sound carry marks, and a judge who reads them in a recording (DESIGN §5).

Owns: the marks (`stamp`, `picture`, `sound`), publishers that send them (`tracks`, `specimen`), reading marks
(`reading`, `watching`, `hearing`), decoding files (`decode`), measuring and judging (`placing`, `measure`, `verdict`,
`report`, `text`). `verify_file` in `verify` is the whole.

Always holds: a file without marks fails, it never passes for want of evidence. Only standard library, msgspec and the
programs `ffmpeg` and `ffprobe` are needed to judge; only `tracks` imports aiortc.

Two time lines: *file time* is when a player shows or plays something; *source time* is when the publisher made it, in
seconds since an epoch that all publishers share. What is measured is how one lies on the other.
"""

from __future__ import annotations
