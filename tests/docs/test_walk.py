"""What the walk of a query says of the sample query is what the Plan does."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.demo.run import explained, once, read_question
from hub.demo.site import Site

SAMPLE = "examples/township_clerk.graphql"
PAGE = "docs/walk-of-a-query.md"
_READ = re.compile(r"^ *\[(\d+)\] (?:根|关系|部门数据|下级数据) (\S+) → ", re.MULTILINE)


@pytest.fixture(scope="module")
def plan(site: Site, root: Path) -> dict[int, tuple[str, str]]:
    """The printed Plan of the township clerk: number -> (coordinate, what is said below)."""
    printed = asyncio.run(explained(site, "zhelai-town-01", read_question(root / SAMPLE), None))
    parts = _READ.split(printed)[1:]
    return {int(n): (c, said) for n, c, said in zip(*[iter(parts)] * 3, strict=True)}


def test_the_reads_are_those_the_page_numbers(
    plan: dict[int, tuple[str, str]], page: Callable[[str], Any]
) -> None:
    named = re.findall(r"`(\w+)` \[(\d+)\]", page(PAGE).prose)
    assert len(plan) == 16
    assert "Sixteen Reads" in page(PAGE).prose
    assert len(named) == 12
    for field, number in named:
        assert plan[int(number)][0].endswith(f".{field}"), number


def test_the_reads_that_ride_are_those_of_the_page(
    plan: dict[int, tuple[str, str]], page: Callable[[str], Any]
) -> None:
    riding = [n for n, (_, said) in plan.items() if "随上级语句以 JSON 带出" in said]
    assert "[1] to [7], [14] and [15]" in page(PAGE).prose.replace("\n", " ")
    assert riding == [1, 2, 3, 4, 5, 6, 7, 14, 15]


def test_the_health_department_is_not_asked(plan: dict[int, tuple[str, str]]) -> None:
    silent = [n for n, (_, said) in plan.items() if "无权，不问该部门" in said]
    assert silent == [12]
    assert plan[12][0] == "HealthFacet.chronic"


def test_the_states_of_the_columns_are_those_of_the_page(
    plan: dict[int, tuple[str, str]],
) -> None:
    assert "idNumber 脱敏" in plan[0][1]
    assert 'NULL AS "idNumber"' in plan[0][1]
    assert "name 逐行而定" in plan[4][1]


@pytest.mark.loopback
def test_the_neighbour_gets_the_same_as_for_a_number_nobody_has(site: Site, root: Path) -> None:
    sample = read_question(root / SAMPLE)
    text = "query Seek($idNumber: String!) { citizen(by: { idNumber: $idNumber }) { name phone } }"
    nobody = {"idNumber": "539922190001010016"}

    def data(account: str, variables: Any) -> bytes:
        question = type(sample)(text, variables)
        answer, _ = asyncio.run(once(site, account, question, None, None))
        return json.dumps(json.loads(answer)["data"]).encode()

    neighbour = data("bange-town-01", sample.variables)
    assert neighbour == data("bange-town-01", nobody)
    assert neighbour == b'{"citizen": null}'
    assert "陆云山".encode("unicode_escape") in data("zhelai-town-01", sample.variables)
