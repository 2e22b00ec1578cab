"""PolicyBook: one version of the policy, and the Scopes it yields by cell probing.

From yes/no answers of Casbin to an exact row filter, once per asker and version:

1. residual lines: those of (object, act) whose role, department, purpose and date fit some
   post. Without an allow among them nothing is asked at all.
2. cuts: the county, the posts' bases, the paths the lines name. owners: the departments the
   lines name and "anyone else".
3. Casbin, holding the residual lines, is asked for every owner at every cut twice: a row
   exactly there, and an invented child below it.

Exact because (a) no matcher looks at anything of the row but prefix tests against those
paths and equality with those departments, (b) a slice holds every line that can match its
object and act, (c) paths are digits, so ``~`` is none, (d) a row's path and owner are never
NULL, (e) cuts and owners come from the very lines given to the judge, (f) the class of
minors is part of the object, not of the row test.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar, cast

from cachetools import LRUCache

from authz.engine import Judge, read_model
from authz.errors import RuleError
from authz.match import fits, one_of
from authz.post import Asker, Post
from authz.reference import Reason, RuleHit, allowed, concerns, hit, why_not
from authz.roles import expand, post, roles
from authz.rule import Rule, minor_of
from authz.scope import ANYONE, NOBODY, NOTHING, Area, Cut, Owners, Scope, everywhere
from catalog.divisions import COUNTY, is_region_path
from catalog.errors import Internal
from catalog.load import Catalog

SCOPES_KEPT = 20_000  # about 1,000 posts x 20 (object, act) pairs
LENSES_KEPT = 4_096  # about 20 KiB each
MAX_PATHS = 100  # each may cost two terms; SQLite's expressions end at depth 1,000
CHILD = "~"  # below every path, equal to none
ELSE = "~"  # a department nobody can be

T = TypeVar("T")
_Key = tuple[tuple[Post, ...], str, str, str, date]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes, or why not: closed `reason`, the line's id, the department to ask (第二十一条)."""

    allowed: bool
    reason: Reason | None = None
    rule: str | None = None
    ask: str | None = None


