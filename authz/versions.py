"""A version of the policy as it was in force: its book, and who signed which line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from authz.book import PolicyBook
from authz.keeper import built
from authz.rule import COLUMNS, Rule
from authz.sharing import shared_rules
from catalog.errors import Readable
from catalog.load import Catalog
from store.archive import SIGNATURES, Archived, archived
from store.policy import PolicyRows, read_version

Line = tuple[str, ...]
"""The nine policy columns."""
NINE = len(COLUMNS) - 1  # the basis is no part of a line


class NoVersion(Readable):
    """No such version, or none that was archived; the line says which there is."""


@dataclass(frozen=True)
class Version:
    """`signatures`: line -> (written_by, approved_by); a line nobody wrote down has none."""

    book: PolicyBook
    signatures: Mapping[Line, tuple[str, str]]

    def signed_twice(self, rule: Rule) -> bool:
        """Was the line written by one person and approved by another?"""
        names = self.signatures.get(rule.line)
        return names is not None and names[0] != names[1]

    def under(self, rules: Iterable[Rule], catalog: Catalog) -> Version:
        """Lines that are not in force, under the roles and signatures of these that are."""
        return Version(self.book.with_rules((*rules, *shared_rules(catalog))), self.signatures)


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
    rules = tuple(line[:-SIGNATURES] for line in kept.lines)
    rows = PolicyRows(number, kept.digest, rules, kept.parents)
    signatures = {line[:NINE]: (line[-2], line[-1]) for line in kept.lines}
    return Version(built(rows, catalog, demo=demo), signatures)
