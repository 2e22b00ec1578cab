"""The medical-insurance department's real process, and servers with faults of their own."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.contract import Call, ReadRequest, Rows
from adapters.identity import spellings, with_check_digit
from adapters.resilience import Breaker, Guard
from adapters.web.credential import signer
from adapters.web.http import Door
from adapters.web.rest import RestSource
from catalog.datasets import FieldType
from catalog.errors import SourceUnavailable
from catalog.grades import Mask
from catalog.load import load
from tests.servers import Asked, Served, http, serving

pytestmark = [pytest.mark.anyio, pytest.mark.loopback]

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "departments" / "medical_insurance.py"
AMOUNTS = [
    "medfee_sumamt",
    "fulamt_ownpay_amt",
    "overlmt_selfpay",
    "preselfpay_amt",
    "inscp_scp_amt",
    "hifp_pay",
    "hifmi_pay",
    "maf_pay",
    "fund_pay_sumamt",
    "psn_part_amt",
]
SETTLEMENT = [
    *[
        "setl_id",
        "mdtrt_id",
        "psn_no",
        "psn_name",
        "certno",
        "setl_time",
        "med_type",
        "hospital",
        "offsite",
        "refund",
    ],
    *AMOUNTS,
]
ENROLMENT = [
    "psn_no",
    "psn_name",
    "certno",
    "psn_cert_type",
    "insutype",
    "insu_admdvs",
    "year",
    "paid_date",
    "state",
]


def an_id(serial: int) -> str:
    return with_check_digit(f"539922198001{serial // 999 + 1:02d}{serial % 999:03d}")


CALM = an_id(1)
ENDS_IN_X = next(i for i in map(an_id, range(2, 900)) if i.endswith("X"))
MANY = an_id(901)
DIRTY = an_id(902)
NOBODY = an_id(903)


def settlement(certno: str, number: int, at: str, **over: str) -> list[str]:
    row = dict.fromkeys(SETTLEMENT, "0.00") | {
        "setl_id": f"S{number:06d}",
        "mdtrt_id": f"M{number:06d}",
        "psn_no": "P1",
        "psn_name": "张某",
        "certno": certno,
        "setl_time": at,
        "med_type": "21",
        "hospital": "砚山县人民医院",
        "offsite": "0",
        "refund": "0",
    }
    return [(row | over)[column] for column in SETTLEMENT]


def settlements() -> Iterator[list[str]]:
    paid = {"psn_part_amt": "1200.50", "fulamt_ownpay_amt": "200.00", "overlmt_selfpay": "0.50"}
    back = {name: f"-{amount}" for name, amount in paid.items()}
    yield settlement(CALM, 1, "2026-03-01 09:00:00", **paid)
    yield settlement(CALM, 2, "2026-03-02 09:00:00", **back, refund="1")
    yield settlement(CALM, 3, "2026-04-01 10:00:00", **(paid | {"psn_part_amt": "900"}))
    yield settlement(CALM, 4, "2025-04-01 10:00:00", **paid)
    yield settlement(ENDS_IN_X.lower(), 5, "2026-01-05 08:00:00", psn_name="李 某")
    yield settlement(DIRTY, 6, "2026-13-45 00:00:00", psn_part_amt="abc", med_type="99")
    for number in range(250):
        yield settlement(
            MANY, 1_000 + number, f"2026-05-01 08:{number // 60:02d}:{number % 60:02d}"
        )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("yb") / "yb_settle.sqlite"
    connection = sqlite3.connect(file)
    for table, columns in (("enrolment", ENROLMENT), ("settlement", SETTLEMENT)):
        connection.execute(f"CREATE TABLE {table} ({', '.join(f'{c} TEXT' for c in columns)})")
    marks = ",".join("?" * len(SETTLEMENT))
    connection.executemany(f"INSERT INTO settlement VALUES ({marks})", settlements())
    connection.executemany(
        "INSERT INTO enrolment VALUES (?,?,?,?,?,?,?,?,?)",
        [
            ["P1", "张某", CALM, "01", "390", "532622", "2025", "20241215", "2"],
            ["P1", "张某", CALM, "01", "390", "532622", "2026", "20251220", "1"],
            ["P2", "王某", ENDS_IN_X, "01", "310", "999999", "2026", "", "1"],
        ],
    )
    connection.commit()
    connection.close()
    return file


@contextmanager
def running(database: Path, *more: str) -> Iterator[str]:
    """The department's own process; yields its address and ends it by closing its input."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), "--db", str(database), "--watch-stdin", *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        word, _, address = process.stdout.readline().strip().partition(" ")
        assert word == "ready"
        yield address
    finally:
        process.stdin.close()
        assert process.wait(timeout=10) == 0
        process.stdout.close()


