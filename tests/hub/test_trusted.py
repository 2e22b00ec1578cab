"""Trusted documents on the road: asked by id, safelisted by mode, heard of, told in the record."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import event, text, update

from authz.post import Asker, Post
from catalog.standing import Standing
from hub.demo.site import Site
from hub.edge.trusted import FREE_ROLES, Mode
from hub.settings import SettingsError
from hub.telemetry.logs import configure
from hub.telemetry.spans import Telemetry
from store.documents import DRAFT, RETIRED, trusted_document
from store.engine import single
from tests.trusted import DESK, ENFORCED, TOWN, WEB, Edge, by_id, codes, edge

pytestmark = pytest.mark.anyio

WHO = "query Who { viewer { account } }"
OTHER = "query Other { viewer { purpose } }"
FREE = "query Free { viewer { caseNo } }"
MODES = ("open", "log", "enforce")


@pytest.fixture
async def strict(site: Site, tmp_path: Path) -> AsyncIterator[Edge]:
    """A hub that takes text from nobody."""
    async with edge(site, tmp_path / "site", ENFORCED) as made:
        yield made


# ---- by id ---------------------------------------------------------------------------------------


async def test_a_document_is_asked_by_each_of_its_ids(strict: Edge) -> None:
    document = await strict.put(WHO, "tool-1")
    digest = hashlib.sha256(WHO.encode()).hexdigest()
    persisted = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    for body in (
        {"documentId": f"sha256:{digest}"},
        {"documentId": "tool-1"},
        {"extensions": persisted},
        {"documentId": f"sha256:{digest}", "extensions": persisted},
        {"documentId": "tool-1", "query": WHO},
        {"documentId": "tool-1", "query": None, "operationName": "Who"},
        {"documentId": None, "query": WHO},
        {"query": WHO},  # the approved text itself is the same question
    ):
        answer = await strict.ask(body)
        assert (answer.status_code, answer.json()["data"]) == (200, {"viewer": {"account": TOWN}})
        op = (await strict.last())["op"]
        assert (op["name"], op["vars"]) == ("Who", {"doc.version": document.version})


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": 1},
        {"documentId": ""},
        {"documentId": "sha256:abc"},
        {"documentId": "sha256:" + "A" * 64},
        {"documentId": "a" * 129},
        {"documentId": "a b"},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "0" * 64}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0"}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"extensions": {"persistedQuery": "x"}},
        {
            "documentId": "sha256:" + "1" * 64,
            "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}},
        },
        {"documentId": "tool-1", "query": 1},
        {"extensions": {}},
    ],
)
async def test_an_id_that_is_none_is_a_bad_request(strict: Edge, body: dict[str, Any]) -> None:
    answer = await strict.ask(body)
    assert (answer.status_code, codes(answer)) == (400, [("BAD_REQUEST", "SHAPE")])


async def test_a_text_that_is_another_documents_is_refused(strict: Edge) -> None:
    document = await strict.put(WHO, "tool-1")
    await strict.put(OTHER)
    for named in (by_id(document), "tool-1"):
        answer = await strict.ask({"documentId": named, "query": OTHER})
        assert (answer.status_code, codes(answer)) == (400, [("BAD_REQUEST", "SHAPE")])
    assert (await strict.last())["outcome"] == "INVALID"


async def test_an_unknown_id_is_unknown_and_registers_nothing(strict: Edge) -> None:
    for body in (
        {"documentId": by_id(FREE)},
        {"documentId": "tool-1"},
        {"documentId": by_id(FREE), "query": FREE},
    ):
        for _ in range(2):
            answer = await strict.ask(body)
            assert (answer.status_code, codes(answer)) == (404, [("DOCUMENT_UNKNOWN", None)])
    record = await strict.last()
    assert (record["outcome"], record["code"]) == ("INVALID", "DOCUMENT_UNKNOWN")


@pytest.mark.parametrize(("state", "said"), [(DRAFT, "尚未批准"), (RETIRED, "已经停用")])
async def test_only_an_approved_document_is_asked(strict: Edge, state: str, said: str) -> None:
    document = await strict.put(WHO, "tool-1", state=state)
    for body in ({"documentId": by_id(document)}, {"documentId": "tool-1"}):
        answer = await strict.ask(body)
        assert (answer.status_code, codes(answer)) == (403, [("DOCUMENT_NOT_TRUSTED", None)])
        assert answer.json()["errors"][0]["message"] == f"受信查询 `Who/1` {said}"
    assert codes(await strict.ask({"query": WHO})) == [("DOCUMENT_NOT_TRUSTED", None)]


async def test_a_document_changed_past_the_workflow_is_no_document(strict: Edge) -> None:
    document = await strict.put(WHO)
    async with single(strict.hub.settings.store_url) as conn:
        await conn.execute(
            update(trusted_document)
            .where(trusted_document.c.sha256 == document.sha256)
            .values(text=FREE)
        )
    await strict.put(OTHER)  # a new version, so that everything is read again
    for body in ({"documentId": by_id(document)}, {"query": WHO}, {"query": FREE}):
        assert (await strict.ask(body)).status_code in (403, 404)


# ---- modes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
async def test_a_free_text_by_mode(site: Site, tmp_path: Path, mode: str) -> None:
    out = io.StringIO()
    reader = InMemoryMetricReader()
    handlers, level = logging.root.handlers[:], logging.root.level
    given = {"documents.person": mode}
    async with edge(site, tmp_path / "site", given, Telemetry(None, reader)) as made:
        await made.put(WHO)
        configure("WARNING", out)
        try:
            answer = await made.ask({"query": FREE})
            trusted = await made.ask({"query": WHO})
        finally:
            logging.root.handlers[:] = handlers
            logging.root.setLevel(level)
            structlog.reset_defaults()
        records = [one for one in await made.records() if one.get("actor") == TOWN]
        counted = _counted(reader)
    assert trusted.status_code == 200
    if mode == "enforce":
        assert (answer.status_code, codes(answer)) == (403, [("DOCUMENT_NOT_TRUSTED", None)])
        assert (records[0]["outcome"], records[0]["code"]) == ("DENIED", "DOCUMENT_NOT_TRUSTED")
        assert (counted, out.getvalue()) == ({"TRUSTED": 1}, "")
        return
    assert answer.json()["data"] == {"viewer": {"caseNo": None}}
    if mode == "log":
        assert records[0]["op"]["vars"] == {"doc.free": True}
        assert records[1]["op"]["vars"] == {"doc.version": 1}
        assert out.getvalue().count("document not trusted") == 1
        assert records[0]["op"]["hash"] in out.getvalue()
        assert TOWN not in out.getvalue()
        assert counted == {"FREE": 1, "TRUSTED": 1}
    else:
        assert [one["op"].get("vars", {}) for one in records] == [{}, {}]
        assert (counted, out.getvalue()) == ({"OPEN": 2}, "")


def _counted(reader: InMemoryMetricReader) -> dict[str, float]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        str((point.attributes or {})["hub.outcome"]): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "hub.documents"
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint)
    }


async def test_the_mode_is_that_of_the_kind_of_principal(strict: Edge) -> None:
    trusted = strict.hub.trusted
    trusted._modes = {
        Standing.PERSON: Mode.LOG,
        Standing.SYSTEM: Mode.ENFORCE,
        Standing.GATEWAY: Mode.OPEN,
    }
    post = Post("rev", "town", "532622205", frozenset({"town"}))
    person = Asker("a", "official", (post,), "aid.file", date(2026, 11, 26))
    kinds = ("official", "system", "portal")
    asked = {kind: trusted.mode(replace(person, kind=kind)) for kind in kinds}
    assert asked == {"official": Mode.LOG, "system": Mode.ENFORCE, "portal": Mode.ENFORCE}
    for kind in kinds:
        assert trusted.mode(replace(person, kind=kind, gateway=True)) is Mode.OPEN
    for role in FREE_ROLES:
        freed = replace(person, kind="system", posts=(post, replace(post, role=role)))
        assert trusted.mode(freed) is Mode.OPEN


async def test_tests_and_officers_may_always_send_text(strict: Edge) -> None:
    for account, status in (("lab", 200), ("auditor-01", 200), (TOWN, 403), ("office-01", 403)):
        assert (await strict.ask({"query": FREE}, account)).status_code == status, account


def test_by_itself_only_the_demonstration_is_open(site: Site, tmp_path: Path) -> None:
    from hub.settings import load_settings

    needed = {"data_dir": tmp_path, "store.url": "sqlite+aiosqlite:///x", "issuer": "i"}
    production = load_settings({}, needed)
    assert (production.documents_person, production.documents_system) == ("enforce", "enforce")
    assert production.documents_gateway == "open"
    demo = site.settings()
    assert {demo.documents_person, demo.documents_system, demo.documents_gateway} == {"open"}
    with pytest.raises(SettingsError, match=r"documents\.person.*open、log、enforce"):
        load_settings({}, {**needed, "documents.person": "strict"})


# ---- what it costs, how soon it ends -------------------------------------------------------------


@pytest.fixture
def statements(strict: Edge) -> Iterator[list[str]]:
    """Every statement the hub's own engine sends about documents."""
    sent: list[str] = []

    def note(_c: object, _k: object, statement: str, *_more: object) -> None:
        if "trusted_" in statement:
            sent.append(statement)

    event.listen(strict.hub.store.sync_engine, "before_cursor_execute", note)
    yield sent
    event.remove(strict.hub.store.sync_engine, "before_cursor_execute", note)