class PolicyBook:
    """Immutable; one per version. RuleError for an empty book, a ring of roles, too many paths.

    `roles` maps a role to its parents. The scope cache lives and dies with the book.
    """

    def __init__(
        self,
        version: int,
        rules: Iterable[Rule],
        roles: Mapping[str, tuple[str, ...]],
        catalog: Catalog,
    ) -> None:
        self.version, self.rules, self._catalog = version, tuple(rules), catalog
        if not self.rules:
            raise RuleError("policy", "策略为空：请先导入策略")
        if len({rule.reach for rule in self.rules if is_region_path(rule.reach)}) > MAX_PATHS:
            raise RuleError("reach", f"写明的具体辖区超过 {MAX_PATHS} 个：请合并或改用下级岗位")
        self._roles = {role: tuple(parents) for role, parents in roles.items()}
        for role in self._roles:
            expand(role, self._roles)
        self._model = read_model()
        self._slices: dict[tuple[str, str], tuple[Rule, ...]] = {}
        self._scopes: LRUCache[_Key, Scope] = LRUCache(SCOPES_KEPT)
        self._lenses: LRUCache[Hashable, object] = LRUCache(LENSES_KEPT)
        self.casbin_calls = 0

    def with_rules(self, rules: Iterable[Rule]) -> PolicyBook:
        """Other lines under the same version and roles: what would be if."""
        return PolicyBook(self.version, rules, self._roles, self._catalog)

    def holders(self, role: str) -> frozenset[str]:
        """The roles a post or a program can have that fall under a line's role."""
        held = (code for code, known in roles().items() if known.bases or known.program)
        return frozenset(c for c in held if role == "*" or role in expand(c, self._roles))

    def post(self, dept: str, role: str, base: str) -> Post:
        """A post with its inherited roles; RuleError for what no post may be."""
        if dept not in self._catalog.departments:
            raise RuleError("dept", f"部门 `{dept}` 不存在：请核对拼写")
        return post(dept, role, base, self._roles)

    def scope(self, asker: Asker, obj: str, act: str) -> Scope:
        """The rows on which `asker` may do `act`, as `obj` or, for children, its minor class."""
        key = (asker.posts, obj, act, asker.purpose, asker.day)
        found = self._scopes.get(key)
        if found is None:
            found = self._probed(asker, obj, act)
            self._scopes[key] = found
        return found

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What the Gate derives from this version (lenses): made once, dies with the book.

        A key and what `make` returns hold posts, purpose and day, never a person's data.
        """
        found = self._lenses.get(key)
        if found is None:
            found = self._lenses[key] = make()
        return cast("T", found)

    def residual(self, asker: Asker, obj: str, act: str) -> tuple[Rule, ...]:
        """Lines on (obj, act) whose role, department, purpose and date fit some post."""
        day = asker.day.isoformat()
        return tuple(
            rule
            for rule in self._slice(obj, act)
            if rule.in_force(day)
            and one_of(rule.purpose, asker.purpose)
            and any(fits(post, rule.role, rule.dept) for post in asker.posts)
        )

    def rule_ids(self, asker: Asker, obj: str, act: str) -> frozenset[str]:
        """Ids of the residual lines, for both classes of rows: what an access rests on."""
        objects = (obj, minor_of(obj) or obj)
        return frozenset(rule.id for one in objects for rule in self.residual(asker, one, act))

    def verdict(
        self, asker: Asker, obj: str, act: str, region: str, owner: str, minor: bool = False
    ) -> Verdict:
        """One row: yes, or no with its reason. Internal if the two judges disagree."""
        hits = self.explain(asker, obj, act, region, owner, minor)
        answer = self.scope(asker, obj, act).admits(region, owner, minor)
        if answer is not allowed(hits):
            raise Internal("权限判定不一致，已拒绝本次请求")
        if answer:
            allows = sorted(h.rule.id for h in hits if not h.failed)
            return Verdict(True, rule=allows[0])
        reason, rule = why_not(hits)
        return Verdict(False, reason, rule, self.ask(obj))

    def explain(
        self, asker: Asker, obj: str, act: str, region: str, owner: str, minor: bool = False
    ) -> list[RuleHit]:
        """Every line on the object and act, and why it does not match; by the second judge."""
        judged = (minor_of(obj) or obj) if minor else obj
        return [
            hit(rule, asker.posts, asker.purpose, asker.day, region, owner)
            for rule in self._slice(judged, act)
        ]

    def refusal(self, asker: Asker, obj: str, act: str) -> Verdict:
        """Why `scope` is empty, without naming a row; Verdict(True) if it is not."""
        if not self.scope(asker, obj, act).empty:
            return Verdict(True)
        lines = self._slice(obj, act)
        residual = self.residual(asker, obj, act)
        denies = [rule for rule in residual if not rule.allows]
        if denies and (len(denies) < len(residual) or _sweeping(denies)):
            return Verdict(False, Reason.DENIED, denies[0].id, self.ask(obj))
        mine = [r for r in lines if r.allows and any(fits(p, r.role, r.dept) for p in asker.posts)]
        for rule in mine:
            if not one_of(rule.purpose, asker.purpose):
                return Verdict(False, Reason.PURPOSE, rule.id, self.ask(obj))
        if mine:
            return Verdict(False, Reason.EXPIRED, mine[0].id, self.ask(obj))
        return Verdict(False, Reason.NO_RULE, None, self.ask(obj))

    def ask(self, obj: str) -> str | None:
        """Title of the department that provides an object."""
        found = self._catalog.objects.get(obj)
        return None if found is None else self._catalog.departments[found.provider].title

    def _slice(self, obj: str, act: str) -> tuple[Rule, ...]:
        found = self._slices.get((obj, act))
        if found is None:
            found = tuple(rule for rule in self.rules if concerns(rule, obj, act))
            self._slices[obj, act] = found
        return found

    def _probed(self, asker: Asker, obj: str, act: str) -> Scope:
        adult = self._area(asker, obj, act)
        child = minor_of(obj)
        scope = Scope(adult, adult if child is None else self._area(asker, child, act))
        return NOTHING if scope.empty else scope

    def _area(self, asker: Asker, obj: str, act: str) -> Area:
        lines = self.residual(asker, obj, act)
        if not any(rule.allows for rule in lines):
            return everywhere(NOBODY)
        judge = Judge([rule.line for rule in lines], self._model)
        names = owners_of(lines, asker.posts)

        def at(row: str) -> Owners:
            return self._owners(judge, asker, obj, act, row, names)

        return Area(Cut(path, at(path), at(path + CHILD)) for path in cuts_of(lines, asker.posts))

    def _owners(
        self, judge: Judge, asker: Asker, obj: str, act: str, row: str, names: Sequence[str]
    ) -> Owners:
        def allows(owner: str) -> bool:
            self.casbin_calls += 1
            return judge.allows(asker.posts, obj, act, asker.purpose, asker.day, row, owner)

        yes = frozenset(name for name in names if allows(name))
        if allows(ELSE):
            return Owners(frozenset(names) - yes, True) if names else ANYONE
        return Owners(yes)


def _sweeping(denies: Iterable[Rule]) -> bool:
    # A deny over a whole type (三员) is the reason even where no allow would have matched.
    return any(rule.object.endswith(".*") for rule in denies)


def cuts_of(lines: Iterable[Rule], posts: Iterable[Post]) -> list[str]:
    """Every path at which an answer can change: county, bases, paths named in the lines."""
    named = {rule.reach for rule in lines if is_region_path(rule.reach)}
    return sorted({COUNTY} | {post.base for post in posts} | named)


def owners_of(lines: Iterable[Rule], posts: Iterable[Post]) -> list[str]:
    """Every department whose answer can differ from anyone else's."""
    found: set[str] = set()
    for rule in lines:
        if rule.owner == "self":
            found |= {post.dept for post in posts}
        elif rule.owner != "any":
            found |= set(rule.owner.removeprefix("!").split("|"))
    return sorted(found)
