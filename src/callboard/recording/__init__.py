"""Recordings that survive: media is captured once, everything else is derived from the captures and can be made again.

Owns: `capture/` (tracks on disk while they are published), `timeline.py` (where what was captured lies in its session),
`track/` and `stream/` (files and events of single tracks and streams), `truth/` (how recordings are measured).

Always holds: what was captured is deleted only after everything that was to be made of it is delivered or given up.
"""
