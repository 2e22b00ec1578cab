"""The page on sharing requests names every mutation, limit and reason; rights are the policy's."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from authz.book import PolicyBook
from authz.gate import Gate
from authz.post import Asker
from authz.roles import pairs, parents_of, roles
from authz.sharing import shared_rules
from authz.start import start_rules
from catalog.load import Catalog
from catalog.procedures import Procedure
from domain.sharing_request import SharingFault, SharingState
from resolvers.commands.sharing import SHARING_COMMANDS
from resolvers.commands.sharing_steps import OBJECTS
from schema.mutation import SHARING

PAGE = "docs/sharing.md"
COUNTY = "532622"
REQUESTER, PROVIDER = "mca", "hea"
POSTS = {
    "民政经办": ("mca", "dept", "share"),
    "卫健经办": ("hea", "dept", "share"),
    "卫健负责人": ("hea", "lead", "share"),
    "人社负责人": ("hrss", "lead", "share"),
    "数据主管": ("rev", "authority", "share"),
    "办公室": ("rev", "office", "share"),
    "审计员": ("rev", "auditor", "audit"),
}
OWNERS = {
    "SharingRequest.filing": (REQUESTER,),
    "SharingRequest.answering": (PROVIDER,),
}
"""Whose right it must be; of the others either department's will do."""
_STATE = re.compile(r"[A-Z_]{6,}")
_DEED = re.compile(r"`([\w.]+) (\w+)`")


@pytest.fixture(scope="module")
def book(catalog: Catalog) -> PolicyBook:
    rules = (*start_rules(catalog), *shared_rules(catalog))
    return PolicyBook(1, rules, parents_of(pairs(roles())), catalog)


def test_every_mutation_has_its_line(page: Callable[[str], Any]) -> None:
    rows = page(PAGE).rows("可以办什么")
    assert [first.strip("`") for first, *_ in rows] == list(SHARING)
    assert SHARING.keys() == SHARING_COMMANDS.keys() == OBJECTS.keys()
    named = {word for *_, told in rows for word in _STATE.findall(told)}
    by_the_hub = {"DRAFT", "EXPIRED", "RENEWED"}
    assert named == {state.value for state in SharingState} - by_the_hub


def test_every_limit_is_told(page: Callable[[str], Any], catalog: Catalog) -> None:
    told = " ".join(limit for _, limit, _ in page(PAGE).rows("期限与清单")[:5])
    limits = [row for row in catalog.procedures.limits if row.procedure is Procedure.SHARING]
    assert sorted(int(n) for n in re.findall(r"(\d+) 个工作日", told)) == sorted(
        row.count for row in limits
    )


def test_every_reason_of_the_list_is_told(page: Callable[[str], Any]) -> None:
    rows = page(PAGE).rows("期限与清单")
    told = [first.strip("`") for first, *_ in rows if first.startswith("`")]
    assert told == [fault.value for fault in SharingFault]


def test_what_can_be_done_is_what_the_policy_allows(
    page: Callable[[str], Any], catalog: Catalog, book: PolicyBook
) -> None:
    told, heading = page("docs/permissions.md"), "共享申请中谁能做什么"
    head = next(ln for ln in told.section(heading).splitlines() if ln.startswith("| 操作"))
    assert [c.strip() for c in head.strip("|").split("|")][1:] == list(POSTS)
    gates = []
    for dept, role, purpose in POSTS.values():
        post = book.post(dept, role, COUNTY)
        asker = Asker("a", "official", (post,), purpose, date(2026, 11, 1))
        gates.append(Gate(book, asker, catalog))
    objects = []
    for first, *cells in told.rows(heading):
        obj, act = _DEED.findall(first)[0]
        owners = OWNERS.get(obj, (REQUESTER, PROVIDER))
        allowed = [any(g.demand(obj, act, COUNTY, one).allowed for one in owners) for g in gates]
        assert cells == ["可" if one else "—" for one in allowed], first
        objects.append(obj)
    assert objects == [one for one in catalog.objects if one.startswith("SharingRequest.")]
