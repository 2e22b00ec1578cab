"""A gateway before the running hub: what it is told, what it gets, what the log says of it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from adapters.identity import citizen_uid

if TYPE_CHECKING:
    from tests.journeys.conftest import Desk

pytestmark = pytest.mark.anyio
LAB, TOWN, PURPOSE = "lab", "zhelai-town-01", "aid.review"
NAMED = "query($representations: [_Any!]!) { _entities(representations: $representations) {"
PERSON = "name sex division { code name } civilAffairs { minLiving { status } }"
VISITS = Path(__file__).parents[2] / "examples/gateways/visits.py"
BACK = f"{NAMED} ... on Citizen {{ visits {{ id }} }} ... on Case {{ visits {{ id }} }} }} }}"
ENTITY = f"{NAMED} __typename ... on Citizen {{ {PERSON} }} ... on Case {{ caseNo state }} }} }}"


async def test_a_composer_is_given_the_sdl_and_nobody_else(desk: Desk) -> None:
    answer = await desk.ask(LAB, "{ _service { sdl } }")
    sdl = answer.json()["data"]["_service"]["sdl"]
    assert sdl == desk.hub.engine.subgraph
    assert 'type Citizen @key(fields: "id") @key(fields: "idDigest") {' in sdl
    record = await desk.record(answer)
    assert (record["outcome"], "reads" in record) == ("OK", False)
    refused = await desk.ask(TOWN, "{ _service { sdl } }")
    assert (refused.status_code, "data" in refused.json()) == (403, False)
    (error,) = refused.json()["errors"]
    assert (error["extensions"]["code"], error["extensions"]["reason"]) == ("FORBIDDEN", "NO_RULE")
    assert (await desk.record(refused))["outcome"] == "DENIED"


async def test_what_a_gateway_gets_is_what_one_gets_by_oneself(desk: Desk) -> None:
    who = desk.site.shown("zhelai")
    asked = {"n": who.case_no, "i": who.citizen}
    text = f"query($n: String!, $i: ID!) {{ citizen(by: {{id: $i}}) {{ {PERSON} }}"
    direct = (await desk.ask(LAB, f"{text} case(caseNo: $n) {{ caseNo state }} }}", asked)).json()
    sent = [
        {"__typename": "Case", "caseNo": who.case_no},
        {"__typename": "Citizen", "id": "nobody"},
        {"__typename": "Citizen", "id": who.citizen},
    ]
    answer = await desk.ask(LAB, ENTITY, {"representations": sent})
    case, nobody, person = answer.json()["data"]["_entities"]
    assert case == {"__typename": "Case", **direct["data"]["case"]}
    assert person == {"__typename": "Citizen", **direct["data"]["citizen"]}
    assert (nobody, "errors" in answer.json()) == (None, False)


async def test_one_record_tells_what_was_shown_of_each_kind(desk: Desk) -> None:
    who = desk.site.shown("zhelai")
    digest = citizen_uid(desk.hub.keys.identity, who.id18)
    sent: list[dict[str, Any]] = [
        {"__typename": "Citizen", "idDigest": digest},
        {"__typename": "Citizen", "idDigest": "1-" + "0" * 32},
        {"__typename": "Case", "caseNo": who.case_no},
        {"__typename": "Case", "caseNo": who.overdue_case_no},
        {"__typename": "Case"},
    ]
    before = len(await desk.records())
    answer = await desk.ask(LAB, ENTITY, {"representations": sent})
    assert answer.status_code == 200
    assert [one is not None for one in answer.json()["data"]["_entities"]] == [
        *(True, False, True, True, False)
    ]
    record = await desk.record(answer)
    assert len(await desk.records()) == before + 1
    assert (record["outcome"], record["code"]) == ("PARTIAL", "BAD_USER_INPUT")
    assert len(record["sought"]) == 2
    reads = {r["d"]: (r["how"], r["n"], r["s"], r.get("by")) for r in record["reads"]}
    assert reads["citizen"] == ("key", 1, 1, ["Citizen.citizen_uid"])
    assert reads["case"] == ("row", 2, 1, ["Case.case_no"])
    assert record["op"]["vars"] == {"representations": "[_Any!]!"}
    assert digest not in str(record)


async def test_more_than_five_hundred_are_refused_and_fifty_thousand_are_not_read(
    desk: Desk,
) -> None:
    one = {"__typename": "Citizen", "id": desk.site.shown("zhelai").citizen}
    many = await desk.ask(LAB, ENTITY, {"representations": [one] * 501})
    told = many.json()["errors"][0]["extensions"]
    assert (told["code"], told["reason"]) == ("OPERATION_TOO_COMPLEX", "representations")
    before = desk.calls()
    endless = await desk.ask(LAB, ENTITY, {"representations": [one] * 50_000})
    assert endless.status_code in (400, 413)
    assert desk.sent(before) == {}


async def test_the_example_beside_the_hub_is_joined_to_it_by_keys(desk: Desk) -> None:
    """What a gateway does: references of one subgraph, put to the other, back in their places."""
    example = runpy.run_path(str(VISITS))
    rows, made = example["visits"](VISITS.with_suffix(".csv")), example["schema"]()
    asked = {"query": "{ visits { citizen { __typename id } case { __typename caseNo } } }"}
    visits = example["answered"](made, rows, asked)["data"]["visits"]
    sent = [one for visit in visits for one in (visit["citizen"], visit["case"]) if one]
    answer = await desk.ask(LAB, ENTITY, {"representations": sent})
    found = answer.json()["data"]["_entities"]
    assert [one and (one.get("sex") or one["caseNo"]) for one in found] == [
        *("MALE", "SQ20520190001", "MALE", "SQ20520190002", "MALE", None)
    ]
    back = {"query": BACK, "variables": {"representations": sent[:2]}}
    told = example["answered"](made, rows, back)["data"]["_entities"]
    assert [[v["id"] for v in one["visits"]] for one in told] == [["v1", "v2"], ["v1"]]
