"""Scenario (a) to its end: an approved case is printed, its code verifies, an altered one does not.

The pages stand beside this file as golden files, with a fixed clock and fixed codes;
``HUB_TEST_GOLDEN=write`` writes them anew. A page that has been printed with is not changed: a
new wording is a new template.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import structlog
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import select, text, update

from audit.verify import Exit
from audit.verify import run as verify
from hub import bulletins
from hub.app import assemble, create_app, running
from hub.printing.kinds import KINDS, Kind
from hub.printing.making import Prints
from hub.telemetry.logs import configure
from hub.telemetry.spans import Telemetry
from hub.worker import Hub
from store.audit import audit_event
from store.cases import case_file
from store.prints import printed_record, sha256_of
from tests.casework import MANY
from tests.golden import same
from tests.papers import sha256_on
from tests.trusted import PATIENT

if TYPE_CHECKING:
    from hub.demo.site import Site
    from tests.journeys.conftest import FillStore

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

HERE = Path(__file__).parent / "prints"
TOWN, NEIGHBOUR, OFFICE = "zhelai-town-01", "bange-town-01", "office-01"
CASE, ORDER = "SQ20520190001", "DB20520190004"  # 低保, approved, of 陆云山; an order of 者腊乡
MONTH, THIRD = "2026-10", datetime(2026, 11, 2, 16, tzinfo=UTC)
AT = int(datetime(2026, 11, 26, 2, 5, tzinfo=UTC).timestamp() * 1_000_000)
MEDIA = "text/html; charset=utf-8"
NOT_GENUINE = {
    "genuine": False,
    "kind": None,
    "number": None,
    "date": None,
    "department": None,
    "sha256": None,
}


def codes() -> Iterator[str]:
    """``2222-2222-2222-2222``, then 3333-…"""
    yield from ("-".join([sign * 4] * 4) for sign in "23456789ABCDEFGH")


NUMBER_NAMES = {"supervision": "orderNo", "bulletin": "month"}


@dataclass(frozen=True, slots=True)
class Printer:
    """A hub whose prints are made at a fixed time with fixed codes, asked over HTTP."""

    site: Site
    hub: Hub
    http: httpx.AsyncClient

    def headers(self, account: str) -> dict[str, str]:
        found = self.site.account(account)
        assert found is not None
        token = self.hub.tokens.issue(account, found.purposes)
        return {"Authorization": f"Bearer {token}", "X-Purpose": found.purposes[0]}

    async def make(self, account: str, kind: str, number: str, **more: str) -> httpx.Response:
        name = NUMBER_NAMES.get(kind, "caseNo")
        headers = self.headers(account) | {k.replace("_", "-"): v for k, v in more.items()}
        return await self.http.post(f"/print/{kind}", json={name: number}, headers=headers)

    async def stored(self, account: str, number: str) -> httpx.Response:
        return await self.http.get(f"/print/{number}", headers=self.headers(account))

    async def verify(self, code: str, sha256: str | None = None) -> dict[str, Any]:
        if sha256 is None:
            answer = await self.http.get(f"/verify/{code}")
        else:
            answer = await self.http.post(f"/verify/{code}", json={"sha256": sha256})
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    async def record(self, answer: httpx.Response) -> dict[str, Any]:
        """The record the answer names, and no other of its request."""
        wanted = select(audit_event.c.body, audit_event.c.leaf).where(
            audit_event.c.request_id == answer.headers["X-Request-Id"]
        )
        async with self.hub.store.connect() as connection:
            row = (await connection.execute(wanted)).one()
        body: dict[str, Any] = json.loads(row.body)
        assert row.leaf == answer.headers["X-Audit-Receipt"]
        assert body["idx"] == int(answer.headers["X-Audit-Id"])
        return body

    async def rows(self) -> list[Any]:
        async with self.hub.store.connect() as connection:
            asked = select(printed_record).order_by(printed_record.c.number)
            return list(await connection.execute(asked))


async def _printer(
    site: Site, telemetry: Telemetry | None = None, **given: object
) -> AsyncIterator[Printer]:
    made = codes()
    settings = site.settings(None, **{**MANY, **PATIENT, **given})
    async with running(assemble(settings, telemetry=telemetry)) as hub:
        prints = Prints(
            hub.store,
            hub.catalog,
            hub.release,
            hub.engine.documents,
            url="https://hub.example.invalid",
            wait_s=60,
            sandbox=True,
            clock=lambda: AT,
            code=lambda: next(made),
        )
        hub = replace(hub, prints=prints)
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            yield Printer(site, hub, client)


@pytest.fixture
async def printer(site_copy: Site, anyio_backend: str) -> AsyncIterator[Printer]:
    async for made in _printer(site_copy):
        yield made


@pytest.fixture
def debugging() -> Iterator[None]:
    """The log at its most talkative, as the program writes it."""
    handlers, level = logging.root.handlers[:], logging.root.level
    configure("DEBUG")
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


# ---- scenario (a) --------------------------------------------------------------------------------


async def test_an_approved_case_is_printed_with_number_and_code_and_verifies(
    printer: Printer,
) -> None:
    answer = await printer.make(TOWN, "decision", CASE)
    assert (answer.status_code, answer.headers["Content-Type"]) == (201, MEDIA)
    assert answer.headers["Location"] == "/print/YS-2026-000001"
    for shown in (
        "编号 YS-2026-000001",
        "2222-2222-2222-2222",
        "陆云山",
        "经审核同意，按规定落实。",
    ):
        assert shown in answer.text
    (row,) = await printer.rows()
    assert await printer.verify("2222-2222-2222-2222") == {
        "genuine": True,
        "kind": "审批决定书",
        "number": "YS-2026-000001",
        "date": "2026-11-26",
        "department": "砚山县政府救助平台领导小组办公室（者腊乡）",
        "sha256": row.sha256,
    }
    typed = sha256_on(answer.text)
    assert typed.replace(" ", "") == row.sha256
    assert (await printer.verify("２２２２２２２２ 2222 2222", typed))["genuine"] is True


async def test_an_altered_print_does_not_verify(printer: Printer) -> None:
    await printer.make(TOWN, "decision", CASE)
    (row,) = await printer.rows()
    altered = row.content.replace("按规定落实", "另发二万元")
    assert altered != row.content
    digest = sha256_of(row.number, row.code, row.template, row.printed_at, altered)
    for wrong in (digest, row.sha256[:-1], "", row.sha256 * 2, "按规定"):
        assert await printer.verify(row.code, wrong) == NOT_GENUINE
    for code in ("2222-2222-2222-2223", "2222-2222-2222-222", "YS-2026-000001", "x" * 5_000, "%00"):
        assert await printer.verify(code) == NOT_GENUINE


async def test_a_row_changed_past_its_triggers_does_not_verify_and_is_not_shown(
    printer: Printer,
) -> None:
    await printer.make(TOWN, "decision", CASE)
    (row,) = await printer.rows()
    altered = row.content.replace("按规定落实", "另发二万元")
    async with printer.hub.store.begin() as connection:
        await connection.execute(text("DROP TRIGGER printed_record_no_update"))
        await connection.execute(update(printed_record).values(content=altered))
    assert await printer.verify(row.code) == NOT_GENUINE
    answer = await printer.stored(TOWN, row.number)
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "另发" not in answer.text


async def test_a_row_added_with_a_fitting_digest_has_no_record_and_does_not_verify(
    printer: Printer,
) -> None:
    await printer.make(TOWN, "decision", CASE)
    (row,) = await printer.rows()
    forged = dict(row._mapping) | {"number": "YS-2026-000002", "code": "3333-3333-3333-3333"}
    forged["content"] = row.content.replace("按规定落实", "另发二万元")
    said = (forged["number"], forged["code"], row.template, row.printed_at, forged["content"])
    forged["sha256"] = sha256_of(*said)
    async with printer.hub.store.begin() as connection:
        await connection.execute(printed_record.insert(), forged)
    assert await printer.verify(forged["code"]) == NOT_GENUINE
    shown = await printer.stored(TOWN, forged["number"])
    assert (shown.status_code, shown.json()["code"]) == (500, "INTERNAL")
    assert (await printer.verify(row.code))["genuine"] is True


async def test_the_record_names_the_read_and_the_print_and_nobody(printer: Printer) -> None:
    answer = await printer.make(TOWN, "decision", CASE)
    record = await printer.record(answer)
    (row,) = await printer.rows()
    assert row.audit_idx == record["idx"]
    assert (record["kind"], record["outcome"], record["actor"]) == ("READ", "OK", TOWN)
    assert record["op"]["name"] == "PrintDecision"
    assert record["op"]["vars"] == {
        "number": "String!",
        "print.number": "YS-2026-000001",
        "print.sha256": row.sha256,
    }
    assert {read["d"]: read["n"] for read in record["reads"]} == {
        "case": 1,
        "citizen": 1,
        "division": 1,
        "department": 1,
    }
    assert len(record["subjects"]) == 1
    written = json.dumps(record, ensure_ascii=False)
    assert [word for word in ("陆云山", CASE, row.code, "经审核") if word in written] == []


# ---- who may print what --------------------------------------------------------------------------


async def test_a_case_of_another_township_is_not_found_like_any_other(printer: Printer) -> None:
    theirs = await printer.make(NEIGHBOUR, "decision", CASE)
    nobodys = await printer.make(NEIGHBOUR, "decision", "SQ20520199999")
    told = [answer.json() for answer in (theirs, nobodys)]
    assert [one["code"] for one in told] == ["NOT_FOUND", "NOT_FOUND"]
    for one in told:
        del one["requestId"], one["extensions"]["audit"]
    assert told[0] == told[1]
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    record = await printer.record(theirs)
    assert (record["outcome"], record["code"]) == ("INVALID", "NOT_FOUND")
    assert await printer.rows() == []


async def test_masked_stays_masked_in_the_print_and_in_what_is_stored(printer: Printer) -> None:
    answer = await printer.make(OFFICE, "decision", CASE)
    assert answer.status_code == 201
    (row,) = await printer.rows()
    for kept in (answer.text, row.content):
        assert "陆*" in kept
        assert "陆云山" not in kept
        assert "经审核同意" not in kept
    assert "按打印人权限未显示或仅部分显示：审批结论（已脱敏）、姓名（已脱敏）。" in answer.text
    record = await printer.record(answer)
    masked = {name for read in record["reads"] for name in read.get("masked", ())}
    assert masked == {"Case.decision", "Citizen.name"}


async def test_who_may_read_no_case_prints_none(printer: Printer) -> None:
    answer = await printer.make("auditor-01", "decision", CASE)
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert await printer.rows() == []
    stranger = await printer.http.post("/print/decision", json={"caseNo": CASE})
    assert stranger.status_code == 401


async def test_numbers_run_on_and_a_refused_print_takes_none(printer: Printer) -> None:
    for account, status in ((TOWN, 201), (NEIGHBOUR, 404), (TOWN, 201), (OFFICE, 201)):
        assert (await printer.make(account, "decision", CASE)).status_code == status
    found = [(row.number, row.code[:4], row.account) for row in await printer.rows()]
    assert found == [
        ("YS-2026-000001", "2222", TOWN),
        ("YS-2026-000002", "3333", TOWN),
        ("YS-2026-000003", "4444", OFFICE),
    ]


async def test_what_is_not_decided_has_no_decision_to_print(printer: Printer) -> None:
    async with printer.hub.store.begin() as connection:
        await connection.execute(
            update(case_file).where(case_file.c.case_no == CASE).values(state="APPROVING")
        )
    answer = await printer.make(TOWN, "decision", CASE)
    told = answer.json()
    assert (answer.status_code, told["code"], told["reason"]) == (
        400,
        "BAD_USER_INPUT",
        "UNDECIDED",
    )
    assert (await printer.make(TOWN, "work-order", CASE)).status_code == 201


PRINTED = {"work-order": 5, "decision": 5, "supervision": 3, "bulletin": 3}
EVERYBODY = ("zhelai-village-01", TOWN, NEIGHBOUR, "mca-dept-01", OFFICE, "authority-01", "lab")


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.name)
async def test_a_print_holds_what_its_asker_is_answered_and_no_more(
    printer: Printer, kind: Kind
) -> None:
    await frozen(printer)
    number = {"supervision": ORDER, "bulletin": MONTH}.get(kind.name, CASE)
    question = {"query": kind.text, "variables": dict(kind.variables(number, 100))}
    printed = 0
    for account in EVERYBODY:
        headers = printer.headers(account)
        answer = (await printer.http.post("/graphql", json=question, headers=headers)).json()
        made = await printer.make(account, kind.name, number)
        seen = answer["data"] is not None and answer["data"]["record"] is not None
        assert (made.status_code == 201) is seen, account
        if seen:
            content = json.loads((await printer.rows())[-1].content)
            assert content["data"] == answer["data"], account
            assert content["fields"] == answer["extensions"]["fields"], account
            printed += 1
    assert printed == PRINTED[kind.name]


async def test_what_a_case_number_has_opened_is_closed_again_without_it(printer: Printer) -> None:
    opened = await printer.make(OFFICE, "decision", CASE, X_Case_No=CASE)
    assert opened.status_code == 201
    assert "陆云山" in opened.text
    assert "经审核同意，按规定落实。" in opened.text
    record = await printer.record(opened)
    assert record["case"] == CASE
    again = await printer.stored(OFFICE, "YS-2026-000001")
    assert (again.status_code, again.json()["reason"]) == (403, "PRINT_SHOWS_MORE")
    headers = printer.headers(OFFICE) | {"X-Case-No": CASE}
    with_it = await printer.http.get("/print/YS-2026-000001", headers=headers)
    assert (with_it.status_code, with_it.content) == (200, opened.content)


# ---- the stored copy -----------------------------------------------------------------------------


async def test_a_stored_print_is_shown_byte_for_byte_whatever_has_come_since(
    printer: Printer,
) -> None:
    made = await printer.make(TOWN, "decision", CASE)
    async with printer.hub.store.begin() as connection:
        await connection.execute(
            update(case_file).where(case_file.c.case_no == CASE).values(decision="另有结论。")
        )
    again = await printer.stored(TOWN, "YS-2026-000001")
    assert (again.status_code, again.content) == (200, made.content)
    record = await printer.record(again)
    assert (record["kind"], record["op"]["name"]) == ("READ", "PrintDecision")
    (row,) = await printer.rows()
    assert record["op"]["vars"] == {
        "number": "String!",
        "print.number": row.number,
        "print.sha256": row.sha256,
        "print.copy": True,
    }


async def test_a_stored_print_is_shown_to_nobody_who_may_see_less_now(printer: Printer) -> None:
    await printer.make(TOWN, "decision", CASE)
    await printer.make(OFFICE, "decision", CASE)
    clear, masked = "YS-2026-000001", "YS-2026-000002"
    less = await printer.stored(OFFICE, clear)
    told = less.json()
    assert (less.status_code, told["code"], told["reason"]) == (
        403,
        "FORBIDDEN",
        "PRINT_SHOWS_MORE",
    )
    assert "陆云山" not in less.text
    assert (await printer.stored(OFFICE, masked)).status_code == 200
    assert (await printer.stored(TOWN, masked)).status_code == 200
    for number in (clear, masked):
        theirs = await printer.stored(NEIGHBOUR, number)
        assert (theirs.status_code, theirs.json()["code"]) == (404, "NOT_FOUND")
    none = await printer.stored(NEIGHBOUR, "YS-2026-000009")
    assert none.json()["detail"] == theirs.json()["detail"]


# ---- pages ---------------------------------------------------------------------------------------


async def frozen(printer: Printer) -> None:
    """October's bulletin."""
    settings, words = printer.hub.settings, printer.hub.catalog
    await bulletins.freeze(settings, words, MONTH, by=OFFICE, now=THIRD)