async def test_a_warm_document_costs_no_statement(strict: Edge, statements: list[str]) -> None:
    document = await strict.put(WHO, "tool-1")
    await strict.ask({"documentId": by_id(document)})
    assert len(statements) == 2  # documents and aliases of this client, once
    for body in ({"documentId": by_id(document)}, {"documentId": "tool-1"}, {"query": FREE}):
        await strict.ask(body)
    await strict.rest("Who/1", json_={})
    assert len(statements) == 2
    await strict.ask({"documentId": "tool-1"}, client=DESK)
    assert len(statements) == 4
    await strict.put(OTHER)
    await strict.ask({"documentId": by_id(document)})
    assert len(statements) == 6


async def test_in_the_open_a_text_costs_none_at_all(site: Site, tmp_path: Path) -> None:
    async with edge(site, tmp_path / "site") as made:
        sent: list[str] = []
        event.listen(
            made.hub.store.sync_engine,
            "before_cursor_execute",
            lambda _c, _k, statement, *_more: sent.append(statement),
        )
        await made.ask({"query": FREE})
        assert [one for one in sent if "trusted_" in one] == []
        assert sent  # the search saw the record's


async def test_a_span_names_the_operation_of_a_trusted_document_alone(
    site: Site, tmp_path: Path
) -> None:
    exporter = InMemorySpanExporter()
    async with edge(site, tmp_path / "site", telemetry=Telemetry(exporter)) as made:
        await made.put(WHO)
        await made.ask({"documentId": by_id(WHO)})
        await made.ask({"query": "query Secret { viewer { account } }"})
    named = [
        (s.name, s.parent is None, dict(s.attributes or {}).get("graphql.operation.name"))
        for s in exporter.get_finished_spans()
    ]
    assert [one for one in named if one[0] == "query"] == [
        ("query", True, "Who"),
        ("query", True, None),
    ]
    assert {name for what, _, name in named if what != "query"} == {None}
    assert {what for what, _, _ in named} >= {"hub.plan", "hub.audit"}


