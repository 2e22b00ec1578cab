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

import argparse
import json
import os
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from hmac import compare_digest
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

CST = timezone(timedelta(hours=8))
CLOSES, OPENS = time(23, 30), time(5, 30)
MAX_BATCH = 100  # certificate numbers a call
MAX_PAGE = 100  # rows a page
DEMO_CLOCK = "10:00"  # so that a demo answers at night, too
DEMO_KEY = "demo"
CANNOT_SUM = "--"  # how this system prints a sum it could not make

Row = dict[str, str]
Clock = Callable[[], time]


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
    """Serve until told to stop; prints ``ready http://127.0.0.1:PORT`` once it listens."""
    options = _options().parse_args(argv)
    if not options.db.is_file():
        sys.stderr.write(f"数据库 `{options.db}` 不存在：请先生成样例数据\n")
        return 2
    app = create_app(options.db, clock=_clock(options.clock), app_key=options.app_key)
    door = _door(options.port)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1
    )
    server = Announced(config)
    if options.watch_stdin:
        threading.Thread(target=_stop_at_eof, args=(server,), daemon=True).start()
    server.run(sockets=[door])
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="医保部门样例系统（全部人员均为虚构）")
    parser.add_argument("--db", type=Path, required=True, help="SQLite 数据库文件")
    parser.add_argument("--port", type=int, default=0, help="端口，0 为任意空闲端口")
    parser.add_argument("--clock", default=DEMO_CLOCK, help="本系统时钟：HH:MM、ISO 时间或 now")
    parser.add_argument("--app-key", default=DEMO_KEY, help="调用方须携带的 appKey")
    parser.add_argument("--watch-stdin", action="store_true", help="标准输入关闭时退出")
    return parser


def _door(port: int) -> socket.socket:
    # asyncio turns Nagle's delay (40 ms an answer) off only where the protocol is named.
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", port))
    return door


class Announced(uvicorn.Server):
    """A server that says on standard output when it can be asked."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets:
            sys.stdout.write(f"ready http://127.0.0.1:{sockets[0].getsockname()[1]}\n")
            sys.stdout.flush()


def _stop_at_eof(server: uvicorn.Server) -> None:
    # The parent holds our standard input: when it dies, however it dies, this read ends.
    while os.read(0, 4096):
        pass
    server.should_exit = True
    signal.alarm(5)  # a hung shutdown must not outlive its parent


def _clock(text: str) -> Clock:
    if text == "now":
        return lambda: datetime.now(CST).time()
    fixed = datetime.fromisoformat(text).time() if "-" in text else time.fromisoformat(text)
    return lambda: fixed


def is_closed(at: time) -> bool:
    """True in the nightly window 23:30-05:30."""
    return at >= CLOSES or at < OPENS


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
