"""``X-End-User``: the citizen whom the citizens' side (群众端) speaks for, by his global id.

His household is all that such a request may see, and what the log says of him is shown to
nobody else. Whether he is who he says is for the portal's own sign-in: only an account of kind
`portal` may name anybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from catalog.errors import BadRequest, Forbidden
from hub.identity.case_files import Lying
from store.register import citizen

HEADER = b"x-end-user"
PORTAL = "portal"
_ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class EndUser:
    """A citizen's household and his ``citizen_uid``."""

    household: str
    uid: str


class EndUsers:
    """Asks the register, where it lies, under its deadline and breaker."""

    def __init__(self, register: Lying) -> None:
        self._register = register
        columns = (citizen.c.household_id, citizen.c.citizen_uid)
        asked = select(*columns).where(citizen.c.id == bindparam("id"))
        self._text = str(asked.compile(dialect=register.database.dialect))

    async def find(self, kind: str, who: str) -> EndUser:
        """Whom an account of this kind speaks for. The same refusal for whoever is not known.

        BadRequest HEADER for other accounts, Forbidden END_USER, SourceUnavailable.
        """
        if kind != PORTAL:
            raise BadRequest("只有群众端账号可以携带 X-End-User", reason="HEADER")
        rows = []
        if _ID.match(who):
            database = self._register.database
            rows = list(await self._register.guard.run(lambda: database.fetch(self._text, [who])))
        if not rows or rows[0][0] is None:
            raise Forbidden("X-End-User 所指的人员不在册，或没有家庭户", reason="END_USER")
        return EndUser(*rows[0])