PAGES = (
    (TOWN, "work-order", CASE),
    (TOWN, "decision", CASE),
    (OFFICE, "decision", CASE),
    (OFFICE, "supervision", ORDER),
    (OFFICE, "bulletin", MONTH),
)


async def test_the_pages_are_the_golden_ones(printer: Printer) -> None:
    await frozen(printer)
    for account, kind, number in PAGES:
        answer = await printer.make(account, kind, number)
        same(HERE / f"{account}.{kind}.html", answer.text)


async def test_a_bulletin_is_printed_by_who_may_see_it_and_verifies(printer: Printer) -> None:
    early = await printer.make(OFFICE, "bulletin", MONTH)
    assert (early.status_code, early.json()["code"]) == (404, "NOT_FOUND")
    await frozen(printer)
    answer = await printer.make(OFFICE, "bulletin", MONTH)
    assert answer.status_code == 201, answer.text
    figures = await bulletins.frozen(printer.hub.settings, MONTH)
    assert figures.sha256 in answer.text
    (row,) = await printer.rows()
    told = await printer.verify(row.code, row.sha256)
    assert (told["genuine"], told["kind"]) == (True, "月通报")
    record = await printer.record(answer)
    assert record["op"]["name"] == "PrintBulletin"
    assert "subjects" not in record
    theirs = await printer.make(TOWN, "bulletin", MONTH)
    assert (theirs.status_code, theirs.json()["code"]) == (403, "FORBIDDEN")


