"""The composed recording: all of a session in one MP4, made by FFmpeg from the captured tracks, without a browser.

Owns: what a composition looks like (`look`), where everybody is (`layout`), who is to be seen when (`cast`, `scenes`),
what FFmpeg is told (`picture`, `sound`), doing it (`compose`), and the job around it.

Always holds: second n of the file is second n of the session. The picture is composed scene by scene (a scene has one
layout), the sound in chunks without loss; both are joined without encoding the picture again. So memory depends on how
much happens at the same time and not on how long the session was, and a crash costs one chunk's work at most.
"""
