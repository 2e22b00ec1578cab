"""Comparisons for tests: whom the county plants for a rule, a hub that runs it, clues over HTTP."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from typing import Any

import httpx
from sqlalchemy import select

from catalog.comparison import Rule
from hub.comparing.running import Ran
from hub.demo.county import AS_OF
from hub.demo.site import Site
from hub.worker import Hub
from store.comparisons import risk_clue
from tests.casework import ACCEPT
from tests.journeys.conftest import Desk

OFFICE, DEPT = "office-01", "mca-dept-01"
CLUE = """query($no: String!) { riskClue(clueNo: $no) { clueNo rule state tier item detail version
  liftedAt visitedAt citizenId case { caseNo state } run { runNo state }
  access { field state } } }"""


def planted(site: Site, rule: str) -> Mapping[str, str]:
    """Whom the county plants for a rule: citizen -> HIT or NEAR_MISS."""
    with (site.folder / "planted.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["rule"] == rule]
    return {row["citizen"]: row["expected"] for row in rows}


def rule_of(hub: Hub, code: str, day: date = AS_OF) -> Rule:
    """The rule of a day."""
    return hub.catalog.comparisons.rule(code, day)


async def compared(hub: Hub, code: str, day: date = AS_OF) -> Ran:
    """A run by hand."""
    found = await hub.comparing.run(rule_of(hub, code, day), day)
    assert found is not None
    return found


async def clues(hub: Hub, rule: str) -> dict[str, Any]:
    """Every clue of a rule by its citizen, as the store has it; the newest if there are several."""
    wanted = select(risk_clue).where(risk_clue.c.rule == rule).order_by(risk_clue.c.clue_no)
    async with hub.store.connect() as connection:
        return {row.applicant_id: row for row in await connection.execute(wanted)}


async def done(
    desk: Desk,
    account: str,
    name: str,
    given: Mapping[str, object],
    selection: str = "... on CaseChanged { case { caseNo state version channel } }",
    purpose: str | None = None,
) -> httpx.Response:
    """One mutation by an account of a desk."""
    noun = name[0].upper() + name[1:]
    asked = f"done: {name}(input: $in) {{ __typename {selection} }}"
    text = f"mutation Do($in: {noun}Input!) {{ {asked} }}"
    return await desk.client.post(
        "/graphql",
        json={"query": text, "variables": {"in": dict(given)}},
        headers=desk.headers(account, purpose) | ACCEPT,
    )


def lifting(clue: Any, /, **more: object) -> dict[str, object]:
    """What one click files for a clue."""
    given = {"applicant": clue.applicant_id, "item": clue.item, "channel": "GOV_LIFTED"}
    said = {"intake": "HOME_VISIT", "body": "比对发现自付较大，请入户核实", "clue": clue.clue_no}
    return {**given, **said, "urgent": True, **more}


async def shown(desk: Desk, account: str, clue_no: str, **how: Any) -> dict[str, Any] | None:
    """A clue as an account is shown it."""
    answer = await desk.ask(account, CLUE, {"no": clue_no}, **how)
    found: dict[str, Any] | None = answer.json()["data"]["riskClue"]
    return found
