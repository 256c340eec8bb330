"""The page that is shown when the meeting page has not been built. Pure.

Owns: `MISSING_PAGE`.
"""

from __future__ import annotations

from typing import Final

MISSING_PAGE: Final = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The meeting page is not built</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem; }
code { background: #8882; padding: .1em .4em; border-radius: .2em; }
</style>
<h1>The meeting page is not built</h1>
<p>This server runs, and every application that uses it works; only its own page for people is missing. It is made
from npm packages, with Node 18 or newer, once:</p>
<p><code>make meeting</code></p>
<p>in the folder of the source, and the server started again. A package (wheel) of Callboard has the page in it.</p>
</html>
"""
"""Plain HTML, without anything to load."""
