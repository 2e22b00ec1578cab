"""Routing rules are read strictly; a tie has no winner and is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from authz.roles import roles
from catalog.errors import CatalogError
from catalog.load import load
from catalog.routing import RoutingRule, Words, read_routing
from catalog.table import Table

CATALOG = load()
WORDS = Words(CATALOG.items, CATALOG.departments, CATALOG.divisions.by_path, CATALOG.legal_bases)
RULE: dict[str, Any] = {
    "name": "受理",
    "nodes": ["ACCEPT", "VERIFY"],
    "tier": "TOWNSHIP",
    "department": "rev",
    "role": "town",
    "standing": "DEFAULT",
    "legal_basis": "MEASURES_ART_4",
    "from": date(2026, 1, 1),
}


def read(*rules: dict[str, Any]) -> tuple[RoutingRule, ...]:
    return read_routing(Table("routing.toml", "", {"rule": list(rules)}), WORDS)


def test_the_defaults_are_five_rules_whose_roles_may_be_based_there() -> None:
    assert len(CATALOG.routing) == 5
    for rule in CATALOG.routing:
        assert rule.tier in roles()[rule.role].bases


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"nodes": []}, "must be a list of ROUTE"),
        ({"nodes": ["ACCEPT", "PAY"]}, "must be a list of ROUTE"),
        ({"tier": "PREFECTURE"}, "must be one of COUNTY TOWNSHIP VILLAGE"),
        ({"department": "army"}, "is no department"),
        ({"division": "532622205000"}, "is no region path"),
        ({"division": "532623"}, "is no region path"),
        ({"item": "BREAD"}, "is no service item"),
        ({"item": "HOSPITAL_LOOKUP"}, "opens no case"),
        ({"flow": "F5"}, "opens no case"),
        ({"flow": "F3", "item": "MIN_LIVING"}, "opens no case"),
        ({"role": ""}, "is missing"),
        ({"legal_basis": "MOSES"}, "is no legal basis"),
        ({"colour": "red"}, "is unknown: remove it"),
    ],
)
def test_a_wrong_word_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(CatalogError, match=named) as refused:
        read(RULE | change)
    assert refused.value.key.startswith("rule[受理]")


SCOPES: list[dict[str, Any]] = [
    {},
    {"flow": "F1"},
    {"item": "MIN_LIVING"},
    {"item": "MIN_LIVING", "flow": "F1"},
    {"division": "532622205"},
    {"division": "532622205", "item": "MIN_LIVING", "flow": "F1"},
]


@pytest.mark.parametrize("scope", SCOPES)
def test_a_tie_is_refused(scope: dict[str, Any]) -> None:
    other = RULE | scope | {"name": "另一条", "nodes": ["VERIFY", "NOTICE"], "role": "lead"}
    with pytest.raises(CatalogError, match=r"rule\[另一条\].nodes: ties with `受理`"):
        read(RULE | scope, other)
    assert len(read(RULE | scope, other | {"nodes": ["NOTICE"]})) == 2
    ended = RULE | scope | {"until": date(2026, 6, 30)}
    assert len(read(ended, other | {"from": date(2026, 7, 1)})) == 2
    with pytest.raises(CatalogError, match="ties with"):
        read(ended, other | {"from": date(2026, 6, 30)})


def test_rules_of_different_rank_do_not_tie() -> None:
    rules = [RULE | scope | {"name": str(n)} for n, scope in enumerate(SCOPES)]
    assert len(read(*rules)) == len(SCOPES)
