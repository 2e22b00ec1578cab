"""Who asks: posts held, for what purpose, on which day (办法第六条).

Rights hang on posts, never on persons; all posts of one person go into one request, so
that a deny earned by one post beats an allow from another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from catalog.standing import Standing, standing_of


@dataclass(frozen=True, slots=True)
class Post:
    """岗位: department code, role, region path; `roles` is the role and all it inherits."""

    dept: str
    role: str
    base: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Asker:
    """One principal with all posts. `day` is the Asia/Shanghai date of the database clock.

    `gateway`: a gateway brought the question, its own or somebody's. `purchased`: 购买服务人员,
    whom no group with sensitive personal data is shown, whatever post he was given. Of one request
    are the case and the end user: `bound` is the household either narrows to, None means not
    bound; `end_user` the ``citizen_uid`` a portal speaks for. `real_name` stays out of ``repr``,
    so that no log can hold it.
    """

    principal_id: str
    kind: str
    posts: tuple[Post, ...]
    purpose: str
    day: date
    gateway: bool = field(default=False, kw_only=True)
    purchased: bool = field(default=False, kw_only=True)
    case_no: str | None = field(default=None, kw_only=True)
    bound: str | None = field(default=None, kw_only=True)
    end_user: str | None = field(default=None, repr=False, kw_only=True)
    real_name: str | None = field(default=None, repr=False, compare=False, kw_only=True)

    @property
    def standing(self) -> Standing:
        """Which limits are meant for him. None of his rights comes from it."""
        return Standing.GATEWAY if self.gateway else standing_of(self.kind)
