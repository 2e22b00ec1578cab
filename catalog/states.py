"""States every federated value can be in (领域设计 2.3)."""

from __future__ import annotations

from enum import StrEnum


class FieldState(StrEnum):
    """Why a value is there, or is not. Decided by policy first, by the source last."""

    OK = "OK"
    NO_RECORD = "NO_RECORD"
    MASKED = "MASKED"
    DENIED = "DENIED"
    SOURCE_DOWN = "SOURCE_DOWN"
    STALE = "STALE"
    DISPUTED = "DISPUTED"


class MatchGrade(StrEnum):
    """How sure it is that a source's row speaks of this person (领域设计 2.5)."""

    M1 = "M1"
    M2 = "M2"
    M3 = "M3"
    M4 = "M4"


class CodeScheme(StrEnum):
    """Whose division codes a source speaks."""

    NBS_STAT = "NBS_STAT"
    CIVIL_GB10114 = "CIVIL_GB10114"
    DEPT_LOCAL = "DEPT_LOCAL"


class DQCode(StrEnum):
    """Faults of a source's row; shown beside the value, never a reason to drop it."""

    DQ01 = "DQ01"
    DQ02 = "DQ02"
    DQ03 = "DQ03"
    DQ04 = "DQ04"
    DQ05 = "DQ05"
    DQ06 = "DQ06"
    DQ07 = "DQ07"
    DQ08 = "DQ08"
    DQ09 = "DQ09"
    DQ10 = "DQ10"
    DQ11 = "DQ11"
    DQ12 = "DQ12"
