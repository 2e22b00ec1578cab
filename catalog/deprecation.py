"""How the contract says that a field will go: since when, what instead, when it is gone.

    since 2026-11; use schoolCode; removal 2027-11

One form in the catalogue, in the SDL (``@deprecated(reason: …)``) and in docs/deprecation.md. A
client has MONTHS at least from the notice to the removal: a department's system is changed once
a year, with its budget.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MONTHS = 12
_FORM = re.compile(
    r"since (\d{4})-(0[1-9]|1[0-2]); use ([^;]{1,120}); removal (\d{4})-(0[1-9]|1[0-2])\Z"
)


@dataclass(frozen=True, slots=True)
class Deprecation:
    """`since` and `removal` as YYYY-MM; `use` what to ask for instead, in the client's words."""

    since: str
    use: str
    removal: str

    @property
    def reason(self) -> str:
        """As the SDL prints it."""
        return f"since {self.since}; use {self.use}; removal {self.removal}"


def deprecation(reason: str) -> Deprecation:
    """The parts of a reason; ValueError with what is wrong if it has not the form or the time."""
    found = _FORM.match(reason)
    if found is None:
        raise ValueError("must read `since YYYY-MM; use …; removal YYYY-MM`")
    year, month, use, last_year, last_month = found.groups()
    given = (int(last_year) - int(year)) * 12 + int(last_month) - int(month)
    if given < MONTHS:
        raise ValueError(f"gives {given} months until the removal: give {MONTHS} at least")
    return Deprecation(f"{year}-{month}", use, f"{last_year}-{last_month}")
