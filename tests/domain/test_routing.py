"""Routing: every node of every item has one handler, in every village (第十条)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import permutations, product

import pytest

from catalog.divisions import Level, place_at
from catalog.items import FlowKind
from catalog.load import load
from catalog.nodes import Node, goes_by
from catalog.routing import RoutingRule
from domain.nodes import nodes
from domain.routing import Handler, route

DAY = date(2026, 11, 2)
VILLAGE = "532622205003"
CATALOG = load()
RULES = {rule.name[:2]: rule for rule in CATALOG.routing}


def handler(
    item: str, flow: FlowKind, node: Node, *more: RoutingRule, at: str = VILLAGE, day: date = DAY
) -> Handler | None:
    return route((*CATALOG.routing, *more), CATALOG.items[item], flow, at, node, day)


def said(item: str, flow: FlowKind, node: Node, *more: RoutingRule, at: str = VILLAGE) -> str:
    found = handler(item, flow, node, *more, at=at)
    assert found is not None
    return f"{found.department}/{found.role}/{found.region_path}"


def test_every_item_has_a_handler_at_every_node_in_every_village() -> None:
    villages = CATALOG.divisions.villages()
    seen: Counter[str] = Counter()
    for item, flow in product(CATALOG.items.values(), FlowKind):
        for node, village in product(nodes(flow) if goes_by(item, flow) else (), villages):
            found = handler(item.code, flow, node, at=village.path)
            assert found is not None
            assert found.region_path == place_at(village.path, found.tier)
            seen[item.code] += 1
    assert len(villages) == 108
    assert set(CATALOG.items) - set(seen) == {"HOSPITAL_LOOKUP"}
    assert len(seen) == 15
    # F1 has nine nodes, urgent aid seven more; F2 five, F3 four, F4 seven.
    assert sum(seen.values()) == 108 * (4 * 9 + 7 + 2 * 5 + 6 * 4 + 3 * 7)


@pytest.mark.parametrize(
    ("item", "flow", "handlers"),
    [
        (
            "MIN_LIVING",
            FlowKind.F1,
            "rev/office/532622 rev/town/532622205 rev/town/532622205 rev/town/532622205 "
            "rev/town/532622205 rev/town/532622205 mca/dept/532622 mca/dept/532622 "
            "rev/village/532622205003",
        ),
        (
            "WATER_SAFETY",
            FlowKind.F2,
            "rev/office/532622 rev/town/532622205 rev/town/532622205 wat/dept/532622 "
            "rev/village/532622205003",
        ),
        (
            "JOB_SEEKING",
            FlowKind.F3,
            "rev/office/532622 rev/town/532622205 hrss/dept/532622 rev/village/532622205003",
        ),
        (
            "SERIOUS_ILLNESS_AID",
            FlowKind.F4,
            "rev/office/532622 rev/town/532622205 med/dept/532622 rev/town/532622205 "
            "med/dept/532622 med/dept/532622 rev/village/532622205003",
        ),
    ],
)
def test_three_tiers_handle_a_case(item: str, flow: FlowKind, handlers: str) -> None:
    assert [said(item, flow, node) for node in nodes(flow)] == handlers.split()


def test_a_handler_says_which_rule_and_basis_name_it() -> None:
    found = handler("TEMP_AID", FlowKind.F1_URGENT, Node.VERIFY)
    rule = "乡镇：受理、核实、评议、公示、初审"
    assert found == Handler(Level.TOWNSHIP, "532622205", "rev", "town", rule, "MEASURES_ART_4")


def test_a_query_opens_no_case_and_no_item_takes_anothers_flow() -> None:
    for flow, node in product(FlowKind, Node):
        assert handler("HOSPITAL_LOOKUP", flow, node) is None
    assert handler("WATER_SAFETY", FlowKind.F1, Node.ACCEPT) is None
    assert handler("WATER_SAFETY", FlowKind.F2, Node.ACCEPT) is not None


def test_a_case_of_a_township_has_no_village_to_handle_it() -> None:
    assert handler("MIN_LIVING", FlowKind.F1, Node.FOLLOW_UP, at="532622205") is None
    assert handler("MIN_LIVING", FlowKind.F1, Node.ACCEPT, at="532622") is None
    assert said("MIN_LIVING", FlowKind.F1, Node.ACCEPT, at="532622205") == "rev/town/532622205"


def test_the_most_specific_rule_wins_in_any_order() -> None:
    base = replace(RULES["县级"], department=None)
    scopes = [
        ("", None, None),
        ("", None, FlowKind.F1),
        ("", "MIN_LIVING", None),
        ("", "MIN_LIVING", FlowKind.F1),
        ("532622", None, None),
        ("532622205", None, None),
        ("532622205003", None, None),
        ("532622205003", None, FlowKind.F1),
        ("532622205003", "MIN_LIVING", None),
        ("532622205003", "MIN_LIVING", FlowKind.F1),
    ]
    rules = [
        replace(base, name=str(n), division=division or None, item=item, flow=flow)
        for n, (division, item, flow) in enumerate(scopes)
    ]
    item = CATALOG.items["MIN_LIVING"]
    for low, high in permutations(range(len(rules)), 2):
        found = route((rules[low], rules[high]), item, FlowKind.F1, VILLAGE, Node.DELIVER, DAY)
        assert found is not None
        assert found.rule == str(max(low, high))


def test_an_exception_is_one_more_row() -> None:
    # 小额临时救助 delegated to 者腊乡; its neighbours stay with the county.
    own = replace(
        RULES["乡镇"],
        name="委托乡镇审批",
        nodes=frozenset({Node.COUNTY_DECISION}),
        item="TEMP_AID",
        division="532622205",
    )
    urgent, decides = FlowKind.F1_URGENT, Node.COUNTY_DECISION
    assert said("TEMP_AID", urgent, decides, own) == "rev/town/532622205"
    assert said("TEMP_AID", urgent, decides, own, at="532622101001") == "mca/dept/532622"
    assert said("MIN_LIVING", FlowKind.F1, decides, own) == "mca/dept/532622"


def test_a_rule_holds_from_its_first_to_its_last_day() -> None:
    first, last = date(2026, 11, 1), date(2026, 11, 30)
    ground = replace(RULES["乡镇"].ground, since=first, until=last)
    own = replace(RULES["乡镇"], name="新", flow=FlowKind.F1, ground=ground)
    told = [
        handler("MIN_LIVING", FlowKind.F1, Node.ACCEPT, own, day=day)
        for day in (date(2026, 10, 31), first, last, date(2026, 12, 1))
    ]
    assert [h is not None and h.rule == "新" for h in told] == [False, True, True, False]
    assert handler("MIN_LIVING", FlowKind.F1, Node.ACCEPT, day=date(2022, 7, 17)) is None
