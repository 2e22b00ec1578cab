"""``hub audit verify``: is the log what it was when it was written?"""

from __future__ import annotations

from pathlib import Path

import click

from audit import verify as log
from hub.cli.audit import CANNOT_READ, audit
from hub.cli.chosen import DIR, store_of
from hub.cli.say import JSON, Progress, as_json, stop
from hub.verdict import said


@audit.command(help="核验日志：0 完好，1 被改动，3 无法读取，4 证据不足。")
@DIR
@JSON
def verify(folder: Path | None, json_: bool) -> None:
    """Walk the whole log and print the verdict."""
    progress = Progress()
    try:
        verdicts = log.run(
            store_of(folder), progress=lambda done, whole: progress("核验", done / max(whole, 1))
        )
    except log.CannotRead:
        stop("无法读取审计日志：请检查目录或数据库地址", CANNOT_READ)
    finally:
        progress.done()
    if json_:
        as_json(_told(verdicts))
    else:
        click.echo(said(verdicts))
    raise SystemExit(int(verdicts.exit))


def _told(verdicts: log.Verdicts) -> dict[str, object]:
    return {
        "integrity": verdicts.integrity,
        "completeness": verdicts.completeness,
        "indexes": verdicts.indexes,
        "records": verdicts.size,
        "root": verdicts.root,
        "firstBad": verdicts.first_bad,
        "findings": {str(code): count for code, count in verdicts.counts.items()},
        "unstopped": list(verdicts.unstopped),
        "unindexed": verdicts.unindexed,
        "first": verdicts.first,
        "leaving": verdicts.leaving,
    }
