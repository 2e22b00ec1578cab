"""The sample query as five posts: answer, record and Plan stand side by side as golden files.

``HUB_TEST_GOLDEN=write`` writes them anew; what changes with every run (places in the log,
times, request ids, digests over the day) is replaced by its name in angle brackets, and the
keyed tokens of persons by the register's ids.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from audit.tokens import SubjectTokens
from hub.demo.run import explained, sample
from store.register import citizen
from tests.golden import same

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import Desk, FillStore, OpenDesk

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

HERE = Path(__file__).parent / "township_clerk"
ACCOUNTS = ("zhelai-village-01", "zhelai-town-01", "mca-dept-01", "office-01", "auditor-01")
STAMP = ("id", "idx", "request", "trace", "ts", "writer", "wseq")


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_answer_and_record_are_the_golden_ones(desk: Desk, account: str) -> None:
    answer, record = await _asked(desk, account)
    same(HERE / f"{account}.answer.json", _pretty(answer))
    same(HERE / f"{account}.audit.json", _pretty(record))


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_the_plan_is_the_golden_one(desk: Desk, account: str) -> None:
    same(HERE / f"{account}.plan.txt", await explained(desk.site, account, sample(), None))


async def test_the_five_answers_differ_pairwise(desk: Desk) -> None:
    answers = [(await _asked(desk, account))[0]["data"] for account in ACCOUNTS]
    for answer in answers:
        del answer["viewer"]  # who asks would make a difference of its own
    assert len(answers) == 5
    assert all(one != other for one, other in itertools.combinations(answers, 2))


async def test_the_village_clerk_and_the_office_see_less_than_the_town_clerk(desk: Desk) -> None:
    village, town, department, office, auditor = [
        (await _asked(desk, account))[0]["data"] for account in ACCOUNTS
    ]
    assert town["citizen"]["civilAffairs"]["minLiving"]["monthlyAmount"] == "1556.00"
    assert village["citizen"]["civilAffairs"]["minLiving"]["monthlyAmount"] is None
    assert department["citizen"]["housing"]["house"] is None
    assert office["citizen"]["name"] == "陆*"
    assert auditor["citizen"] is auditor["cases"] is None


async def test_no_answer_holds_an_id_number(desk: Desk) -> None:
    question = sample()
    number = question.variables["idNumber"]
    for account in ACCOUNTS:
        answer = await desk.ask(account, question.text, question.variables)
        assert number not in answer.text
        record = await desk.record(answer)
        assert number not in json.dumps(record)
        assert "陆云山" not in json.dumps(record, ensure_ascii=False)


def test_the_query_is_the_shipped_example() -> None:
    assert (HERE / "query.graphql").read_text(encoding="utf-8") == sample().text


@pytest.mark.postgres
async def test_the_same_journey_with_postgresql_as_the_store(
    site: Site, insurance_url: str, open_desk: OpenDesk, fill_store: FillStore, pg_url: str
) -> None:
    await fill_store(site, pg_url)
    async with open_desk(site, insurance_url, **{"store.url": pg_url}) as desk:
        assert desk.hub.store.dialect.name == "postgresql"
        for account in ACCOUNTS:
            answer, record = await _asked(desk, account)
            assert answer == json.loads(_golden(f"{account}.answer.json"))
            assert record == json.loads(_golden(f"{account}.audit.json"))


# ---- what is compared ---------------------------------------------------------------------------


async def _asked(desk: Desk, account: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answer and record, without what changes with every run."""
    question = sample()
    answer = await desk.ask(account, question.text, question.variables)
    record = await desk.record(answer)
    return _answer(answer.json()), _record(record, await _people(desk))


def _answer(answer: dict[str, Any]) -> dict[str, Any]:
    answer["extensions"]["audit"] |= {"idx": "<idx>", "leaf": "<leaf>"}
    for error in answer.get("errors", ()):
        error["extensions"]["requestId"] = "<request>"
    changed: dict[str, Any] = _replaced(answer, "asOf", "<asOf>")
    return changed


def _record(body: dict[str, Any], people: Mapping[str, str]) -> dict[str, Any]:
    body |= {name: f"<{name}>" for name in STAMP}
    for name in ("subjects", "sought"):
        if name in body:
            body[name] = sorted(people.get(token, "nobody of the register") for token in body[name])
    changed: dict[str, Any] = _replaced(_replaced(body, "lens", "<lens>"), "as_of", "<as_of>")
    return changed


def _replaced(value: Any, name: str, by: str) -> Any:
    """The value with every member `name` that is there replaced."""
    if isinstance(value, dict):
        return {k: by if k == name and v else _replaced(v, name, by) for k, v in value.items()}
    if isinstance(value, list):
        return [_replaced(v, name, by) for v in value]
    return value


async def _people(desk: Desk) -> dict[str, str]:
    """Subject token -> the register's id of the person."""
    tokens = SubjectTokens(desk.hub.keys.audit)
    async with desk.hub.store.connect() as connection:
        rows = await connection.execute(select(citizen.c.citizen_uid, citizen.c.id))
        return {tokens.token(row.citizen_uid): row.id for row in rows}


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _golden(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
