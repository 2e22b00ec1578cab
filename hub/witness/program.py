"""``hub-witness``: run by another office, so that the log has a witness it does not own."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click

from audit.note import base64_of
from audit.witness import Evidence
from catalog.errors import Readable
from hub.cli.say import FAILED, JSON, OPERATOR, as_json, stop
from hub.witness import keys as key_files
from hub.witness import record

PORT = 8533
ZONE = timezone(timedelta(hours=8), "Asia/Shanghai")


def _option(flag: str, default: object, help_text: str, **more: Any) -> Callable[..., Any]:
    """An option that ``WITNESS_…`` in the environment may give as well."""
    variable = f"WITNESS_{flag.removeprefix('--').upper()}"
    return click.option(
        flag, default=default, show_default=True, envvar=variable, help=help_text, **more
    )


_FILE = click.Path(path_type=Path, dir_okay=False)
STATE = _option("--file", Path("witness.sqlite"), "见证记录文件（SQLite）", type=_FILE)
KEY = _option("--key", Path("witness.key"), "见证密钥文件，每行“名称 密钥”", type=_FILE)
LOGS = _option("--logs", Path("logs.txt"), "所见证日志的公钥，每行一个 vkey", type=_FILE)
HOST = _option("--host", "127.0.0.1", "监听地址")
LISTEN = _option("--port", PORT, "监听端口", type=click.IntRange(0, 65_535))
CREATE = click.option("--create", is_flag=True, help="首次使用：建立尚不存在的文件")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """访问日志的外部见证：由另一机关运行，只为前后一致的检查点签名。"""


@cli.command(help="启动见证服务。记录文件遗失后不得重新建立，否则见证等于从未见过。")
@STATE
@KEY
@LOGS
@HOST
@LISTEN
@CREATE
def serve(file: Path, key: Path, logs: Path, host: str, port: int, create: bool) -> None:
    """Check the files, then listen."""
    from hub import server
    from hub.telemetry import logs as program_log
    from hub.witness.service import create_app

    program_log.configure("INFO")
    cosigners, known = key_files.cosigners(key), key_files.logs(logs)
    if create:
        record.make(file)
    record.check(file)
    app = create_app(record.Record(file, cosigners), known)
    with contextlib.suppress(KeyboardInterrupt):  # the usual end in a terminal
        server.serve(app, host, port)


@cli.command(help="各日志最新的检查点与异常证据：0 无异常，1 有日志自相矛盾的证据。")
@STATE
@JSON
def status(file: Path, json_: bool) -> None:
    """What the witness has signed, and what it has kept against a log."""
    held, pieces = record.held(file), record.evidence(file)
    if json_:
        as_json({"logs": [_log(one) for one in held], "evidence": [_piece(p) for p in pieces]})
    else:
        for one in held:
            click.echo(_line(one))
        for origin, kind, count in _counts(pieces):
            click.echo(_found(origin, kind, count))
        if not held and not pieces:
            click.echo("尚未为任何日志签名")
    forked = any(piece.kind is Evidence.FORK for piece in pieces)
    raise SystemExit(FAILED if forked else 0)


@cli.command(help="打印本见证的公钥（vkey），交给日志一方填入 witness.keys。")
@KEY
@click.option("--name", envvar="WITNESS_NAME", help="新密钥的名称，如 audit.example.cn/w1")
@CREATE
def keys(key: Path, name: str | None, create: bool) -> None:
    """Print the public keys; make the first."""
    if create:
        if name is None:
            raise click.UsageError("--create 需要 --name")
        key_files.make_key(key, name)
    for vkey in key_files.vkeys(key_files.cosigners(key)):
        click.echo(vkey)


def _log(one: record.Held) -> dict[str, object]:
    return {
        "origin": one.origin,
        "size": one.size,
        "root": base64_of(one.root),
        "at": one.at,
        "ageSeconds": max(0, int(time.time()) - one.at),
        "note": one.note,
    }


def _piece(piece: record.Piece) -> dict[str, object]:
    return {
        "origin": piece.origin,
        "kind": piece.kind,
        "size": piece.size,
        "root": base64_of(piece.root),
        "at": piece.at,
        "request": piece.request,
        "beside": piece.beside,
    }


def _line(one: record.Held) -> str:
    when = datetime.fromtimestamp(one.at, ZONE).strftime("%Y-%m-%d %H:%M:%S")
    return f"{one.origin}：{one.size} 条记录，根 {base64_of(one.root)[:16]}…，签名于 {when}"


def _counts(pieces: list[record.Piece]) -> list[tuple[str, Evidence, int]]:
    counted = Counter((piece.origin, piece.kind) for piece in pieces)
    return [(origin, kind, count) for (origin, kind), count in sorted(counted.items())]


def _found(origin: str, kind: Evidence, count: int) -> str:
    if kind is Evidence.FORK:
        return f"{origin}：日志自相矛盾的证据 {count} 件（同样大小、不同的根）：请保存文件并通报"
    return f"{origin}：证明不成立的检查点 {count} 件：请向日志一方查问"


def main() -> None:
    """The console script. What is missing or unfit is one line, not a trace."""
    try:
        cli(prog_name="hub-witness")
    except Readable as error:
        stop(str(error), OPERATOR)