@pytest.fixture(scope="module")
def department(database: Path) -> Iterator[str]:
    with running(database) as address:
        yield address


def stars(mask: Mask, value: Any, kind: FieldType) -> Any:
    return None if mask is Mask.HIDE else f"{mask}:{kind}:{value}"


def opened_at(
    address: str,
    name: str = "yb_settle",
    *,
    guard: Guard | None = None,
    key: str | None = "demo",
    client: httpx.AsyncClient | None = None,
) -> RestSource:
    spec = load().sources[name]
    assert spec.rest is not None
    door = Door(address, client=client)
    return RestSource(
        spec,
        door,
        signer(spec.rest.credential, key, door),
        guard=guard or Guard(name),
        divisions=load().divisions,
        mask=stars,
    )


@asynccontextmanager
async def source(
    address: str, *, guard: Guard | None = None, app_key: str = "demo"
) -> AsyncIterator[RestSource]:
    opened = opened_at(address, guard=guard, key=app_key)
    try:
        yield opened
    finally:
        await opened.close()


def request(dataset: str, *columns: str, **more: Any) -> ReadRequest:
    return ReadRequest(load().datasets[dataset], columns, **({"key": "identity"} | more))


async def asked(
    address: str,
    dataset: str,
    columns: tuple[str, ...],
    keys: list[str],
    *,
    masks: dict[str, Mask] | None = None,
    **call: Any,
) -> Rows:
    async with source(address) as opened:
        prepared = opened.prepare(request(dataset, *columns, masks=masks))
        return await opened.read(prepared, Call(keys, {}, **call))


async def test_settlements_come_newest_first_with_decoded_values(department: str) -> None:
    columns = ("settlementNo", "settledAt", "medicalType", "refund", "personalYuan")
    rows = await asked(department, "medical_settlement", columns, [CALM], names={CALM: "张某"})
    assert list(rows.rows) == [
        (CALM, "M1", "", "S000003", "2026-04-01T10:00:00+08:00", "INPATIENT", False, "900.00"),
        (CALM, "M1", "", "S000002", "2026-03-02T09:00:00+08:00", "INPATIENT", True, "-1200.50"),
        (CALM, "M1", "", "S000001", "2026-03-01T09:00:00+08:00", "INPATIENT", False, "1200.50"),
        (CALM, "M1", "", "S000004", "2025-04-01T10:00:00+08:00", "INPATIENT", False, "1200.50"),
    ]
    assert rows.as_of is not None


async def test_yearly_self_pay_is_net_of_refunds(department: str) -> None:
    columns = ("year", "amountYuan", "settlementCount")
    rows = await asked(department, "medical_self_pay", columns, [CALM])
    # 2026: 1000.00 − 1000.00 + (900 − 200 − 0.50); the formula is that of 领域设计 1.15
    assert list(rows.rows) == [
        (CALM, None, "", 2026, "699.50", 3),
        (CALM, None, "", 2025, "1000.00", 1),
    ]


async def test_a_sum_the_department_cannot_make_is_null_and_dq10(department: str) -> None:
    rows = await asked(department, "medical_self_pay", ("amountYuan",), [DIRTY])
    assert list(rows.rows) == [(DIRTY, None, "DQ10", None)]


