"""The second judge: the policy's meaning in plain Python, to explain and to check Casbin.

It says of every line why it does not match; a disagreement with Casbin is a defect and
refuses the request.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from authz.match import covers, fits, one_of, owns, reaches
from authz.post import Post
from authz.rule import Rule


class Reason(StrEnum):
    """Why not; closed words, shown as ``extensions.reason``."""

    NO_RULE = "NO_RULE"
    DENIED = "DENIED"
    PURPOSE = "PURPOSE"
    CASE = "CASE"
    EXPIRED = "EXPIRED"
    REACH = "REACH"
    OWNER = "OWNER"


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A line that concerns the asked object and act; `failed` empty means it matches."""

    rule: Rule
    failed: tuple[Reason, ...]


def hit(
    rule: Rule, posts: tuple[Post, ...], purpose: str, day: date, row: str, owner: str
) -> RuleHit:
    """Judge one line of the right object and act against one row."""
    fitting = [post for post in posts if fits(post, rule.role, rule.dept)]
    near = [post for post in fitting if reaches(rule.reach, post.base, row)]
    failed: list[Reason] = []
    if not fitting:
        failed.append(Reason.NO_RULE)
    if not rule.in_force(day.isoformat()):
        failed.append(Reason.EXPIRED)
    if not one_of(rule.purpose, purpose):
        failed.append(Reason.PURPOSE)
    if fitting and not near:
        failed.append(Reason.REACH)
    if near and not any(owns(rule.owner, post.dept, owner) for post in near):
        failed.append(Reason.OWNER)
    return RuleHit(rule, tuple(failed))


def concerns(rule: Rule, obj: str, act: str) -> bool:
    """Is the line about this object and act at all?"""
    return rule.action == act and covers(rule.object, obj)


def allowed(hits: Iterable[RuleHit]) -> bool:
    """Some allow matches and no deny does."""
    effects = {one.rule.effect for one in hits if not one.failed}
    return "allow" in effects and "deny" not in effects


def why_not(hits: Iterable[RuleHit]) -> tuple[Reason, str | None]:
    """The reason for a no and the line to name: a deny, or the allow that missed least."""
    listed = list(hits)
    for one in listed:
        if not one.failed and not one.rule.allows:
            return Reason.DENIED, one.rule.id
    near = [h for h in listed if h.rule.allows and h.failed and Reason.NO_RULE not in h.failed]
    if not near:
        return Reason.NO_RULE, None
    best = min(near, key=lambda h: (len(h.failed), _ORDER.index(h.failed[0]), h.rule.id))
    return best.failed[0], best.rule.id


_ORDER = (Reason.PURPOSE, Reason.EXPIRED, Reason.REACH, Reason.OWNER)
