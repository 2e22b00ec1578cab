"""``hub audit archive``, ``restore``, ``retention``: the log's lower part in files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.archive import Archive, ArchiveError, Due, Plan
from audit.log import AuditLog
from audit.note import VerifierKey
from audit.record import Draft, Kind, Op
from audit.restore import RestoreError, restore
from audit.segments import (
    ARCHIVED,
    DESTROYED,
    DETACHED,
    WRITTEN,
    ArchiveVerdict,
    Row,
    SegmentFinding,
    rows_of,
    verify_archive,
)
from audit.verify import Exit
from catalog.errors import AuditUnavailable
from hub.cli.audit import CANNOT_READ, audit
from hub.cli.chosen import DIR, chosen
from hub.cli.say import FAILED, JSON, OPERATOR, USAGE, as_json, stop
from hub.keys import signing_keys
from hub.settings import Settings
from hub.signing import log_id, process_writer
from store.accounts import principal
from store.audit import audit_head
from store.engine import open_engine

T = TypeVar("T")

_STATE = {WRITTEN: "已写入", ARCHIVED: "已归档", DETACHED: "已移出", DESTROYED: "已销毁"}
_FAULT = {
    "MISSING": "缺失",
    "UNREADABLE": "无法解压",
    "CONTENT": "记录与签署的不符",
    "RECOMPRESSED": "重新压缩过，记录完好",
    "RENAMED": "文件名与内容不符",
    "MANIFEST": "清单有误",
    "NOTE": "检查点有误",
    "TABLE": "分段表与文件不符",
}
_WHY = {
    "BUSY": "另一个归档程序正在运行：请等它结束",
    "UNSIGNED": "记录与签署的检查点不符：请先运行 hub audit verify",
    "GAP": "数据库中缺少记录：请先运行 hub audit verify",
    "TABLE": "分段表不连续：请先运行 hub audit archive --check",
    "SEGMENT": "归档文件与当时不符：请留存它作为证据并移开，从第二个目录取回或再次运行归档",
    "MANIFEST": "归档清单无法读取：请从第二个目录取回",
    "CHANGED": "记录与归档时不符：请先运行 hub audit verify",
    "STATE": "另一个程序改动了此分段：请再次运行",
    "NOT_DUE": "没有到期的这一分段：到期的分段见 hub audit retention",
    "APPROVERS": "办理人与批准人须是不同的两个账号",
    "ONLINE": "记录尚未全部移出数据库：请先运行 hub audit archive",
}


@audit.command(help="把到期的旧记录归档为文件，逐步核验后移出数据库；可随时中断，再次运行即继续。")
@click.option("--check", "check_", is_flag=True, help="只核验归档，不归档")
@DIR
@JSON
def archive(folder: Path | None, check_: bool, json_: bool) -> None:
    """Take every segment as far as it may go, or judge what is there."""
    settings, _ = chosen(folder)
    if check_:
        _check(settings, json_)
        return
    done: list[tuple[str, Row]] = []
    rows = _run(settings, lambda one: one.run(), lambda deed, row: done.append((deed, row)))
    if json_:
        as_json([{"first": r.first, "end": r.end, "state": r.state, "path": r.path} for r in rows])
        return
    for deed, row in done:
        if deed in _STATE:
            click.echo(f"{_span(row)}：{_STATE[deed]}")
    ends = [row.end for row in rows]
    click.echo(f"共 {len(rows)} 个分段，至第 {max(ends, default=0)} 条")


@audit.command("restore", help="把一个归档分段核验后装入单独的 SQLite 文件，供查找；不进入数据库。")
@click.argument("first", type=int)
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="新文件的路径",
)
@DIR
def bring_back(first: int, target: Path, folder: Path | None) -> None:
    """FIRST is the segment's first record."""
    settings, _ = chosen(folder)
    try:
        manifest = restore(
            settings.audit_archive_dir, first, target, keys=_keys(settings, log_id(settings))
        )
    except RestoreError as error:
        if error.reason == "SEGMENT":
            stop("\n".join(map(_named, error.findings)), FAILED)
        said = {
            "EXISTS": f"文件 {target} 已存在：请换一个名称",
            "NO_SEGMENT": f"归档中没有从第 {first} 条开始的分段",
        }
        stop(said[error.reason], USAGE)
    except OSError:
        stop("归档目录不可读，或目标文件不可写：请检查权限与磁盘", OPERATOR)
    click.echo(f"第 {manifest.first} 至 {manifest.end - 1} 条已装入 {target}")


@audit.command(help="列出保存期满的分段；加 --destroy 时由两人批准销毁其中一段。")
@click.option("--destroy", "first", type=int, help="要销毁的分段的第一条记录")
@click.option("--by", help="办理人的账号")
@click.option("--approved-by", help="批准人的账号，须是另一人")
@DIR
@JSON
def retention(
    folder: Path | None, first: int | None, by: str | None, approved_by: str | None, json_: bool
) -> None:
    """What has reached the end of its time; or the end of one segment."""
    settings, _ = chosen(folder)
    if first is None:
        _list(_run(settings, lambda one: one.due()), json_)
        return
    if not by or not approved_by or by == approved_by:
        stop(_WHY["APPROVERS"], USAGE)
    row = _run(settings, lambda one: one.destroy(first, (by, approved_by)), known=(by, approved_by))
    click.echo(f"{_span(row)}：{_STATE[row.state]}")


