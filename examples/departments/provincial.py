"""省级共享交换平台: a made-up provincial exchange that answers for one person a call.

A stand-alone program; the hub knows only its address. One door, signed:

    POST /exchange/hjhc  {"gmsfhm": "…"}
        appKey: demo   timestamp: 1793491200000 (ms since 1970)
        sign: hexadecimal HMAC-SHA256(secret, appKey + timestamp + body)
    -> {"code": "0000", "message": "", "data": [ {…} or nothing ]}

Its habits, all on purpose (领域设计 2.6, source 9): yes/no answers and no more; a failure is HTTP
200 with another ``code``: 4010 a wrong signature, or a time more than five minutes from its own,
4290 the day's calls are used up, 4000 a call it does not understand; each answer takes its time.
All persons in its database are invented.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from service import CST, DEMO_KEY, options, query, serve
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

SERVICE = "hjhc"  # 户籍核查
QUOTA = 5_000  # calls a day
DELAY_S = 0.4
SKEW_MS = 5 * 60 * 1000
OK, MISTAKEN, NOT_SIGNED, USED_UP, BROKEN = "0000", "4000", "4010", "4290", "5000"

Seconds = Callable[[], float]


class Refused(Exception):
    """The call is answered with this ``code`` and text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Signer:
    """The one caller and its secret; `now` in seconds since the epoch."""

    app_key: str
    secret: str
    now: Seconds = time.time

    def sign(self, timestamp: str, body: bytes) -> str:
        """The hexadecimal signature of a body at a time (milliseconds since the epoch)."""
        message = f"{self.app_key}{timestamp}".encode() + body
        return hmac.new(self.secret.encode(), message, "sha256").hexdigest()

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """Refused 4010 unless the caller signed this body within five minutes of now."""
        timestamp = headers.get("timestamp", "")
        # Headers may hold letters of Latin-1, which a comparison of texts does not take.
        app_key, sign = (headers.get(name, "").encode() for name in ("appkey", "sign"))
        known = hmac.compare_digest(app_key, self.app_key.encode())
        signed = hmac.compare_digest(sign, self.sign(timestamp, body).encode())
        if not (known and signed):
            raise Refused(NOT_SIGNED, "签名错误")
        if not timestamp.isascii() or not timestamp.isdigit():
            raise Refused(NOT_SIGNED, "timestamp 须为毫秒数")
        if abs(int(timestamp) - int(self.now() * 1000)) > SKEW_MS:
            raise Refused(NOT_SIGNED, "timestamp 与平台时间相差超过五分钟")


@dataclass(slots=True)
class Quota:
    """How many calls of a day of Beijing are answered; `now` in seconds since the epoch."""

    most: int
    now: Seconds = time.time
    day: date | None = None
    used: int = 0

    def take(self) -> None:
        """Count one call; Refused 4290 once the day's calls are used up."""
        today = datetime.fromtimestamp(self.now(), CST).date()
        if today != self.day:
            self.day, self.used = today, 0
        if self.used >= self.most:
            raise Refused(USED_UP, f"当日调用次数已达 {self.most} 次")
        self.used += 1


def main(argv: Sequence[str] | None = None) -> int:
    """The program."""
    parser = options("省级共享交换平台样例系统")
    parser.add_argument("--app-key", default=DEMO_KEY, help="调用方的 appKey")
    parser.add_argument("--secret", default=DEMO_KEY, help="调用方的签名密钥")
    parser.add_argument("--quota", type=int, default=QUOTA, help="每日调用次数")
    parser.add_argument("--delay", type=float, default=DELAY_S, help="每次应答前的秒数")
    given = parser.parse_args(argv)
    signer = Signer(given.app_key, given.secret)
    app = create_app(given.db, signer=signer, quota=Quota(given.quota), delay_s=given.delay)
    return serve(app, db=given.db, port=given.port, watch_stdin=given.watch_stdin)


def create_app(db: Path, *, signer: Signer, quota: Quota, delay_s: float) -> Starlette:
    """The exchange over one read-only SQLite file."""

    async def door(request: Request) -> JSONResponse:
        body = await request.body()
        await asyncio.sleep(delay_s)
        try:
            signer.check(request.headers, body)
            quota.take()
            number = checked(request.path_params["serviceid"], body)
            return _answer(OK, "", await run_in_threadpool(look_up, db, number))
        except Refused as refusal:
            return _answer(refusal.code, str(refusal), [])

    return Starlette(routes=[Route("/exchange/{serviceid}", door, methods=["POST"])])


def _answer(code: str, message: str, data: object) -> JSONResponse:
    return JSONResponse({"code": code, "message": message, "data": data})


def checked(service: str, body: bytes) -> str:
    """The one id number asked for; Refused 4000."""
    if service != SERVICE:
        raise Refused(MISTAKEN, "服务编号不存在")
    try:
        number = json.loads(body)["gmsfhm"]
    except (ValueError, KeyError, TypeError, RecursionError):
        number = None
    if not isinstance(number, str) or not number or "," in number:
        raise Refused(MISTAKEN, "每次须为一个公民身份号码")
    return number


def look_up(db: Path, number: str) -> list[dict[str, Any]]:
    """The person's one row, or none."""
    asked = "SELECT * FROM hjhc WHERE gmsfhm = ? ORDER BY rowid LIMIT 1"
    try:
        return query(db, asked, number)
    except sqlite3.Error:
        raise Refused(BROKEN, "数据库访问失败") from None


if __name__ == "__main__":
    raise SystemExit(main())