async def test_an_enrolment_is_the_latest_years(department: str) -> None:
    columns = ("year", "insuranceType", "insuredDivision", "paidDate", "state")
    rows = await asked(department, "medical_enrolment", columns, [CALM, ENDS_IN_X, NOBODY])
    assert list(rows.rows) == [
        (CALM, None, "", 2026, "RESIDENT", "532622000000", "2025-12-20", "ACTIVE"),
        (ENDS_IN_X, None, "DQ07", 2026, "EMPLOYEE", None, None, "ACTIVE"),
    ]


async def test_a_lower_case_x_meets_its_canonical_key(department: str) -> None:
    rows = await asked(
        department, "medical_settlement", ("settlementNo",), [ENDS_IN_X], names={ENDS_IN_X: "李某"}
    )
    assert list(rows.rows) == [(ENDS_IN_X, "M2", "DQ06", "S000005")]


async def test_a_dirty_row_is_shown_as_such(department: str) -> None:
    columns = ("settlementNo", "settledAt", "personalYuan", "medicalType", "totalYuan")
    rows = await asked(department, "medical_settlement", columns, [DIRTY], names={DIRTY: "王某"})
    assert list(rows.rows) == [(DIRTY, "M3", "DQ12 DQ10", "S000006", None, None, None, "0.00")]


async def test_masked_columns_leave_the_adapter_masked(department: str) -> None:
    masks = {"hospital": Mask.HIDE, "personalYuan": Mask.BAND}
    columns = ("hospital", "personalYuan", "totalYuan")
    rows = await asked(department, "medical_settlement", columns, [CALM], masks=masks, limit=1)
    assert list(rows.rows) == [(CALM, None, "", None, None, "0.00")]
    names = await asked(
        department, "medical_enrolment", ("name",), [CALM], masks={"name": Mask.SURNAME}
    )
    assert list(names.rows) == [(CALM, None, "", "SURNAME:string:张某")]


async def test_a_person_without_records_has_no_row(department: str) -> None:
    rows = await asked(department, "medical_settlement", ("settlementNo",), [NOBODY])
    assert list(rows.rows) == []


async def test_more_rows_than_a_page_are_all_read_and_cut_per_key(department: str) -> None:
    columns = ("settlementNo",)
    every = await asked(department, "medical_settlement", columns, [MANY, CALM])
    first = await asked(department, "medical_settlement", columns, [MANY, CALM], limit=2)
    assert len(every.rows) == 254
    assert [row[3] for row in first.rows] == ["S001249", "S001248", "S000003", "S000002"]


async def test_a_hundred_and_fifty_keys_are_asked_in_batches_of_a_hundred(department: str) -> None:
    keys = [*dict.fromkeys(an_id(n) for n in range(2_000, 2_149)), CALM]
    formats = load().datasets["medical_settlement"].key.formats
    texts = sum(len(spellings(key, formats)) for key in keys)
    sent: list[int] = []

    async def note(outgoing: httpx.Request) -> None:
        sent.append(len(json.loads(outgoing.content)["input"]["certnos"]))

    async with httpx.AsyncClient(event_hooks={"request": [note]}) as client:
        opened = opened_at(department, client=client)
        prepared = opened.prepare(request("medical_settlement", "settlementNo"))
        rows = await opened.read(prepared, Call(keys, {}))
        await opened.close()
        assert not client.is_closed
    assert len(keys) == 150
    # Batches are on their way together: which is noted first is not told.
    assert sorted(sent, reverse=True) == [100] * (texts // 100) + [texts % 100]
    assert opened.calls == len(sent)
    assert len(rows.rows) == 4


async def test_no_keys_are_no_call() -> None:
    rows = await asked("http://127.0.0.1:9", "medical_settlement", ("settlementNo",), [])
    assert list(rows.rows) == []


async def test_ping_answers_while_the_system_is_up(department: str) -> None:
    async with source(department) as opened:
        await opened.ping()
        assert opened.guard.state.last_ok is not None


async def answer_of(address: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    async with httpx.AsyncClient(trust_env=False) as client:
        found = await client.post(f"{address}/fsi/api", json=body, headers=headers)
        answer: dict[str, Any] = found.json()
        return found.status_code, answer


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"infno": "9162", "input": {"certnos": [CALM] * 101}}, "每次须为 1 至 100 个证件号码"),
        ({"infno": "9162", "input": {"certnos": []}}, "每次须为 1 至 100 个证件号码"),
        ({"infno": "9999", "input": {"certnos": [CALM]}}, "交易编号不存在"),
        (
            {"infno": "9162", "input": {"certnos": [CALM], "pageSize": 101}},
            "pageNum 从 1 开始，pageSize 不超过 100",
        ),
        ({"infno": "9162"}, "报文格式错误"),
        ({"infno": "9162", "input": {"certnos": CALM}}, "certnos 须为文本数组"),
    ],
)
async def test_the_department_refuses_with_http_200(
    department: str, body: dict[str, Any], said: str
) -> None:
    answer = await answer_of(department, body, appKey="demo")
    assert answer == (200, {"infcode": -1, "err_msg": said, "output": None})


