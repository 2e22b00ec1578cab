"""医保结算系统: a made-up medical-insurance department's own system, in national interface style.

A stand-alone program; the hub knows only its address. One door, ``POST /fsi/api``:

    {"infno": "9162", "input": {"certnos": […], "pageNum": 1, "pageSize": 100}}
    -> {"infcode": 0, "err_msg": "", "output": {"pageNum": 1, "pageSize": 100, "total": 3,
                                                 "list": [{…}, …]}}

Its habits, all on purpose (领域设计 2.6, source 7): every value is text, also amounts; refunds
are negative rows; a failure is HTTP 200 with ``infcode`` -1; it is closed from 23:30 to 05:30.
The interface numbers are invented. All persons in its database are invented.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from decimal import Decimal, InvalidOperation
from hmac import compare_digest
from pathlib import Path
from typing import Any

from service import DEMO_KEY, Clock, clock, is_between, options, serve
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

CLOSES, OPENS = time(23, 30), time(5, 30)
MAX_BATCH = 100  # certificate numbers a call
MAX_PAGE = 100  # rows a page
CANNOT_SUM = "--"  # how this system prints a sum it could not make

Row = dict[str, str]


class Refused(Exception):
    """The call is answered with ``infcode`` -1 and this text."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One checked call: which interface, for whom, which page."""

    infno: str
    certnos: tuple[str, ...]
    page: int
    size: int


def main(argv: Sequence[str] | None = None) -> int:
    """The program."""
    parser = options("医保部门样例系统", hours=True)
    parser.add_argument("--app-key", default=DEMO_KEY, help="调用方须携带的 appKey")
    given = parser.parse_args(argv)
    app = create_app(given.db, clock=clock(given.clock), app_key=given.app_key)
    return serve(app, db=given.db, port=given.port, watch_stdin=given.watch_stdin)


def is_closed(at: time) -> bool:
    """True in the nightly window 23:30-05:30."""
    return is_between(at, CLOSES, OPENS)


def create_app(db: Path, *, clock: Clock, app_key: str) -> Starlette:
    """The department's system over one read-only SQLite file."""

    async def door(request: Request) -> JSONResponse:
        try:
            if not compare_digest(request.headers.get("appkey", "").encode(), app_key.encode()):
                raise Refused("appKey 无效")
            if is_closed(clock()):
                raise Refused("系统日终维护，23:30 至 05:30 暂停服务")
            ask = checked(await request.body())
            return _answer(0, "", await run_in_threadpool(look_up, db, ask))
        except Refused as refusal:
            return _answer(-1, str(refusal), None)

    return Starlette(routes=[Route("/fsi/api", door, methods=["POST"])])


def _answer(infcode: int, message: str, output: object) -> JSONResponse:
    return JSONResponse({"infcode": infcode, "err_msg": message, "output": output})


def checked(body: bytes) -> Ask:
    """The call as a value; Refused for anything this interface does not take."""
    try:
        call = json.loads(body)
        given = call["input"]
        infno, certnos = call["infno"], given["certnos"]
        page, size = int(given.get("pageNum", 1)), int(given.get("pageSize", MAX_PAGE))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Refused("报文格式错误") from None
    if infno not in INTERFACES:
        raise Refused("交易编号不存在")
    if not isinstance(certnos, list) or not all(isinstance(c, str) for c in certnos):
        raise Refused("certnos 须为文本数组")
    if not 1 <= len(certnos) <= MAX_BATCH:
        raise Refused(f"每次须为 1 至 {MAX_BATCH} 个证件号码")
    if page < 1 or not 1 <= size <= MAX_PAGE:
        raise Refused(f"pageNum 从 1 开始，pageSize 不超过 {MAX_PAGE}")
    return Ask(infno, tuple(certnos), page, size)


def look_up(db: Path, ask: Ask) -> Mapping[str, Any]:
    """One page of what the interface finds for these certificate numbers."""
    connection = sqlite3.connect(f"{db.resolve().as_uri()}?mode=ro", uri=True)
    try:
        connection.row_factory = sqlite3.Row
        rows = INTERFACES[ask.infno](connection, json.dumps(ask.certnos))
    except sqlite3.Error:
        raise Refused("数据库访问失败") from None
    finally:
        connection.close()
    start = (ask.page - 1) * ask.size
    page = rows[start : start + ask.size]
    return {"pageNum": ask.page, "pageSize": ask.size, "total": len(rows), "list": page}


def enrolments(connection: sqlite3.Connection, certnos: str) -> list[Row]:
    """9161 参保登记, one row a person and year."""
    found = connection.execute(
        "SELECT psn_no, psn_name, certno, psn_cert_type, insutype, insu_admdvs, year, paid_date,"
        " state FROM enrolment WHERE certno IN (SELECT value FROM json_each(?))"
        " ORDER BY certno, year DESC, insutype",
        (certnos,),
    )
    return [dict(row) for row in found]


def settlements(connection: sqlite3.Connection, certnos: str) -> list[Row]:
    """9162 结算明细, refunds as negative rows of their own."""
    found = connection.execute(
        "SELECT setl_id, mdtrt_id, psn_no, psn_name, certno, setl_time, med_type, hospital,"
        " offsite, refund, medfee_sumamt, fulamt_ownpay_amt, overlmt_selfpay, preselfpay_amt,"
        " inscp_scp_amt, hifp_pay, hifmi_pay, maf_pay, fund_pay_sumamt, psn_part_amt"
        " FROM settlement WHERE certno IN (SELECT value FROM json_each(?))"
        " ORDER BY certno, setl_time DESC, setl_id DESC",
        (certnos,),
    )
    return [dict(row) for row in found]


def self_pay(connection: sqlite3.Connection, certnos: str) -> list[Row]:
    """9163 年度合规自付, one row a person and year of settlement, net of refunds."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in settlements(connection, certnos):
        groups.setdefault((row["certno"], row["setl_time"][:4]), []).append(row)
    return [
        {
            "certno": certno,
            "psn_name": rows[0]["psn_name"],
            "year": year,
            "inscp_selfpay_amt": _in_scope(rows),
            "setl_cnt": str(len(rows)),
        }
        for (certno, year), rows in sorted(groups.items(), key=lambda group: group[0])
    ]


def _in_scope(rows: Iterable[Row]) -> str:
    # 领域设计 1.15: psn_part_amt − fulamt_ownpay_amt − overlmt_selfpay; refunds are negative.
    try:
        total = sum(
            (
                Decimal(row["psn_part_amt"])
                - Decimal(row["fulamt_ownpay_amt"])
                - Decimal(row["overlmt_selfpay"])
                for row in rows
            ),
            Decimal("0.00"),
        )
    except (InvalidOperation, TypeError):
        return CANNOT_SUM
    return f"{total:.2f}"


INTERFACES: Mapping[str, Callable[[sqlite3.Connection, str], list[Row]]] = {
    "9161": enrolments,
    "9162": settlements,
    "9163": self_pay,
}


if __name__ == "__main__":
    raise SystemExit(main())