async def test_a_page_has_no_script_and_nothing_from_elsewhere(printer: Printer) -> None:
    answer = await printer.make(TOWN, "work-order", CASE)
    for word in ("<script", "http-equiv", "src=", "href=", "@import", "url("):
        assert word not in answer.text
    assert {**answer.headers} == {
        "content-type": MEDIA,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "vary": "Accept, Authorization, Origin",
        "content-security-policy": answer.headers["Content-Security-Policy"],
        "x-request-id": answer.headers["X-Request-Id"],
        "x-audit-id": answer.headers["X-Audit-Id"],
        "x-audit-receipt": answer.headers["X-Audit-Receipt"],
        "x-sandbox": "true",
        "location": "/print/YS-2026-000001",
        "traceparent": answer.headers["traceparent"],
        "ratelimit-limit": answer.headers["RateLimit-Limit"],
        "ratelimit-remaining": answer.headers["RateLimit-Remaining"],
        "ratelimit-reset": answer.headers["RateLimit-Reset"],
        "content-length": str(len(answer.content)),
    }


@pytest.mark.postgres
async def test_the_same_with_postgresql_as_the_store(
    site: Site, fill_store: FillStore, pg_url: str
) -> None:
    await fill_store(site, pg_url)
    memory = {"audit.signer_file": site.folder / "keys" / "signer-prints.json"}
    async for printer in _printer(site, None, **{"store.url": pg_url, **memory}):
        assert printer.hub.store.dialect.name == "postgresql"
        await frozen(printer)
        for account, kind, number in PAGES:
            answer = await printer.make(account, kind, number)
            assert answer.content == (HERE / f"{account}.{kind}.html").read_bytes()
        assert [row.number[-1] for row in await printer.rows()] == ["1", "2", "3", "4", "5"]
        assert (await printer.verify("3333-3333-3333-3333"))["kind"] == "审批决定书"


