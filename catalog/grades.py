"""Sensitivity, masks and sharing attributes (领域设计 1.14, authorisation 4)."""

from __future__ import annotations

from enum import StrEnum


class Sensitivity(StrEnum):
    """敏感级别, from open to sensitive personal data (个人信息保护法第二十八条)."""

    L1_OPEN = "L1_OPEN"
    L2_INTERNAL = "L2_INTERNAL"
    L3_PERSONAL = "L3_PERSONAL"
    L4_SENSITIVE = "L4_SENSITIVE"


class Mask(StrEnum):
    """What stays of a value that the asker may know of but not read."""

    NONE = "NONE"
    HIDE = "HIDE"
    SURNAME = "SURNAME"
    TAIL4 = "TAIL4"
    AREA = "AREA"
    BAND = "BAND"


class SharingKind(StrEnum):
    """共享属性: 无条件, 有条件, 不予共享."""

    UNCONDITIONAL = "UNCONDITIONAL"
    CONDITIONAL = "CONDITIONAL"
    NOT_SHARED = "NOT_SHARED"


class UpdateCycle(StrEnum):
    """更新周期 (GB/T 21063)."""

    REALTIME = "REALTIME"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    QUARTERLY = "QUARTERLY"
    HALF_YEARLY = "HALF_YEARLY"
    YEARLY = "YEARLY"
