"""人社就业社保系统: a made-up employment department's own system, asked service by service.

A stand-alone program; the hub knows only its address. First a token, then one door a service:

    POST /rsrest/token        {"appid": "demo", "secret": "demo"}
    -> {"appcode": "0", "msg": "", "result": {"token": "…", "expires_in": "1800"}}
    POST /rsrest/{serviceid}  {"params": {"aac002": "id,id,…"}, "pageNo": 1, "pageSize": 15}
    -> {"appcode": "0", "msg": "", "result": {"total": "3", "rows": [{…}, …]}}

Its habits, all on purpose (领域设计 2.6, source 3): every value is text, dates YYYYMMDD, numbers
too; a failure is HTTP 200 with ``appcode`` -1, a token nobody knows (any more) -401; pages of 15
unless asked, 100 at most; 50 id numbers a call; beyond five requests a second HTTP 429; it is
closed from 22:00 to 06:00. All persons in its database are invented.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time as of_day
from hmac import compare_digest
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from service import DEMO_KEY, Clock, clock, is_between, options, query, serve
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

CLOSES, OPENS = of_day(22), of_day(6)
MAX_BATCH = 50  # id numbers a call
PAGE, MAX_PAGE = 15, 100  # rows a page
TOKEN_LIFE_S = 1800
PER_SECOND = 5
OK, FAILED, NO_TOKEN = "0", "-1", "-401"

ORDERS: Mapping[str, str] = {"ac01": "aac001", "qzdj": "qzbh", "pxbm": "pxbh"}
"""Service id, which is its table, and the column its rows are told apart by."""

Row = dict[str, str]
Seconds = Callable[[], float]


class Refused(Exception):
    """The call is answered with this ``appcode`` and text."""

    def __init__(self, message: str, appcode: str = FAILED) -> None:
        super().__init__(message)
        self.appcode = appcode


@dataclass(frozen=True, slots=True)
class Ask:
    """One checked call: which service, for whom, which page."""

    service: str
    numbers: tuple[str, ...]
    page: int
    size: int


@dataclass(slots=True)
class Meter:
    """How many requests of the last second there may be."""

    most: int
    now: Seconds = time.monotonic
    seen: deque[float] = field(default_factory=deque)

    def admits(self) -> bool:
        """Whether one more is taken; one that is not does not count."""
        at = self.now()
        while self.seen and self.seen[0] <= at - 1:
            self.seen.popleft()
        if len(self.seen) >= self.most:
            return False
        self.seen.append(at)
        return True


@dataclass(slots=True)
class Tokens:
    """Who may ask, and until when; all are forgotten when the program ends."""

    app_id: str
    secret: str
    life_s: int
    now: Seconds = time.monotonic
    ends: dict[str, float] = field(default_factory=dict)

    def issue(self, app_id: object, secret: object) -> Mapping[str, str]:
        """A new token, beside those that still hold; Refused."""
        given = f"{app_id}\n{secret}".encode()
        if not compare_digest(given, f"{self.app_id}\n{self.secret}".encode()):
            raise Refused("appid 或 secret 错误")
        at = self.now()
        self.ends = {token: end for token, end in self.ends.items() if end > at}
        token = token_urlsafe(24)
        self.ends[token] = at + self.life_s
        return {"token": token, "expires_in": str(self.life_s)}

    def check(self, token: str) -> None:
        """Refused -401 for a token that is unknown or over."""
        if self.ends.get(token, 0) <= self.now():
            raise Refused("accesstoken 无效或已过期", NO_TOKEN)


def main(argv: Sequence[str] | None = None) -> int:
    """The program."""
    parser = options("人社部门样例系统", hours=True)
    parser.add_argument("--app-id", default=DEMO_KEY, help="调用方的 appid")
    parser.add_argument("--secret", default=DEMO_KEY, help="调用方的 secret")
    parser.add_argument("--token-life", type=int, default=TOKEN_LIFE_S, help="令牌有效秒数")
    parser.add_argument("--per-second", type=int, default=PER_SECOND, help="每秒请求数上限")
    given = parser.parse_args(argv)
    tokens = Tokens(given.app_id, given.secret, given.token_life)
    app = create_app(
        given.db, clock=clock(given.clock), tokens=tokens, meter=Meter(given.per_second)
    )
    return serve(app, db=given.db, port=given.port, watch_stdin=given.watch_stdin)


def create_app(db: Path, *, clock: Clock, tokens: Tokens, meter: Meter) -> Starlette:
    """The department's system over one read-only SQLite file."""

    async def token(request: Request) -> JSONResponse:
        asked = _parsed(await request.body())
        return _answer(result=tokens.issue(asked.get("appid"), asked.get("secret")))

    async def service(request: Request) -> JSONResponse:
        tokens.check(request.headers.get("accesstoken", ""))
        ask = checked(request.path_params["serviceid"], await request.body())
        return _answer(result=await run_in_threadpool(look_up, db, ask))

    def door(inside: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def answered(request: Request) -> JSONResponse:
            if not meter.admits():
                return JSONResponse({"msg": "请求过于频繁"}, 429, {"Retry-After": "1"})
            try:
                if is_between(clock(), CLOSES, OPENS):
                    raise Refused("系统维护，22:00 至 06:00 暂停服务")
                answer: JSONResponse = await inside(request)
            except Refused as refusal:
                return _answer(refusal.appcode, str(refusal))
            return answer

        return answered

    return Starlette(
        routes=[
            Route("/rsrest/token", door(token), methods=["POST"]),
            Route("/rsrest/{serviceid}", door(service), methods=["POST"]),
        ]
    )


def _answer(appcode: str = OK, message: str = "", result: object = None) -> JSONResponse:
    return JSONResponse({"appcode": appcode, "msg": message, "result": result})


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("报文格式错误") from None
    if not isinstance(found, dict):
        raise Refused("报文格式错误")
    return found


def checked(service: str, body: bytes) -> Ask:
    """The call as a value; Refused for anything this service does not take."""
    if service not in ORDERS:
        raise Refused("服务编号不存在")
    call = _parsed(body)
    try:
        numbers = call["params"]["aac002"].split(",")
        page, size = int(call.get("pageNo", 1)), int(call.get("pageSize", PAGE))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused("报文格式错误") from None
    if not all(numbers) or len(numbers) > MAX_BATCH:
        raise Refused(f"aac002 须为 1 至 {MAX_BATCH} 个证件号码，以逗号分隔")
    if page < 1 or not 1 <= size <= MAX_PAGE:
        raise Refused(f"pageNo 从 1 开始，pageSize 不超过 {MAX_PAGE}")
    return Ask(service, tuple(numbers), page, size)


def look_up(db: Path, ask: Ask) -> Mapping[str, Any]:
    """One page of what the service finds for these id numbers; every value a text."""
    table = ask.service  # one of ORDERS
    try:
        rows = query(
            db,
            f"SELECT * FROM {table} WHERE aac002 IN (SELECT value FROM json_each(?))"  # noqa: S608
            f" ORDER BY aac002, {ORDERS[table]}",
            json.dumps(ask.numbers),
        )
    except sqlite3.Error:
        raise Refused("数据库访问失败") from None
    start = (ask.page - 1) * ask.size
    page = [_texts(row) for row in rows[start : start + ask.size]]
    return {"total": str(len(rows)), "rows": page}


def _texts(row: Mapping[str, Any]) -> Row:
    return {name: "" if value is None else str(value) for name, value in row.items()}


if __name__ == "__main__":
    raise SystemExit(main())
