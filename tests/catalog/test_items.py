"""服务事项: 16, the union of two articles of 15 each (领域设计 1.3)."""

from __future__ import annotations

from catalog.items import FlowKind
from catalog.load import load


def test_the_sixteen_items_are_the_union_of_both_articles() -> None:
    items = load().items
    fourth = {code for code, item in items.items() if item.in_article_4}
    seventh = {code for code, item in items.items() if item.in_article_7}
    assert len(items) == 16
    assert (len(fourth), len(seventh)) == (15, 15)
    assert fourth | seventh == set(items)
    assert fourth - seventh == {"MEDICATION_SERVICE"}
    assert seventh - fourth == {"HOSPITAL_LOOKUP"}


def test_each_item_has_department_flow_and_legal_basis() -> None:
    catalog = load()
    for item in catalog.items.values():
        assert item.department in catalog.departments
        assert item.legal_basis in catalog.legal_bases
        assert (item.flow is FlowKind.F5) == (item.code == "HOSPITAL_LOOKUP")


def test_only_temporary_aid_may_be_urgent() -> None:
    assert [item.code for item in load().items.values() if item.urgent] == ["TEMP_AID"]


def test_each_department_but_the_office_has_an_item() -> None:
    catalog = load()
    assert {i.department for i in catalog.items.values()} == set(catalog.departments) - {"rev"}
