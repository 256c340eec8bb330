"""What was found when one thing was looked at. Pure.

Owns: `Finding`, `Verdict`.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """How bad it is."""

    WELL = "well"
    CARE = "care"  # it works, but not everything, or not for long
    BROKEN = "broken"  # the server does not start, or nobody can use it


class Finding(Struct, frozen=True, kw_only=True):
    """`subject`: what was looked at; `found`: what was seen; `remedy`: what to do, "" when all is well."""

    subject: str
    verdict: Verdict
    found: str
    remedy: str = ""


def well(subject: str, found: str) -> Finding:
    """Nothing is to be done."""
    return Finding(subject=subject, verdict=Verdict.WELL, found=found)


def care(subject: str, found: str, remedy: str) -> Finding:
    """It works, but not everything, or not for long."""
    return Finding(subject=subject, verdict=Verdict.CARE, found=found, remedy=remedy)


def broken(subject: str, found: str, remedy: str) -> Finding:
    """The server does not start, or nobody can use it."""
    return Finding(subject=subject, verdict=Verdict.BROKEN, found=found, remedy=remedy)
