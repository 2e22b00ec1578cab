"""``hub audit verify``: is the log what it was when it was written?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from audit import verify as log
from audit.batch import now_us
from audit.note import VerifierKey
from hub.cli.audit import CANNOT_READ, archive, audit
from hub.cli.chosen import DIR, chosen
from hub.cli.say import JSON, USAGE, Progress, as_json, stop
from hub.settings import Settings
from hub.verdict import said

FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
VKEY = click.option("--vkey", type=FILE, help="公钥清单；不给则用密钥目录中的 checkpoint.keys")
ANCHORS = click.option(
    "--anchors", "anchors", type=FILE, multiple=True, help="外部保存的检查点或回执；可给多次"
)


@audit.command(help="核验日志：0 完好，1 被改动，3 无法读取，4 证据不足。")
@ANCHORS
@VKEY
@click.option("--since", type=click.IntRange(0), default=0, help="自此检查点的条数起核验，默认 0")
@click.option("--keep", is_flag=True, help="把结论记入数据库")
@click.option("--all", "all_", is_flag=True, help="连同已移出数据库的归档分段")
@DIR
@JSON
def verify(
    anchors: tuple[Path, ...],
    vkey: Path | None,
    since: int,
    keep: bool,
    all_: bool,
    folder: Path | None,
    json_: bool,
) -> None:
    """Walk the log and print the verdict."""
    settings, _ = chosen(folder)
    evidence = given(settings, vkey, anchors)
    progress = Progress()
    try:
        verdicts = log.run(
            settings.store_url,
            evidence=evidence,
            since=since,
            progress=lambda done, whole: progress("核验", done / max(whole, 1)),
        )
        if keep:
            asyncio.run(log.keep(settings.store_url, verdicts, now_us()))
    except log.CannotRead:
        stop("无法读取审计日志：请检查目录或数据库地址", CANNOT_READ)
    except log.NoCheckpoint as error:
        stop(f"没有 {error} 条处的检查点：请另选 --since", USAGE)
    except log.BadEvidence as error:
        stop(f"外部凭据文件 {error} 无法读取：每份检查点后须有空行，回执每行一条", USAGE)
    except (SQLAlchemyError, OSError):
        stop("结论未能记入数据库：请检查写权限", CANNOT_READ)
    finally:
        progress.done()
    archived = archive.archived(settings) if all_ else None
    if json_:
        more = {} if archived is None else {"archive": archive.told(archived)}
        as_json(_told(verdicts) | more)
    else:
        click.echo(said(verdicts))
        for line in archive.lines(archived) if archived is not None else ():
            click.echo(line)
    worst = log.Exit.TAMPERED if archived is not None and archived.findings else verdicts.exit
    raise SystemExit(int(worst))


def given(settings: Settings, vkey: Path | None, anchors: tuple[Path, ...]) -> log.Evidence:
    """Known keys and files from outside."""
    from hub.signing import known_keys

    try:
        keys = known_keys(settings, vkey)
    except log.BadEvidence as error:
        stop(f"公钥清单有误（{error}）：每行须为“公钥 起 止”", USAGE)
    witnesses = tuple(map(VerifierKey.parse, settings.witness_keys))
    return log.Evidence(keys, anchors, witnesses=witnesses)


def _told(verdicts: log.Verdicts) -> dict[str, object]:
    return {
        "integrity": verdicts.integrity,
        "anchoring": verdicts.anchoring,
        "completeness": verdicts.completeness,
        "indexes": verdicts.indexes,
        "records": verdicts.size,
        "root": verdicts.root,
        "since": verdicts.since,
        "checkpoints": verdicts.checkpoints,
        "lastGood": verdicts.last_good,
        "anchored": verdicts.anchored,
        "witnessed": verdicts.witnessed,
        "firstBad": verdicts.first_bad,
        "badRange": list(verdicts.bad_range) if verdicts.bad_range else None,
        "findings": {str(code): count for code, count in verdicts.counts.items()},
        "unstopped": list(verdicts.unstopped),
        "unindexed": verdicts.unindexed,
        "first": verdicts.first,
        "leaving": verdicts.leaving,
    }
