"""One line of the policy, and everything that makes a line unfit to enter it.

The database's CHECKs are the second lock; what no constraint can say (known words, allows
that are too wide) is refused here. Casbin itself ignores an effect it does not know, which
would fail open.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from authz.errors import RuleError
from authz.roles import roles
from catalog.divisions import is_region_path
from catalog.load import Catalog

ACTS = ("read", "list", "lookup", "unmask", "write", "export", "share", "tally")
EFFECTS = ("allow", "deny")
REACHES = ("subtree", "here", "county")
NO_END = "9999-12-31"
MINOR = "@minor"
CLASSED = "Citizen."
"""Objects judged apart for children under 14 (个人信息保护法第二十八条)."""
EMERGENCY, EMERGENCY_ACTS = "emergency", frozenset({"read", "unmask"})
"""应急访问 opens a person before the officer; it never lists, writes or exports."""
EXCEPTION = "例外："
"""How the basis of an allow with an explicit path begins: it opens that place to every
post of the role, wherever based."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Rule:
    """The nine policy columns and the basis a reader may look up; `since` of a grant's line."""

    role: str
    dept: str
    object: str
    action: str
    reach: str
    owner: str
    purpose: str
    until: str
    effect: str
    basis: str
    since: str = ""
    """First day, ISO, of a line made of a grant. Casbin never sees it: until then the line is
    not among those it is given."""

    @cached_property
    def line(self) -> tuple[str, ...]:
        """The nine columns in the order of model.conf."""
        return (
            self.role,
            self.dept,
            self.object,
            self.action,
            self.reach,
            self.owner,
            self.purpose,
            self.until,
            self.effect,
        )

    @cached_property
    def id(self) -> str:
        """Names the nine columns, the same in every database and in the access log."""
        return "r" + hashlib.sha256("\x1f".join(self.line).encode()).hexdigest()[:12]

    def in_force(self, day: str) -> bool:
        """Does an ISO day lie between its first and last day?"""
        return self.since <= day <= self.until

    @property
    def allows(self) -> bool:
        """An allow line; anything else is a deny."""
        return self.effect == "allow"


COLUMNS = (
    "role",
    "dept",
    "object",
    "action",
    "reach",
    "owner",
    "purpose",
    "until",
    "effect",
    "basis",
)


def minor_of(obj: str) -> str | None:
    """The object a child's row is judged as, None if the type knows no classes."""
    return obj + MINOR if obj.startswith(CLASSED) else None


def check_rule(rule: Rule, catalog: Catalog, *, demo: bool = False) -> RuleError | None:
    """Why a line may not enter the policy, or None. `demo` admits demonstration roles."""
    for check in _CHECKS:
        fault = check(rule, catalog)
        if fault is not None:
            return fault
    if not demo and rule.role != "*" and roles()[rule.role].demo:
        return RuleError("role", f"角色 `{rule.role}` 只能用于演示策略：请删除该行")
    return None


def _filled(rule: Rule, _: Catalog) -> RuleError | None:
    for column in COLUMNS:
        value = getattr(rule, column)
        if not isinstance(value, str) or value == "" or value != value.strip():
            return RuleError(column, "为空或首尾有空格：请填写")
        if _CONTROL.search(value):
            return RuleError(column, "含有控制字符：请删除")
    return None


def _effect(rule: Rule, _: Catalog) -> RuleError | None:
    return _word("effect", rule.effect, EFFECTS, "效力")


def _action(rule: Rule, _: Catalog) -> RuleError | None:
    return _word("action", rule.action, ACTS, "操作")


def _role(rule: Rule, _: Catalog) -> RuleError | None:
    if rule.role == "*" and not rule.allows:
        return None
    if rule.role == "*":
        return RuleError("role", "允许行不得使用 `*`：请逐个写明角色")
    return _word("role", rule.role, roles(), "角色")


def _object(rule: Rule, catalog: Catalog) -> RuleError | None:
    if rule.object.endswith(".*"):
        if rule.allows:
            return RuleError("object", f"允许行不得使用 `{rule.object}`：请逐个写明授权对象")
        types = {name.partition(".")[0] for name in catalog.objects}
        return _word("object", rule.object[:-2], types, "类型")
    plain = rule.object.removesuffix(MINOR)
    if plain != rule.object and minor_of(plain) is None:
        return RuleError("object", f"`{rule.object}`：只有人员类对象区分未成年人")
    return _word("object", plain, catalog.objects, "授权对象")


def _dept(rule: Rule, catalog: Catalog) -> RuleError | None:
    return _listed("dept", rule.dept, catalog.departments, "部门")


def _owner(rule: Rule, catalog: Catalog) -> RuleError | None:
    if rule.owner in ("any", "self"):
        return None
    if rule.owner == "*":
        return RuleError("owner", "不得使用 `*`：不限数据所属部门请写 any")
    return _listed("owner", rule.owner, catalog.departments, "部门")


def _purpose(rule: Rule, catalog: Catalog) -> RuleError | None:
    fault = _listed("purpose", rule.purpose, catalog.purposes, "用途")
    if fault is not None or not rule.allows or rule.action in EMERGENCY_ACTS:
        return fault
    if EMERGENCY in rule.purpose.split("|"):
        return RuleError("purpose", "应急访问只允许 read 与 unmask：请删除该用途")
    return None


def _reach(rule: Rule, _: Catalog) -> RuleError | None:
    if rule.reach in REACHES:
        return None
    if not is_region_path(rule.reach):
        return RuleError("reach", f"`{rule.reach}` 不是辖区路径：请去掉末尾的 000 后填写")
    if rule.allows and not rule.basis.startswith(EXCEPTION):
        return RuleError("reach", f"允许行写明具体辖区时，依据须以“{EXCEPTION}”开头并说明")
    return None


def _until(rule: Rule, _: Catalog) -> RuleError | None:
    if _is_date(rule.until):
        return None
    return RuleError("until", f"`{rule.until}` 不是日期：请写成 2026-12-31 的样子")


def _since(rule: Rule, _: Catalog) -> RuleError | None:
    if rule.since == "" or _is_date(rule.since):
        return None
    return RuleError("since", f"`{rule.since}` 不是日期：请写成 2026-12-31 的样子")


def _is_date(text: str) -> bool:
    try:
        return _DATE.match(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


_CHECKS: tuple[Callable[[Rule, Catalog], RuleError | None], ...] = (
    _filled,
    _effect,
    _action,
    _role,
    _object,
    _dept,
    _owner,
    _purpose,
    _reach,
    _until,
    _since,
)


def _word(column: str, value: str, known: Collection[str], what: str) -> RuleError | None:
    if value in known:
        return None
    return RuleError(column, f"{what} `{value}` 不存在：请核对拼写")


def _listed(column: str, value: str, known: Collection[str], what: str) -> RuleError | None:
    if value == "*":
        return None
    for word in value.removeprefix("!").split("|"):
        if word not in known:
            return RuleError(column, f"{what} `{word}` 不存在：请核对拼写")
    return None
