"""Callboard: self-hosted live audio/video rooms whose every moment reaches your backend as an event."""

__version__ = "0.1.0"
