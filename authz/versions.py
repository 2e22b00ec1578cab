"""A version of the policy as it was in force: its book, and who signed which line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from authz.book import PolicyBook
from authz.keeper import built
from authz.rule import COLUMNS, Rule
from authz.sharing import classes_of, granted, shared_rules
from catalog.errors import Readable
from catalog.load import Catalog
from store.archive import SIGNATURES, Archived, archived
from store.grants import Grant
from store.policy import PolicyRows, read_version

Line = tuple[str, ...]
"""The nine policy columns."""
NINE = len(COLUMNS) - 1  # the basis is no part of a line


class NoVersion(Readable):
    """No such version, or none that was archived; the line says which there is."""


@dataclass(frozen=True)
class Version:
    """`signatures`: line -> (written_by, approved_by); a line nobody wrote down has none.

    `shared`: the lines that sharing classes and grants gave, which are signed as the grants are.
    """

    book: PolicyBook
    signatures: Mapping[Line, tuple[str, str]]
    shared: tuple[Rule, ...] = ()

    def signed_twice(self, rule: Rule) -> bool:
        """Was the line written by one person and approved by another?"""
        names = self.signatures.get(rule.line)
        return names is not None and names[0] != names[1]

    def under(self, rules: Iterable[Rule]) -> Version:
        """Lines that are not in force, under the roles, grants and signatures of these that are."""
        book = self.book.with_rules((*rules, *self.shared))
        return Version(book, self.signatures, self.shared)


async def version_at(
    conn: AsyncConnection, number: int | None, catalog: Catalog, *, demo: bool = False
) -> Version:
    """The policy in force at version `number`, None: now. NoVersion."""
    newest = await read_version(conn)
    wanted = newest if number is None else number
    if not 1 <= wanted <= newest:
        raise NoVersion(f"没有版本 {wanted}：现行版本为 {newest}")
    kept = await archived(conn, wanted)
    if kept is None:
        raise NoVersion(f"版本 {wanted} 早于策略存档：只能比较存档以来的版本")
    return of_archive(kept, wanted, catalog, demo=demo)


def of_archive(kept: Archived, number: int, catalog: Catalog, *, demo: bool = False) -> Version:
    """What an archived policy was at version `number`; RuleError for what enters no book."""
    policy = kept.policy
    rules = tuple(line[:-SIGNATURES] for line in policy.lines)
    grants = tuple(Grant(*texts) for texts in policy.grants)
    rows = PolicyRows(number, kept.digest, rules, policy.parents, policy.objects, grants)
    signatures = {line[:NINE]: (line[-2], line[-1]) for line in policy.lines}
    for grant in grants:
        both = (grant.written_by, grant.approved_by)
        signatures |= {rule.line: both for rule in granted(grant) if grant.active}
    shared = shared_rules(catalog, classes_of(policy.objects, catalog), grants)
    return Version(built(rows, catalog, demo=demo), signatures, shared)