async def failure(address: str, *, guard: Guard | None = None, **more: str) -> SourceUnavailable:
    async with source(address, guard=guard, **more) as opened:
        prepared = opened.prepare(request("medical_settlement", "settlementNo"))
        with pytest.raises(SourceUnavailable) as caught:
            await opened.read(prepared, Call([CALM], {}))
        return caught.value


async def test_a_wrong_app_key_is_a_source_that_is_down_not_a_person_without_records(
    department: str,
) -> None:
    body = {"infno": "9162", "input": {"certnos": [CALM]}}
    assert (await answer_of(department, body, appKey="x"))[1]["err_msg"] == "appKey 无效"
    error = await failure(department, app_key="x")
    assert (error.reason, error.extra) == ("DOWN", {"source": "yb_settle"})


@pytest.mark.parametrize(
    ("clock", "up"), [("23:29:59", True), ("2026-11-01T23:30:00", False), ("05:29", False)]
)
async def test_the_nightly_window_goes_by_the_departments_own_clock(
    database: Path, clock: str, up: bool
) -> None:
    with running(database, "--clock", clock) as address:
        body = {"infno": "9162", "input": {"certnos": [CALM]}}
        _, answer = await answer_of(address, body, appKey="demo")
        assert (answer["infcode"] == 0) is up
        if not up:
            assert answer["err_msg"].startswith("系统日终维护")
            assert (await failure(address)).reason == "DOWN"


