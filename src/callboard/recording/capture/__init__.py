"""Capturing tracks while they are published, and reading back what was captured.

Owns: the files in the capture folder (Janus's `.mjr`: every RTP packet as it came, with the time at which it came) and
what is known of them in the database.

Always holds: what the publisher sent is on disk as it arrived; every derived file can be made again from it.
"""
