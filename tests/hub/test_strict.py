"""What unmasking shows leaves under the store's policy of that moment, or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from adapters.contract import Call, Prepared, ReadRequest, Rows, Source
from authz.rule import NO_END, Rule
from hub.app import DOCUMENT_LIMITS, assemble, create_app, running
from hub.demo.site import Site
from hub.worker import Hub
from resolvers.answer import Engine
from schema.build import build
from store.accounts import suspend
from store.audit import audit_event
from store.policy import add_denial, bump_version

pytestmark = pytest.mark.anyio

TOWN = "zhelai-town-01"
CLEAR, PLAIN = "name phone", "sex division { name }"
FIRST = 2  # the demonstration's policy: its lines, its accounts

Deed = Callable[[], Awaitable[object]]


class Meanwhile:
    """A source in front of a real one: after each read the next deed is done in the store."""

    json = True

    def __init__(self, inner: Source) -> None:
        self.name, self._inner, self.reads = inner.name, inner, 0
        self.deeds: list[Deed] = []

    def prepare(self, request: ReadRequest) -> Prepared:
        return self._inner.prepare(request)

    async def read(self, prepared: Prepared, call: Call) -> Rows:
        rows = await self._inner.read(prepared, call)
        self.reads += 1
        if self.deeds:
            await self.deeds.pop(0)()
        return rows

    async def ping(self) -> None:
        await self._inner.ping()

    async def close(self) -> None:
        """The inner source is closed by its owner."""


@dataclass
class Desk:
    """A hub over a county of its own, and what happens while it reads."""

    site: Site
    hub: Hub
    sources: dict[str, Meanwhile] = field(default_factory=dict)

    async def ask(
        self, asked: str, *, purpose: str = "aid.file", case_no: str | None = None
    ) -> httpx.Response:
        question = f"query($n: String!) {{ citizen(by: {{idNumber: $n}}) {{ {asked} }} }}"
        issued = self.hub.tokens.issue(TOWN, (purpose,))
        headers = {"Authorization": f"Bearer {issued}", "X-Purpose": purpose}
        if case_no is not None:
            headers["X-Case-No"] = case_no
        transport = httpx.ASGITransport(create_app(self.hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            variables = {"n": self.site.shown("zhelai").id18}
            body = {"query": question, "variables": variables}
            return await client.post("/graphql", json=body, headers=headers)

    async def changed(self) -> None:
        """The policy's next version, nothing else."""
        async with self.hub.store.begin() as conn:
            await bump_version(conn)

    async def denied(self) -> None:
        """Nobody in a township may see a telephone number in clear any more."""
        rule = Rule(
            "town", "*", "Citizen.contact", "unmask", "county", "any", "*", NO_END, "deny", "处置"
        )
        async with self.hub.store.begin() as conn:
            await add_denial(conn, (rule.id, *rule.line, rule.basis), by="tester")

    async def suspended(self) -> None:
        async with self.hub.store.begin() as conn:
            await suspend(conn, TOWN, by="tester", basis="离岗")

    async def renamed(self, old: str, new: str) -> None:
        async with self.hub.store.begin() as conn:
            await conn.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    async def records(self) -> list[dict[str, Any]]:
        """The log's bodies about people, in order."""
        wanted = select(audit_event.c.body).order_by(audit_event.c.idx)
        async with self.hub.store.connect() as conn:
            bodies = [json.loads(body) for body in await conn.scalars(wanted)]
        return [body for body in bodies if body["kind"] == "READ"]


@pytest.fixture(scope="module")
def made(pristine: Site) -> Site:
    return pristine


@pytest.fixture
async def desk(made: Site, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Desk]:
    shutil.copytree(made.folder, tmp_path / "site")
    site = replace(made, folder=tmp_path / "site")
    plain = assemble(site.settings())
    fronts = {name: Meanwhile(plain.sources[name]) for name in ("hub", "mz_assist")}
    setting = replace(plain.engine._setting, sources={**plain.sources, **fronts})
    hub = replace(plain, engine=Engine(build(plain.catalog), setting, DOCUMENT_LIMITS))
    async with running(hub):
        yield Desk(site, hub, fronts)


def holds_nothing(desk: Desk, answer: httpx.Response) -> None:
    """No value of the person is in the answer."""
    person = desk.site.shown("zhelai")
    assert "data" not in answer.json()
    for secret in (person.name, person.name[0] + "*", person.id18, "12810752549"):
        assert secret not in answer.text


def outcome(answer: httpx.Response) -> tuple[int, str, str | None]:
    said = answer.json()["errors"][0]["extensions"]
    return answer.status_code, said["code"], said.get("reason")