def test_the_department_dies_with_its_parent(database: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, {str(PROGRAM)!r}, '--db', {str(database)!r},"
        " '--watch-stdin'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)\n"
        "print(child.stdout.readline().strip(), child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert parent.stdout is not None
    with parent.stdout as said:
        _, address, _pid = said.readline().split()
        assert httpx.post(f"{address}/fsi/api", trust_env=False).json()["infcode"] == -1
        parent.kill()
        assert parent.wait(timeout=5) == -9
    end = time.monotonic() + 8
    while time.monotonic() < end:
        try:
            httpx.post(f"{address}/fsi/api", trust_env=False)
        except httpx.ConnectError:
            return
        except httpx.TransportError:
            pass  # it was just closing
        time.sleep(0.05)
    pytest.fail("the department's system outlived its parent")


def test_a_missing_database_is_said_and_not_served(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--db", str(tmp_path / "none.sqlite")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "不存在" in done.stderr


Handler = Callable[[int, dict[str, Any]], Awaitable[bytes]]


@asynccontextmanager
async def faulty(handle: Handler) -> AsyncIterator[tuple[str, list[int]]]:
    """A tiny server on loopback: `handle(call number, body)` gives the whole HTTP answer."""
    calls: list[int] = []
    served: list[asyncio.Task[None]] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.create_task(serve(reader, writer)))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        calls.append(len(calls) + 1)
        with suppress(ConnectionError):  # the asker may have left
            writer.write(await handle(len(calls), body))
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", calls
    finally:
        server.close()
        await asyncio.gather(*served)


def envelope(total: int, rows: list[dict[str, str]], infcode: object = 0) -> bytes:
    return http(
        200,
        json.dumps(
            {"infcode": infcode, "err_msg": "", "output": {"total": total, "list": rows}}
        ).encode(),
    )


async def test_a_slow_answer_is_a_timeout_within_the_deadline() -> None:
    async def slow(number: int, body: dict[str, Any]) -> bytes:
        await asyncio.sleep(1)
        return envelope(0, [])

    async with faulty(slow) as (address, calls):
        begun = time.monotonic()
        error = await failure(address, guard=Guard("yb_settle", deadline_s=0.2))
        assert (error.reason, calls) == ("TIMEOUT", [1])
        assert 0.2 <= time.monotonic() - begun < 0.9


async def test_the_deadline_is_for_all_pages_together() -> None:
    async def pages(number: int, body: dict[str, Any]) -> bytes:
        await asyncio.sleep(0.25)
        return envelope(1_000, [{"certno": CALM}])

    async with faulty(pages) as (address, calls):
        assert (
            await failure(address, guard=Guard("yb_settle", deadline_s=0.9))
        ).reason == "TIMEOUT"
        assert 1 < len(calls) <= 4


async def test_a_source_that_never_comes_to_an_end_is_down() -> None:
    async def endless(number: int, body: dict[str, Any]) -> bytes:
        return envelope(10**9, [{"certno": CALM}])

    async with faulty(endless) as (address, calls):
        error = await failure(address, guard=Guard("yb_settle", deadline_s=20))
        assert (error.reason, len(calls)) == ("DOWN", 200)


async def test_one_bad_gateway_is_healed_by_one_more_try() -> None:
    async def once(number: int, body: dict[str, Any]) -> bytes:
        return http(502, b"") if number == 1 else envelope(1, [{"certno": CALM, "setl_id": "S1"}])

    async with faulty(once) as (address, calls):
        rows = await asked(address, "medical_settlement", ("settlementNo",), [CALM])
        assert (list(rows.rows), calls) == ([(CALM, None, "", "S1")], [1, 2])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (envelope(0, [], infcode=-1), "DOWN"),
        (envelope(0, [], infcode="-1"), "DOWN"),
        (envelope(0, [], infcode=None), "SCHEMA"),
        (http(200, b"<html>login</html>"), "SCHEMA"),
        (http(200, b'{"infcode": 0}'), "SCHEMA"),
        (http(200, b'{"infcode": 0, "output": {"total": 1, "list": [1]}}'), "SCHEMA"),
        (http(200, b'{"infcode": 0, "output": {"total": 1, "list": [{"id": "1"}]}}'), "SCHEMA"),
        (http(200, b'{"infcode": 0, "output": {"total": 1e999, "list": []}}'), "SCHEMA"),
        (http(200, b'{"infcode": 0, "output": {"total": NaN, "list": []}}'), "SCHEMA"),
        (http(200, '{"infcode": 0, "err_msg": "成功"}'.encode("gb18030")), "SCHEMA"),
        (http(200, b"[" * 20_000), "SCHEMA"),
        (http(200, b'"' + b"x" * (9 * 1024 * 1024) + b'"'), "DOWN"),
        (http(302, b""), "DOWN"),
        (http(500, b""), "DOWN"),
    ],
    ids=[
        "fault",
        "fault text",
        "none",
        "html",
        "hollow",
        "rows",
        "keyless",
        "endless",
        "nan",
        "gb18030",
        "deep",
        "huge",
        "moved",
        "500",
    ],
)
async def test_an_answer_that_is_none_is_no_person_without_records(
    answer: bytes, reason: str
) -> None:
    async def broken(number: int, body: dict[str, Any]) -> bytes:
        return answer

    async with faulty(broken) as (address, calls):
        assert (await failure(address)).reason == reason
        assert calls == [1]


async def test_success_written_as_text_is_success() -> None:
    async def as_text(number: int, body: dict[str, Any]) -> bytes:
        return envelope(1, [{"certno": CALM, "setl_id": "S1"}], infcode="0")

    async with faulty(as_text) as (address, _):
        rows = await asked(address, "medical_settlement", ("settlementNo",), [CALM])
        assert [row[3] for row in rows.rows] == ["S1"]