async def test_who_has_no_client_has_no_documents(strict: Edge) -> None:
    await strict.put(WHO)
    assert (await strict.ask({"documentId": by_id(WHO)}, client=WEB)).status_code == 200
    answer = await strict.ask({"documentId": by_id(WHO)}, client="No Client")
    assert (answer.status_code, codes(answer)) == (404, [("DOCUMENT_UNKNOWN", None)])


async def test_a_store_that_does_not_say_trusts_nobody(strict: Edge) -> None:
    document = await strict.put(WHO)
    async with strict.hub.store.begin() as connection:
        await connection.execute(text("ALTER TABLE trusted_alias RENAME TO gone"))
    for body in ({"documentId": by_id(document)}, {"query": WHO}, {"query": FREE}):
        answer = await strict.ask(body)
        assert (answer.status_code, codes(answer)) == (503, [("SOURCE_UNAVAILABLE", "DOWN")])
    answer = await strict.rest("Who/1")
    assert (answer.status_code, codes(answer)) == (503, [("SOURCE_UNAVAILABLE", "DOWN")])
    async with strict.hub.store.begin() as connection:
        await connection.execute(text("ALTER TABLE gone RENAME TO trusted_alias"))
    assert (await strict.ask({"documentId": by_id(document)})).status_code == 200
