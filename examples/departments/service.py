"""What the departments' made-up systems have in common: one loopback door, one file, one clock.

    python employment.py --db rs_jiuye.sqlite   ->   ready http://127.0.0.1:PORT

A program says on standard output when it can be asked. Started with ``--watch-stdin`` it ends
with whoever holds its standard input, however that one ends. The file is opened read-only.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import uvicorn

CST = timezone(timedelta(hours=8))
DEMO_CLOCK = "10:00"  # so that a demo answers at night, too
DEMO_KEY = "demo"
NO_DATABASE = 2  # exit code

App = Callable[..., Any]
Clock = Callable[[], time]


def options(description: str, *, hours: bool = False) -> argparse.ArgumentParser:
    """What every program takes; ``--clock`` only where the system has opening `hours`."""
    parser = argparse.ArgumentParser(description=f"{description}（全部人员均为虚构）")
    parser.add_argument("--db", type=Path, required=True, help="SQLite 数据库文件")
    parser.add_argument("--port", type=int, default=0, help="端口，0 为任意空闲端口")
    parser.add_argument("--watch-stdin", action="store_true", help="标准输入关闭时退出")
    if hours:
        about = "本系统时钟：HH:MM、ISO 时间或 now"
        parser.add_argument("--clock", default=DEMO_CLOCK, help=about)
    return parser


def clock(text: str) -> Clock:
    """The system's own clock: always the time given, or for ``now`` that of Beijing."""
    if text == "now":
        return lambda: datetime.now(CST).time()
    fixed = datetime.fromisoformat(text).time() if "-" in text else time.fromisoformat(text)
    return lambda: fixed


def query(db: Path, statement: str, *values: object) -> list[dict[str, Any]]:
    """All rows of one SELECT, by column name; sqlite3.Error."""
    with closing(sqlite3.connect(f"{db.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement, values)]


def serve(app: App, *, db: Path, port: int, watch_stdin: bool) -> int:
    """Serve until told to stop; prints ``ready http://127.0.0.1:PORT`` once it listens."""
    if not db.is_file():
        sys.stderr.write(f"数据库 `{db}` 不存在：请先生成样例数据\n")
        return NO_DATABASE
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = Announced(config)
    if watch_stdin:
        threading.Thread(target=_stop_at_eof, args=(server,), daemon=True).start()
    server.run(sockets=[_door(port)])
    return 0


class Announced(uvicorn.Server):
    """A server that says on standard output when it can be asked."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets:
            sys.stdout.write(f"ready http://127.0.0.1:{sockets[0].getsockname()[1]}\n")
            sys.stdout.flush()


def _door(port: int) -> socket.socket:
    # asyncio turns Nagle's delay (40 ms an answer) off only where the protocol is named.
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", port))
    return door


def _stop_at_eof(server: uvicorn.Server) -> None:
    # The parent holds our standard input: when it dies, however it dies, this read ends.
    while os.read(0, 4096):
        pass
    server.should_exit = True
    signal.alarm(5)  # a hung shutdown must not outlive its parent


def is_between(at: time, closes: time, opens: time) -> bool:
    """True in a nightly window from `closes`, through midnight, until just before `opens`."""
    return at >= closes or at < opens