async def test_a_person_nobody_asked_about_never_leaves_the_adapter() -> None:
    async def talkative(number: int, body: dict[str, Any]) -> bytes:
        return envelope(3, [{"certno": NOBODY}, {}, {"certno": CALM, "setl_id": "S1"}])

    async with faulty(talkative) as (address, _):
        rows = await asked(address, "medical_settlement", ("settlementNo",), [CALM])
        assert list(rows.rows) == [(CALM, None, "", "S1")]


async def test_the_breaker_spares_a_source_that_keeps_failing() -> None:
    async def broken(number: int, body: dict[str, Any]) -> bytes:
        return envelope(0, [], infcode=-1)

    guard = Guard("yb_settle", breaker=Breaker(threshold=2))
    async with faulty(broken) as (address, calls):
        reasons = [(await failure(address, guard=guard)).reason for _ in range(3)]
        assert (reasons, calls) == (["DOWN", "DOWN", "BREAKER_OPEN"], [1, 2])


async def test_nobody_listening_is_down() -> None:
    error = await failure("http://127.0.0.1:9")
    assert error.reason == "DOWN"
    assert CALM not in f"{error!r}{error.extensions()!r}"


@pytest.mark.parametrize(
    "more",
    [
        {"key": None},
        {"key": "setl_id"},
        {"count": True},
        {"codes": True},
    ],
)
async def test_anything_but_a_read_by_id_number_is_refused_before_it_is_asked(
    more: dict[str, Any],
) -> None:
    async with source("http://127.0.0.1:9") as opened:
        with pytest.raises(ValueError, match=r"^yb_settle\.medical_settlement: "):
            opened.prepare(request("medical_settlement", "settlementNo", **more))


async def test_a_prepared_read_describes_itself_without_values() -> None:
    async with source("http://127.0.0.1:9") as opened:
        masks = {"hospital": Mask.HIDE}
        prepared = opened.prepare(
            request("medical_settlement", "settlementNo", "hospital", masks=masks)
        )
        assert prepared.columns == ("__key", "__grade", "__dq", "settlementNo", "hospital")
        assert prepared.describe() == (
            'POST /fsi/api {"infno": "9162", "input": {"certnos": ["≤100"], "pageNum": "$page",'
            ' "pageSize": 100}} -> certno, psn_name, setl_id, hospital'
            " (脱敏 hospital:HIDE)"
        )


# ---- styles --------------------------------------------------------------------------------------


class Labour:
    """The labour department's style: a token, id numbers between commas, texts, pages of 100."""

    def __init__(self, rows: int = 1) -> None:
        self.tokens, self.refuse, self._rows = 0, 0, rows
        self.asked: list[dict[str, Any]] = []

    async def __call__(self, asked: Asked) -> bytes:
        body = json.loads(asked.body)
        if asked.line.startswith("POST /rsrest/token "):
            self.tokens += 1
            told = {"token": f"T{self.tokens}", "expires_in": "1800"}
            return as_json({"appcode": "0", "result": told})
        assert asked.line == "POST /rsrest/ac01 HTTP/1.1"
        if self.refuse:
            self.refuse -= 1
            return as_json({"appcode": "-401", "msg": "token 已失效"})
        assert asked.headers["accesstoken"] == f"T{self.tokens}"
        self.asked.append(body)
        keys = body["params"]["aac002"].split(",")
        found = [{"aac001": str(n), "aac002": key} for n in range(self._rows) for key in keys]
        start = (body["pageNo"] - 1) * body["pageSize"]
        page = found[start : start + body["pageSize"]]
        return as_json({"appcode": "0", "result": {"total": str(len(found)), "rows": page}})


def as_json(answer: object) -> bytes:
    return http(200, json.dumps(answer, ensure_ascii=False).encode())


async def insured(served: Served, keys: list[str]) -> list[tuple[Any, ...]]:
    opened = opened_at(served.address, "rs_jiuye", key="hub:geheim")
    prepared = opened.prepare(request("employment_insurance", "personNo"))
    try:
        return list((await opened.read(prepared, Call(keys, {}))).rows)
    finally:
        await opened.close()


