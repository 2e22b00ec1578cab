"""Pages followed by their cursors: each is the part of the list that graphql-core cuts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.resolvers.conftest import data_of

if TYPE_CHECKING:
    from tests.oracle.conftest import Bench

PAGES = 4  # followed from either end
PAGE = """{
  totalCount nodes { id } edges { cursor node { __typename } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"""


def followed(bench: Bench, json_mode: bool, account: str, head: str, backward: bool) -> list[Any]:
    """The pages from one end; each is compared, and its cursors' rows are told the oracle."""
    size, place, end = ("last", "before", "start") if backward else ("first", "after", "end")
    arguments = head.replace("PAGE", f"{size}: $n, {place}: $at")
    text = f"query($n: Int, $at: String) {{ {arguments} }}".replace("{}", PAGE)
    engine, cursors, at = bench.engine(json_mode), dict[str, str](), None
    pages: list[Any] = []
    for _ in range(PAGES):
        given = {"n": 2, "at": at}
        found, answer = bench.differences(engine, account, text, given, cursors=cursors)
        assert not found, (text, given, found)
        page = _page(data_of(answer))
        pages.append([node["id"] for node in page["nodes"]])
        for edge, node in zip(page["edges"], page["nodes"], strict=True):
            cursors[edge["cursor"]] = node["id"]
        at = page["pageInfo"][f"{end}Cursor"]
        if at is None or not page["pageInfo"]["hasPreviousPage" if backward else "hasNextPage"]:
            break
    return pages


def _page(data: Any) -> Any:
    while "pageInfo" not in data:
        data = next(iter(data.values()))
    return data


@pytest.mark.parametrize("json_mode", [True, False])
@pytest.mark.parametrize("account", ["lab", "zhelai-town-01"])
@pytest.mark.parametrize(
    "head",
    [
        "cases(PAGE) {}",
        'cases(PAGE, filter: {division: "532622205000"}) {}',
        "supervisionOrders(PAGE) {}",
        "citizens(PAGE) {}",
    ],
)
def test_a_list_is_the_same_page_by_page(
    bench: Bench, json_mode: bool, account: str, head: str
) -> None:
    for backward in (False, True):
        pages = followed(bench, json_mode, account, head, backward)
        assert len(pages) > 1 or account != "lab"
        rows = [row for page in pages for row in page]
        assert len(rows) == len(set(rows))


@pytest.mark.parametrize("json_mode", [True, False])
def test_a_relation_is_the_same_page_by_page(bench: Bench, json_mode: bool) -> None:
    shown = bench.desk.site.shown("zhelai")
    for backward in (False, True):
        events = f'case(caseNo: "{shown.case_no}") {{ events(PAGE) {{}} }}'
        assert len(followed(bench, json_mode, "lab", events, backward)) > 1
        cases = f'citizen(by: {{id: "{shown.citizen}"}}) {{ cases(PAGE) {{}} }}'
        assert followed(bench, json_mode, "zhelai-town-01", cases, backward)[0]


def test_a_cursor_of_another_list_is_refused_by_both(bench: Bench) -> None:
    engine = bench.engine(True)
    text = "query($at: String) { cases(first: 2, after: $at) { pageInfo { endCursor } } }"
    _, answer = bench.differences(engine, "lab", text, {})
    at = data_of(answer)["cases"]["pageInfo"]["endCursor"]
    other = text.replace("cases", "supervisionOrders")
    found, refused = bench.differences(engine, "lab", other, {"at": at})
    assert not found
    assert refused.errors[0]["extensions"]["reason"] == "BAD_CURSOR"
