"""hub/edge/printing.py: what a request for a print must be like, and what stands in its way."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text

from audit.record import Draft
from catalog.errors import SourceUnavailable
from hub.app import assemble, create_app, running
from hub.demo.site import Site
from hub.edge.printing import unprintable
from hub.printing.making import Prints
from hub.worker import Hub
from resolvers.answer import Answer
from resolvers.assemble import formatted
from resolvers.plan import Disclosure
from store.audit import audit_event
from store.prints import printed_record
from tests.sites import copied
from tests.trusted import ENFORCED, PATIENT

pytestmark = pytest.mark.anyio

TOWN = "zhelai-town-01"
CASE = "SQ20520190001"


@dataclass(frozen=True, slots=True)
class Desk:
    """A hub that is asked for prints."""

    site: Site
    hub: Hub
    http: httpx.AsyncClient

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        token = self.hub.tokens.issue(TOWN, ("aid.file", "aid.verify"))
        headers = {"Authorization": f"Bearer {token}", "X-Purpose": "aid.file"}
        return await self.http.request(
            method, path, headers=headers | more.pop("headers", {}), **more
        )

    async def count(self, table: Any) -> int:
        async with self.hub.store.connect() as connection:
            return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


@contextlib.asynccontextmanager
async def desk(
    site: Site, change: Callable[[Hub], Hub] = lambda hub: hub, /, **given: object
) -> AsyncIterator[Desk]:
    async with running(assemble(site.settings(None, **{**PATIENT, **given}))) as hub:
        hub = change(hub)
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            yield Desk(site, hub, client)


@pytest.fixture(scope="module")
async def shared(
    site: Site, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    """In production's way: nobody may send a text of his own."""
    copy = copied(site, tmp_path_factory.mktemp("prints") / "site")
    async with desk(copy, **ENFORCED) as made:
        yield made


def told(answer: httpx.Response) -> tuple[int, str, str | None]:
    assert answer.headers["Content-Type"] == "application/problem+json; charset=utf-8"
    body = answer.json()
    return answer.status_code, body["code"], body.get("reason")


async def test_the_documents_are_the_programs_own_where_no_text_is_taken(shared: Desk) -> None:
    made = await shared.ask("POST", "/print/work-order", json={"caseNo": CASE})
    assert made.status_code == 201
    question = {"query": '{ case(caseNo: "SQ20520190001") { state } }'}
    asked = await shared.ask("POST", "/graphql", json=question)
    assert asked.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"orderNo": CASE},
        {"caseNo": CASE, "more": 1},
        {"caseNo": 1},
        {"caseNo": None},
        {"caseNo": "陆云山"},
        {"caseNo": "539922197704129912 "},
        {"caseNo": "x" * 33},
    ],
)
async def test_the_body_is_one_number(shared: Desk, body: dict[str, object]) -> None:
    answer = await shared.ask("POST", "/print/decision", json=body)
    assert told(answer) == (400, "BAD_USER_INPUT", "VARIABLE")


async def test_what_is_no_json_object_is_refused_as_anywhere(shared: Desk) -> None:
    path, kind = "/print/decision", {"Content-Type": "application/json"}
    assert told(await shared.ask("POST", path, content=b"[1]", headers=kind)) == (
        400,
        "BAD_REQUEST",
        "SHAPE",
    )
    form = await shared.ask("POST", path, data={"caseNo": CASE})
    assert told(form) == (415, "UNSUPPORTED_MEDIA_TYPE", None)


async def test_a_kind_or_a_number_that_is_not_there_is_not_found(shared: Desk) -> None:
    for method, path in (
        ("POST", "/print/ranking"),
        ("POST", "/print/YS-2026-000001"),
        ("GET", "/print/decision"),
        ("GET", "/print/YS-2026-999999"),
        ("GET", "/print/YS-2026-1"),
    ):
        answer = await shared.ask(method, path, json={"caseNo": CASE} if method == "POST" else None)
        assert told(answer) == (404, "NOT_FOUND", None), path


async def test_other_methods_are_told_which_there_are(shared: Desk) -> None:
    answer = await shared.ask("DELETE", "/print/YS-2026-000001")
    assert told(answer) == (405, "METHOD_NOT_ALLOWED", None)
    assert answer.headers["Allow"] == "GET, POST"


async def test_a_stranger_is_refused_before_his_body_is_read(shared: Desk) -> None:
    before = await shared.count(audit_event)
    for method, path in (("POST", "/print/decision"), ("GET", "/print/YS-2026-000001")):
        answer = await shared.http.request(
            method, path, content=b"{", headers={"Content-Type": "application/json"}
        )
        assert told(answer) == (401, "UNAUTHENTICATED", "TOKEN_MISSING")
    assert await shared.count(audit_event) == before


# ---- all of it or nothing ------------------------------------------------------------------------


async def test_a_print_that_cannot_be_kept_leaves_neither_page_nor_record(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = copied(site, tmp_path_factory.mktemp("print") / "site")

    def twice(hub: Hub) -> Hub:
        made = (hub.store, hub.catalog, hub.release, hub.engine.documents)
        code = "2222-2222-2222-2222"
        prints = Prints(*made, url=None, wait_s=10, sandbox=True, code=lambda: code)
        return replace(hub, prints=prints)

    async with desk(copy, twice) as made:
        body = {"caseNo": CASE}
        assert (await made.ask("POST", "/print/decision", json=body)).status_code == 201
        again = await made.ask("POST", "/print/decision", json=body)
        assert told(again) == (503, "AUDIT_UNAVAILABLE", "WRITE")
        assert "陆云山" not in again.text
        assert await made.count(printed_record) == 1
        wanted = select(audit_event.c.body).where(audit_event.c.body.contains("print.number"))
        async with made.hub.store.connect() as connection:
            assert len((await connection.scalars(wanted)).all()) == 1
        last = select(audit_event.c.outcome, audit_event.c.decision_code).order_by(
            audit_event.c.idx.desc()
        )
        async with made.hub.store.connect() as connection:
            assert tuple((await connection.execute(last)).first() or ()) == (
                "FAILED",
                "AUDIT_UNAVAILABLE",
            )
            count = await connection.scalar(text("SELECT last FROM print_count"))
        assert count == 1


async def test_without_a_record_there_is_no_print(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = copied(site, tmp_path_factory.mktemp("print") / "site")
    async with desk(copy) as made:
        made.hub.log.halt("test")
        answer = await made.ask("POST", "/print/decision", json={"caseNo": CASE})
        assert told(answer) == (503, "AUDIT_UNAVAILABLE", "ROLLBACK_SUSPECTED")
        assert await made.count(printed_record) == 0


TOLD = Disclosure("query", "PrintDecision", "", (), "PARTIAL", "SOURCE_UNAVAILABLE")
DOWN = formatted(SourceUnavailable("不可用", reason="DOWN", source="hub"), ("record",))


def test_an_answer_in_part_is_not_printed() -> None:
    found = unprintable(Answer({"record": {"id": "c1"}}, True, (DOWN,), {"fields": []}, TOLD))
    assert found is not None
    assert (found.data, found.executed, found.errors) == (None, False, (DOWN,))
    assert (found.disclosure.outcome, found.disclosure.code) == ("FAILED", "SOURCE_UNAVAILABLE")


def test_a_whole_answer_is() -> None:
    ok = replace(TOLD, outcome="OK", code=None)
    assert unprintable(Answer({"record": {"id": "c1"}}, True, (), {"fields": []}, ok)) is None


def test_a_draft_has_no_field_for_what_a_print_says() -> None:
    assert {"content", "page", "body", "text"} & set(Draft.__slots__) == set()