async def test_a_policy_that_stands_still_costs_no_second_fetch(desk: Desk) -> None:
    answer = await desk.ask(CLEAR)
    assert answer.json()["data"]["citizen"]["phone"] == "12810752549"
    assert answer.json()["extensions"]["policyVersion"] == FIRST
    assert desk.sources["hub"].reads == 1
    assert [r["outcome"] for r in await desk.records()] == ["OK"]


async def test_a_policy_that_moved_is_asked_again_and_the_answer_is_the_new_ones(
    desk: Desk,
) -> None:
    desk.sources["hub"].deeds = [desk.changed]
    answer = await desk.ask(CLEAR)
    assert answer.json()["data"]["citizen"]["phone"] == "12810752549"
    assert answer.json()["extensions"]["policyVersion"] == FIRST + 1
    assert desk.sources["hub"].reads == 2
    assert [(r["outcome"], r["policy"]) for r in await desk.records()] == [("OK", str(FIRST + 1))]


async def test_what_was_denied_meanwhile_does_not_leave(desk: Desk) -> None:
    desk.sources["hub"].deeds = [desk.denied]
    answer = await desk.ask(CLEAR)
    assert answer.json()["data"]["citizen"] == {"name": "陆云山", "phone": "****2549"}
    assert "12810752549" not in answer.text
    (record,) = await desk.records()
    assert record["reads"][0]["masked"] == {"Citizen.phone": 1}
    assert record["reads"][0]["clear"] == {"Citizen.name": 1}


async def test_who_was_suspended_meanwhile_gets_nothing(desk: Desk) -> None:
    desk.sources["hub"].deeds = [desk.suspended]
    answer = await desk.ask(CLEAR)
    assert outcome(answer) == (401, "UNAUTHENTICATED", "TOKEN_INVALID")
    holds_nothing(desk, answer)
    assert desk.sources["hub"].reads == 1
    (record,) = await desk.records()
    assert (record["actor"], record["outcome"]) == (TOWN, "DENIED")
    assert record["code"] == "UNAUTHENTICATED"
    assert len(record["sought"]) == 1  # whom he looked for is recorded, though nothing was shown


async def test_a_policy_that_moves_twice_is_refused_and_recorded(desk: Desk) -> None:
    desk.sources["hub"].deeds = [desk.changed, desk.changed]
    answer = await desk.ask(CLEAR)
    assert outcome(answer) == (403, "FORBIDDEN", "STALE_POLICY")
    holds_nothing(desk, answer)
    assert desk.sources["hub"].reads == 2
    (record,) = await desk.records()
    assert (record["outcome"], record["code"]) == ("DENIED", "FORBIDDEN")
    assert record["policy"] == str(FIRST + 1)
    assert answer.json()["extensions"]["audit"]["idx"] == int(answer.headers["X-Audit-Id"])
    assert (await desk.ask(CLEAR)).json()["extensions"]["policyVersion"] == FIRST + 2


async def test_a_store_that_cannot_say_is_refused_and_recorded(desk: Desk) -> None:
    desk.sources["hub"].deeds = [lambda: desk.renamed("policy_version", "gone")]
    answer = await desk.ask(CLEAR)
    assert outcome(answer) == (403, "FORBIDDEN", "STALE_POLICY")
    holds_nothing(desk, answer)
    assert [r["outcome"] for r in await desk.records()] == ["DENIED"]
    usual = await desk.ask(PLAIN)  # nothing clear by a right to unmask: the usual bound holds
    assert usual.json()["data"]["citizen"]["division"] == {"name": "者腊村委会"}
    await desk.renamed("gone", "policy_version")
    assert (await desk.ask(CLEAR)).status_code == 200


async def test_a_usual_read_does_not_ask_the_store(desk: Desk) -> None:
    desk.sources["hub"].deeds = [desk.changed, desk.changed]
    answer = await desk.ask(PLAIN)
    assert answer.json()["extensions"]["policyVersion"] == FIRST
    assert desk.sources["hub"].reads == 1


async def test_the_second_time_he_is_bound_to_his_case_again(desk: Desk) -> None:
    person = desk.site.shown("zhelai")
    desk.sources["hub"].deeds = [desk.changed]
    answer = await desk.ask("idNumber", purpose="aid.verify", case_no=person.case_no)
    assert answer.json()["data"]["citizen"] == {"idNumber": person.id18}
    assert answer.json()["extensions"]["policyVersion"] == FIRST + 1
    (record,) = await desk.records()
    assert record["case"] == person.case_no


async def test_a_departments_cells_are_strict_too(desk: Desk) -> None:
    department = desk.sources["mz_assist"]
    department.deeds = [desk.changed]
    answer = await desk.ask("civilAffairs { minLiving { monthlyAmount } }")
    facet = answer.json()["data"]["citizen"]["civilAffairs"]
    assert facet == {"minLiving": {"monthlyAmount": "1556.00"}}
    assert answer.json()["extensions"]["policyVersion"] == FIRST + 1
    assert department.reads == 2
