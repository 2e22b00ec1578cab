"""``hub audit export``: a range of the log for somebody outside, approved and recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from audit import export as exports
from audit.log import AuditLog
from audit.record import is_code
from catalog.errors import AuditUnavailable
from hub.cli.audit import CANNOT_READ, audit
from hub.cli.audit.verify import VKEY, given
from hub.cli.chosen import DIR, chosen
from hub.cli.say import JSON, OPERATOR, USAGE, Progress, as_json, stop
from hub.settings import Settings

_REFUSED = {
    "reason, by and approved-by are needed": "须给出理由、申请账号与批准账号",
    "nobody approves for himself": "申请人不能自己批准",
    "the second approver is a third account": "第二批准人须是另一个账号",
}


@audit.command(help="导出一段日志：批准与留痕之后写入文件夹；JSONL 附核验程序。")
@click.option(
    "--format", "format_", type=click.Choice(list(exports.FORMATS)), required=True, help="格式"
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="写入的文件夹，须尚不存在"
)
@click.option("--from", "first", type=click.IntRange(0), default=0, help="首条序号，默认 0")
@click.option("--to", "end", type=click.IntRange(1), help="末条序号加一；不给则到最后一个检查点")
@click.option("--reason", required=True, help="理由代码")
@click.option("--by", "by", required=True, help="申请并接收的账号")
@click.option("--approved-by", required=True, help="批准的账号")
@click.option("--second", default="", help="第二批准账号，超过 500 条时须有")
@VKEY
@DIR
@JSON
def export(
    format_: str,
    out: Path,
    first: int,
    end: int | None,
    reason: str,
    by: str,
    approved_by: str,
    second: str,
    vkey: Path | None,
    folder: Path | None,
    json_: bool,
) -> None:
    """0 written, 2 not approved or no such range, 3 cannot be read or recorded."""
    settings, _ = chosen(folder)
    if not all(is_code(word) for word in (reason, by, approved_by, second or "-")):
        stop("理由与账号须是代码：不含空格，至多 128 个字符", USAGE)
    order = exports.Order(format_, reason, by, approved_by, second, first, end)
    keys = [one.line for one in given(settings, vkey, ()).keys]
    progress = Progress()
    try:
        done = asyncio.run(_export(settings, order, out.absolute(), keys, progress))
    except exports.NotApproved as error:
        stop(_REFUSED.get(str(error), "超过 500 条须有第二批准人（--second）"), USAGE)
    except exports.NoRange:
        stop("没有这些记录：请检查 --from、--to，或先核验日志", USAGE)
    except FileExistsError:
        stop(f"文件夹 {out} 已存在：请另选", USAGE)
    except AuditUnavailable:
        stop("导出未能留痕，因此没有写出：请检查数据库", OPERATOR)
    except (SQLAlchemyError, OSError):
        stop("无法读取日志或写入文件夹：请检查数据库与磁盘", CANNOT_READ)
    finally:
        progress.done()
    told = {"first": done.first, "end": done.end, "sha256": done.sha256}
    if json_:
        as_json(told)
    else:
        click.echo(f"已导出第 {done.first} 至 {done.end - 1} 条到 {out}，SHA-256 {done.sha256}")


async def _export(
    settings: Settings, order: exports.Order, out: Path, keys: list[str], progress: Progress
) -> exports.Exported:
    """With a writer of its own: what is exported beside a running hub is recorded like it."""
    from audit.log import writer_name
    from hub.signing import log_id
    from store.engine import open_engine

    engine = open_engine(settings.store_url, pool_size=2)
    log = AuditLog(engine, writer_name("export"), log_id(settings), wait_s=settings.audit_wait_s)
    try:
        await log.start()
        try:
            return await exports.export(
                engine,
                log,
                order,
                out,
                vkeys=keys,
                progress=lambda at, whole: progress("导出", at / max(whole, 1)),
            )
        finally:
            await log.stop()
    finally:
        await engine.dispose()
