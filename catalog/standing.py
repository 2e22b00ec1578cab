"""What kind of asker a limit is for: a person at a desk, a department's system, a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Standing(StrEnum):
    """Classes that limits are set for (protocol 1.3)."""

    PERSON = "person"
    SYSTEM = "system"
    GATEWAY = "gateway"


_STANDING: Mapping[str, Standing] = {
    "official": Standing.PERSON,
    "system": Standing.SYSTEM,
    "portal": Standing.SYSTEM,  # one account asks for all citizens who have signed in
}


def standing_of(kind: str) -> Standing:
    """The class of a principal by its kind; of one that nobody knows, the strictest.

    What a gateway brings is GATEWAY whoever asks (`authz/post.py`, `Asker.standing`).
    """
    return _STANDING.get(kind, Standing.PERSON)
