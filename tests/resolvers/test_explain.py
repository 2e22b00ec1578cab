"""`hub explain`: what a reviewer reads of a Plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resolvers.answer import Question
from resolvers.explain import explain

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk

NUMBER = "539922197704129912"
TEXT = """query Look($n: String!) {
  citizen(by: {idNumber: $n}) {
    name ethnic division { name }
    civilAffairs { minLiving { status } } health { chronic { disease } }
  }
  auditEvents(first: 1) { totalCount }
}"""


def lines(
    desk: Desk, account: str, text: str = TEXT, variables: Mapping[str, Any] | None = None
) -> list[str]:
    question = Question(text, None, variables or {"n": NUMBER})
    gate = desk.gate(account)
    plan = desk.engine(True).explain(question, gate)
    return explain(plan, gate, desk.catalog, desk.sources).splitlines()


def test_it_says_who_asks_what_and_what_the_record_will_hold(desk: Desk) -> None:
    said = lines(desk, "zhelai-town-01")
    assert said[0] == "操作 query Look"
    assert said[1].startswith("岗位 rev/town@者腊乡；用途 aid.file ")
    assert said[1].endswith(f"策略版本 {desk.book.version}")
    assert said[-1].startswith("审计记录 READ：数据集 ")


def test_each_read_has_its_source_rows_columns_and_statement(desk: Desk) -> None:
    said = lines(desk, "zhelai-town-01")
    at = said.index("[0] 根 Query.citizen → 人员（hub）")
    assert said[at + 1].startswith("    行：者腊乡（532622205）及其下级")
    assert said[at + 2] == "    列：name 明文，ethnic 脱敏〔Citizen.identity〕"
    assert said[at + 3].startswith("    语句：SELECT ")
    assert "  [1] 关系 Citizen.division → 行政区划（hub）" in said
    assert "      语句：随上级语句以 JSON 带出" in said


def test_a_refusal_says_that_nothing_is_fetched(desk: Desk) -> None:
    said = lines(desk, "zhelai-town-01")
    at = next(i for i, line in enumerate(said) if "Query.auditEvents" in line)
    assert said[at + 1].startswith("    拒绝：")
    assert said[at + 1].endswith("（NO_RULE），不取任何数据")


def test_a_facet_without_right_is_not_asked_for(desk: Desk) -> None:
    said = lines(desk, "zhelai-village-01")
    at = next(i for i, line in enumerate(said) if "HealthFacet.chronic" in line)
    assert said[at + 2] == "      语句：无权，不问该部门"


def test_an_entity_says_by_which_key_and_under_which_right(desk: Desk) -> None:
    text = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Citizen { name } } }"
    said = lines(desk.behind_a_gateway(), "mca-dept-01", text, {"of": []})
    heads = [(line, said[i + 1]) for i, line in enumerate(said) if "Query._entities" in line]
    assert len(heads) == 9
    assert heads[0][0] == "[0] 按键 Query._entities → 人员（hub）"
    assert heads[0][1] == "    键：Citizen.id；有引用以此为键才取，一次取完"
    assert heads[1][1] == "    键：Citizen.citizen_uid；有引用以此为键才取，一次取完"
    columns = [line for line in said if line.startswith("    列：")]
    assert columns[0].startswith("    列：name ")
    assert set(columns[2:]) == {"    列：（只取存在与否）"}


def test_every_rule_that_is_cited_is_quoted_once_and_no_other(desk: Desk) -> None:
    said = lines(desk, "zhelai-town-01")
    cited = {n for line in said if "；规则 r" in line for n in line.split("；规则 ")[1].split()}
    at = next(i for i, line in enumerate(said) if line.startswith("规则（"))
    quoted = [line.split()[0] for line in said[at + 1 : said.index("", at)]]
    assert len(quoted) >= 5
    assert sorted(quoted) == sorted(cited)
    (one,) = [line for line in said if "Citizen.identity lookup" in line]
    assert "允许 village@*，Citizen.identity lookup，subtree any，aid.file|" in one
    assert one.endswith("（办法第四条）")


def test_no_value_is_printed(desk: Desk) -> None:
    for account in desk.accounts:
        assert NUMBER not in "\n".join(lines(desk, account))