async def test_id_numbers_between_commas_are_asked_fifty_at_a_time_under_one_token() -> None:
    keys = [*dict.fromkeys(an_id(n) for n in range(2_000, 2_120))]
    async with serving(labour := Labour()) as served:
        rows = await insured(served, keys)
    assert [row[0] for row in rows] == keys
    asked = [body["params"]["aac002"].count(",") + 1 for body in labour.asked]
    assert (sorted(asked), labour.tokens) == ([20, 50, 50], 1)


async def test_pages_are_asked_until_the_total_is_there() -> None:
    keys = [*dict.fromkeys(an_id(n) for n in range(2_000, 2_050))]
    async with serving(labour := Labour(rows=5)) as served:
        await insured(served, keys)
    assert [(b["pageNo"], b["pageSize"]) for b in labour.asked] == [(1, 100), (2, 100), (3, 100)]


async def test_a_token_the_department_has_forgotten_is_renewed_within_the_same_read() -> None:
    async with serving(labour := Labour()) as served:
        labour.refuse = 1
        assert [row[0] for row in await insured(served, [CALM])] == [CALM]
    assert (labour.tokens, len(labour.asked)) == (2, 1)


async def test_a_department_that_refuses_every_token_is_down_after_two() -> None:
    async with serving(labour := Labour()) as served:
        labour.refuse = 99
        with pytest.raises(SourceUnavailable) as caught:
            await insured(served, [CALM])
    assert (caught.value.reason, labour.tokens, labour.asked) == ("DOWN", 2, [])


class Exchange:
    """The provincial exchange's style: one person a call, signed, a quota of the day."""

    def __init__(self, quota: int = 5_000) -> None:
        self.quota = quota
        self.people: list[str] = []

    async def __call__(self, asked: Asked) -> bytes:
        at, name = asked.headers["timestamp"], asked.headers["appkey"]
        text = name.encode() + at.encode() + asked.body
        signed = hmac.new(b"geheim", text, hashlib.sha256).hexdigest()
        assert (asked.line, name) == ("POST /exchange/hjhc HTTP/1.1", "hub")
        assert asked.headers["sign"] == signed
        if len(self.people) >= self.quota:
            return as_json({"code": "4290", "message": "当日调用次数已用完", "data": None})
        number = json.loads(asked.body)["gmsfhm"]
        self.people.append(number)
        known = [] if number == NOBODY else [{"gmsfhm": number, "hyzk": "是"}]
        return as_json({"code": "0000", "message": "", "data": known})


async def married(served: Served, keys: list[str]) -> list[tuple[Any, ...]]:
    opened = opened_at(served.address, "sj_exchange", key="hub:geheim")
    prepared = opened.prepare(request("provincial_record", "married"))
    try:
        return list((await opened.read(prepared, Call(keys, {}))).rows)
    finally:
        await opened.close()


async def test_an_interface_for_one_person_is_asked_once_a_person_each_call_signed() -> None:
    keys = [*dict.fromkeys(an_id(n) for n in range(2_000, 2_020)), NOBODY]
    async with serving(exchange := Exchange()) as served:
        rows = await married(served, keys)
    assert [(row[0], row[3]) for row in rows] == [(key, "YES") for key in keys[:-1]]
    assert sorted(exchange.people) == sorted(keys)


async def test_a_quota_that_is_used_up_is_said_and_nothing_is_half_told() -> None:
    keys = [*dict.fromkeys(an_id(n) for n in range(2_000, 2_020))]
    async with serving(exchange := Exchange(quota=5)) as served:
        with pytest.raises(SourceUnavailable) as caught:
            await married(served, keys)
    assert (caught.value.reason, len(exchange.people)) == ("QUOTA", 5)


async def test_a_wrong_secret_is_a_source_that_is_down() -> None:
    async def strict(_asked: Asked) -> bytes:
        return as_json({"code": "4010", "message": "签名错误", "data": None})

    async with serving(strict) as served:
        with pytest.raises(SourceUnavailable) as caught:
            await married(served, [CALM])
    assert (caught.value.reason, len(served.asked)) == ("DOWN", 1)
