"""Exports: approved, recorded before and after, in place at once, and true to the log."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.drill import made
from audit.export import VERIFIER, NoRange, NotApproved, Order, export
from audit.log import AuditLog
from audit.note import Ed25519Signer
from audit.plant import write
from audit.verify import DatedKey
from catalog.errors import AuditUnavailable

pytestmark = pytest.mark.anyio
LOG = "demo.invalid/hub/test/sha256"
SIGNER = Ed25519Signer(LOG, bytes(32))
STORE = made(700, LOG)
ORDER = Order("jsonl", "SPOT_CHECK", "auditor-01", "director-01", "director-02")

Sql = Callable[..., Awaitable[list[Row[Any]]]]


@pytest.fixture
async def log(engine: AsyncEngine) -> Any:
    """Seven hundred records, checkpoints up to 690; then a writer of our own."""
    async with engine.begin() as connection:
        await write(connection, STORE, [SIGNER])
    log = AuditLog(engine, "export/1", LOG, wait_s=5.0)
    await log.start()
    yield log
    await log.stop()


def drafts(folder: Path) -> list[Path]:
    """Folders that were not put in their place."""
    return list(folder.glob(".out-*"))


async def bodies(sql: Sql, kind: str) -> list[dict[str, Any]]:
    rows = await sql(f"SELECT body FROM audit_event WHERE kind = '{kind}' ORDER BY idx")
    return [json.loads(row[0]) for row in rows]


async def test_bodies_are_verbatim_and_the_manifest_proves_them(
    engine: AsyncEngine, log: AuditLog, sql: Sql, tmp_path: Path
) -> None:
    vkeys = [DatedKey(SIGNER.verifier).line]
    told: list[tuple[int, int]] = []
    done = await export(
        engine, log, ORDER, tmp_path / "out", vkeys=vkeys, progress=lambda *at: told.append(at)
    )
    assert (done.first, done.end, told) == (0, 690, [(690, 690)])
    out = tmp_path / "out"
    assert sorted(file.name for file in out.iterdir()) == [
        "audit_verify.py",
        "manifest.json",
        "records.jsonl",
    ]
    assert drafts(tmp_path) == []
    stored = await sql("SELECT body FROM audit_event WHERE idx < 690 ORDER BY idx")
    raw = (out / "records.jsonl").read_bytes()
    assert raw == "".join(f"{row[0]}\n" for row in stored).encode()
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["sha256"] == sha256(raw).hexdigest() == done.sha256
    assert (manifest["frontier"], manifest["consistency"]) == ("", [])
    assert manifest["note"].split("\n")[1] == "690"
    assert manifest["vkeys"] == vkeys
    assert (out / "audit_verify.py").read_bytes() == VERIFIER.read_bytes()


async def test_it_is_recorded_before_the_first_byte_and_after_the_last(
    engine: AsyncEngine, log: AuditLog, sql: Sql, tmp_path: Path
) -> None:
    done = await export(engine, log, replace(ORDER, format="csv"), tmp_path / "out")
    (intent,), (result,) = await bodies(sql, "EXPORT_INTENT"), await bodies(sql, "EXPORT_RESULT")
    assert (intent["outcome"], intent["actor"], intent["code"]) == (
        "OK",
        "auditor-01",
        "SPOT_CHECK",
    )
    assert intent["op"]["vars"] == {
        "format": "csv",
        "first": 0,
        "end": 690,
        "receiver": "auditor-01",
        "approvedBy": "director-01",
        "secondBy": "director-02",
    }
    assert intent["reads"][0]["n"] == 0
    assert result["op"]["vars"] == {**intent["op"]["vars"], "sha256": done.sha256}
    assert (result["reads"][0]["n"], result["ref"]) == (690, str(intent["idx"]))
    assert result["reads"][0]["clear"]["AuditEvent.actor"] == 690
    assert intent["idx"] < result["idx"]


@pytest.mark.parametrize(
    "changes",
    [
        {"approved_by": "auditor-01"},
        {"approved_by": ""},
        {"reason": ""},
        {"second": ""},
        {"second": "auditor-01"},
        {"second": "director-01"},
    ],
)
async def test_without_its_approvals_nothing_is_written_and_the_try_is_recorded(
    engine: AsyncEngine, log: AuditLog, sql: Sql, tmp_path: Path, changes: dict[str, str]
) -> None:
    with pytest.raises(NotApproved):
        await export(engine, log, replace(ORDER, **changes), tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
    (intent,) = await bodies(sql, "EXPORT_INTENT")
    assert intent["outcome"] == "DENIED"
    assert await bodies(sql, "EXPORT_RESULT") == []


async def test_up_to_five_hundred_one_approver_is_enough(
    engine: AsyncEngine, log: AuditLog, tmp_path: Path
) -> None:
    order = replace(ORDER, second="", first=10, end=510)
    assert (await export(engine, log, order, tmp_path / "out")).end == 510
    with pytest.raises(NotApproved):
        await export(engine, log, replace(order, end=511), tmp_path / "more")


@pytest.mark.parametrize(("first", "end"), [(0, 5_000), (690, None), (20, 20)])
async def test_records_that_are_not_there_are_refused(
    engine: AsyncEngine, log: AuditLog, tmp_path: Path, first: int, end: int | None
) -> None:
    with pytest.raises(NoRange):
        await export(engine, log, replace(ORDER, first=first, end=end), tmp_path / "out")


async def test_an_export_that_fails_leaves_nothing_and_is_recorded(
    engine: AsyncEngine, log: AuditLog, sql: Sql, tmp_path: Path
) -> None:
    guard = "SET LOCAL session_replication_role = replica"
    if engine.dialect.name == "sqlite":
        guard = "DROP TRIGGER audit_event_no_delete"
    await sql(guard, "DELETE FROM audit_event WHERE idx = 300")
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(NoRange):
        await export(engine, log, ORDER, place / "out")
    assert list(place.iterdir()) == []
    (result,) = await bodies(sql, "EXPORT_RESULT")
    assert result["outcome"] == "FAILED"


async def test_what_cannot_be_recorded_does_not_appear(
    engine: AsyncEngine, log: AuditLog, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    other = AuditLog(engine, "export/2", LOG)  # not started: nothing can be written
    with pytest.raises(AuditUnavailable):
        await export(engine, other, ORDER, place / "out")
    assert list(place.iterdir()) == []


async def test_a_folder_that_is_there_is_never_written_into(
    engine: AsyncEngine, log: AuditLog, sql: Sql, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(FileExistsError):
        await export(engine, log, ORDER, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert await bodies(sql, "EXPORT_INTENT") == []


async def test_a_sheet_and_events_have_a_line_a_record(
    engine: AsyncEngine, log: AuditLog, tmp_path: Path
) -> None:
    await export(engine, log, replace(ORDER, format="csv"), tmp_path / "sheet")
    text = (tmp_path / "sheet" / "records.csv").read_bytes().decode()
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert text.startswith("\ufeff序号,时间,")
    assert (len(rows), rows[1][0], rows[690][0]) == (691, "0", "689")
    await export(engine, log, replace(ORDER, format="ocsf"), tmp_path / "events")
    lines = (tmp_path / "events" / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [e["metadata"]["uid"] for e in events] == [f"{LOG}/{n}" for n in range(690)]