async def test_the_log_is_what_was_written_with_prints_among_other_records(site_copy: Site) -> None:
    async for printer in _printer(site_copy):
        kinds = [(TOWN, "decision"), (OFFICE, "work-order"), (NEIGHBOUR, "decision")] * 3
        made = await asyncio.gather(*(printer.make(who, kind, CASE) for who, kind in kinds))
        assert sorted(answer.status_code for answer in made) == [201] * 6 + [404] * 3
        for number in range(1, 7):
            assert (await printer.verify((await printer.rows())[number - 1].code))["genuine"]
    verdicts = await asyncio.to_thread(verify, site_copy.store_url)
    assert verdicts.counts == {}
    assert verdicts.exit is Exit.INTACT


async def test_no_log_line_and_no_span_holds_a_person_a_case_or_a_code(
    site_copy: Site, capsys: pytest.CaptureFixture[str], debugging: None
) -> None:
    exporter = InMemorySpanExporter()
    async for printer in _printer(site_copy, Telemetry(exporter)):
        await printer.make(TOWN, "work-order", CASE)
        await printer.stored(TOWN, "YS-2026-000001")
        await printer.verify("2222-2222-2222-2222")
        await printer.verify("9999-2222-2222-2222")
    spans = exporter.get_finished_spans()
    written = json.dumps([span.to_json() for span in spans], ensure_ascii=False)
    written += "".join(capsys.readouterr())
    assert "PrintWorkOrder" not in written  # only approved names are told
    assert len(spans) > 8
    secrets = ("陆云山", "12810752549", CASE, "2222-2222-2222-2222", "9999-2222", "田坝小组")
    assert [one for one in secrets if one in written] == []


async def test_prints_at_once_have_a_number_each(printer: Printer) -> None:
    asked = [printer.make(TOWN, "decision", CASE) for _ in range(4)]
    made = await asyncio.gather(*asked)
    numbers = sorted(answer.headers["Location"][-1] for answer in made)
    assert ([answer.status_code for answer in made], numbers) == ([201] * 4, ["1", "2", "3", "4"])