def _list(due: Sequence[Due], json_: bool) -> None:
    if json_:
        as_json([{"first": d.row.first, "end": d.row.end, "lastAt": d.last_ts} for d in due])
    elif not due:
        click.echo("没有保存期满的分段")
    else:
        for one in due:
            last = datetime.fromtimestamp(one.last_ts / 1e6, UTC).date()
            click.echo(f"{_span(one.row)}：最后一条记于 {last}，保存期已满")


def _check(settings: Settings, json_: bool) -> None:
    verdict = archived(settings)
    if json_:
        as_json(told(verdict))
    else:
        for line in lines(verdict):
            click.echo(line)
    raise SystemExit(int(Exit.TAMPERED if verdict.findings else Exit.INTACT))


def archived(settings: Settings) -> ArchiveVerdict:
    """Every segment judged, and compared with what the store says of it."""
    try:
        return asyncio.run(_judged(settings))
    except (SQLAlchemyError, OSError):
        stop("归档目录或数据库无法读取：请检查 audit.archive_dir 与 store.url", CANNOT_READ)


def lines(verdict: ArchiveVerdict) -> Iterator[str]:
    """The verdict in words."""
    yield from map(_named, verdict.findings)
    for name in verdict.unfinished:
        yield f"{name}：尚未完成，请再次运行 hub audit archive"
    said = "完好" if not verdict.findings else "有误" if not verdict.intact else "记录完好"
    yield f"归档{said}：{verdict.segments} 个分段，{verdict.records} 条记录已逐条核验"


def told(verdict: ArchiveVerdict) -> dict[str, object]:
    """The verdict for programs."""
    return {
        "intact": verdict.intact,
        "segments": verdict.segments,
        "records": verdict.records,
        "end": verdict.end,
        "findings": [
            {"first": f.first, "end": f.end, "name": f.name, "fault": f.fault, "intact": f.intact}
            for f in verdict.findings
        ],
        "destroyed": [{"first": first, "end": end} for first, end in verdict.destroyed],
        "unfinished": list(verdict.unfinished),
    }


async def _judged(settings: Settings) -> ArchiveVerdict:
    engine = open_engine(settings.store_url, pool_size=1, readonly=True)
    try:
        async with engine.connect() as connection:
            rows = await rows_of(connection)
    finally:
        await engine.dispose()
    if not rows and not settings.audit_archive_dir.exists():
        return ArchiveVerdict((), 0, 0, 0, None)
    return verify_archive(
        settings.audit_archive_dir, keys=_keys(settings, log_id(settings)), rows=rows
    )


def _run(
    settings: Settings,
    deed: Callable[[Archive], Coroutine[None, None, T]],
    told: Callable[[str, Row], None] = lambda _deed, _row: None,
    known: Sequence[str] = (),
) -> T:
    """Do `deed` with the archive of these settings; every failure is one line."""
    try:
        return asyncio.run(_done(settings, deed, told, known))
    except ArchiveError as error:
        code = USAGE if error.reason in ("NOT_DUE", "APPROVERS") else OPERATOR
        stop(f"第 {error.first} 至 {error.end - 1} 条：{_WHY[error.reason]}", code)
    except AuditUnavailable:
        stop("归档记录无法写入日志：请检查数据库，再次运行即继续", OPERATOR)
    except SQLAlchemyError:
        stop("数据库无法读写：请检查 store.url，再次运行即继续", OPERATOR)
    except OSError as error:
        stop(f"归档文件无法读写（{error.strerror}）：请检查磁盘与权限，再次运行即继续", OPERATOR)


async def _done(
    settings: Settings,
    deed: Callable[[Archive], Coroutine[None, None, T]],
    told: Callable[[str, Row], None],
    known: Sequence[str],
) -> T:
    engine = open_engine(settings.store_url)
    try:
        await _are_known(engine, known)
        plan = Plan(
            settings.audit_archive_dir,
            settings.audit_copy_dir,
            settings.audit_segment,
            settings.audit_online_months,
            settings.audit_retention_months,
        )
        one = Archive(
            engine,
            plan,
            lambda: _log(engine, settings),
            keys=_keys(settings, log_id(settings)),
            told=told,
            sleep=asyncio.sleep,
        )
        return await deed(one)
    finally:
        await engine.dispose()


async def _are_known(engine: AsyncEngine, names: Sequence[str]) -> None:
    active = select(principal.c.id).where(principal.c.id.in_(names), principal.c.state == "active")
    async with engine.connect() as connection:
        found = set(await connection.scalars(active)) if names else set()
    for name in names:
        if name not in found:
            stop(f"没有在用的账号 `{name}`", USAGE)


@contextlib.asynccontextmanager
async def _log(engine: AsyncEngine, settings: Settings) -> AsyncIterator[AuditLog]:
    """The store's own log, open for the archive's records."""
    async with engine.connect() as connection:
        head = (await connection.execute(select(audit_head.c.log, audit_head.c.suite))).one()
    log = AuditLog(
        engine, process_writer(), head.log, wait_s=settings.audit_wait_s, suite=head.suite
    )
    await log.start(Draft(Kind.HUB_START, op=Op("Archive", type="archive")))
    try:
        yield log
    finally:
        await log.stop()


def _keys(settings: Settings, log: str) -> Sequence[VerifierKey]:
    """The log's keys, old ones too: what a segment's checkpoint may be signed with."""
    return [one.key for one in signing_keys(settings.keys_dir).published(log)]


def _span(row: Row) -> str:
    return f"第 {row.first} 至 {row.end - 1} 条"


def _named(one: SegmentFinding) -> str:
    return f"{one.name}（第 {one.first} 至 {one.end - 1} 条）：{one.fault} {_FAULT[one.fault]}"
