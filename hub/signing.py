"""The signer of checkpoints as the settings have it: its files, its keys, the log's name."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from audit.anchor import Anchor
from audit.batch import now_us
from audit.keyring import Published, day_of
from audit.log import writer_name
from audit.memory import MemoryFile, Mismatch, RollbackSuspected
from audit.note import CheckpointSigner
from audit.signer import Keys, Signer, judge
from audit.verify.evidence import BadEvidence, DatedKey, dated_keys
from hub.keys import CHECKPOINT, signing_keys
from hub.settings import Profile, Settings
from store.engine import single

FIRST = "main"  # a log started anew is called main-2, main-3 …
RESTART = "查明原因；确需重新开始，由两人运行 hub audit restart-log"
_WHY = {
    Mismatch.SHRUNK: "数据库中的记录少于已签署的",
    Mismatch.EMPTY: "数据库中没有日志，而此前已签署过",
    Mismatch.OTHER_LOG: "数据库中是另一个日志",
    Mismatch.CHANGED: "记录与已签署的不符",
    Mismatch.GAP: "中间缺少记录",
    Mismatch.FORKED: "同一处有另一个检查点",
    Mismatch.REPLACED: "数据库文件曾被替换",
    Mismatch.MEMORY: "签名者的记忆文件已损坏",
}


def authority(settings: Settings) -> str:
    """Under whose name the log stands."""
    return "demo.invalid" if settings.profile is Profile.DEMO else "yanshan.gov.cn"


def log_id(settings: Settings) -> str:
    """The log's name in receipts: authority, log, hash suite.

    A log that was started anew has another name; the signer's memory says which.
    """
    first = f"{authority(settings)}/hub/{FIRST}/{settings.audit_suite}"
    try:
        memory = memory_of(settings).read()
    except (RollbackSuspected, OSError):
        return first
    return memory.log if memory and _number(settings, memory.log) else first


def next_log_id(settings: Settings, log: str) -> str:
    """The name after `log`."""
    return f"{authority(settings)}/hub/{FIRST}-{_number(settings, log) + 1}/{settings.audit_suite}"


def _number(settings: Settings, log: str) -> int:
    """The how manieth log of the authority it is; 0 for another's."""
    named = rf"{re.escape(authority(settings))}/hub/{FIRST}(?:-(\d{{1,6}}))?/{settings.audit_suite}"
    found = re.fullmatch(named, log, re.ASCII)
    return 0 if found is None else int(found[1] or 1)


def process_writer() -> str:
    """A writer is one process of one boot: two with one name could not both number records."""
    return writer_name(f"{socket.gethostname()[:20]}-{os.getpid()}")


def memory_of(settings: Settings) -> MemoryFile:
    """The signer's files."""
    return MemoryFile(settings.audit_signer_file)


def anchor_of(settings: Settings) -> Anchor | None:
    """The anchor, if there is one."""
    return Anchor(settings.audit_anchor_file) if settings.audit_anchor_file else None


def signers(settings: Settings) -> Keys:
    """Who signs, asked each time: a rotated key needs no restart. KeysError."""
    log = log_id(settings)
    return lambda: signers_of(settings, log)


def signers_of(settings: Settings, log: str) -> Sequence[CheckpointSigner]:
    """Who signs today in the name of `log`. KeysError."""
    return signing_keys(settings.keys_dir).signers(log, day_of(now_us()))


def signer_of(settings: Settings, store: AsyncEngine, **wired: Any) -> Signer:
    """The signer over an open store; `wired` as `Signer` takes it."""
    return Signer(
        store,
        log_id(settings),
        memory_of(settings),
        signers(settings),
        anchor=anchor_of(settings),
        every_s=settings.audit_checkpoint_s,
        **wired,
    )


async def sign_what_came(settings: Settings, store: AsyncEngine) -> None:
    """Cover what a command has written, unless a running hub signs. A failure is the hub's to tell.

    Else records of a command lie without a checkpoint until the next start, and verify has to
    call that evidence that is missing.
    """
    signer = signer_of(settings, store)
    await signer.step(now=True)
    signer.release()


def rollback(settings: Settings) -> str | None:
    """Why the hub may not start over this store, in one line; None if it may.

    Not inside a coroutine. SQLAlchemyError if the store does not answer.
    """
    memory = memory_of(settings)
    folder = memory.path.parent
    if folder != settings.keys_dir and not folder.is_dir():  # a demo makes its keys later
        return f"目录 {folder} 不存在，检查点无法签署：请检查 audit.signer_file"
    try:
        mark = memory.halted()
        if mark is not None:
            return _line(mark.reason, mark.size)
        asyncio.run(_judged(settings, memory))
    except RollbackSuspected as found:
        return _line(found.reason, found.size)
    except OSError:
        return "数据库或签名者的文件无法读取：请检查 store.url 与 audit.signer_file"
    return None


async def _judged(settings: Settings, memory: MemoryFile) -> None:
    # Read before the database: a signer at work may move both on meanwhile.
    remembered = memory.read()
    async with single(settings.store_url, readonly=True) as connection:
        await judge(connection, remembered, log_id(settings), anchor_of(settings))


def _line(reason: str, size: int) -> str:
    why = next((said for code, said in _WHY.items() if code == reason), "记录与已签署的不符")
    return f"访问日志疑似被回退或替换（{reason}）：{why}（已签署 {size} 条）：请{RESTART}"


def known_keys(settings: Settings, listed: Path | None) -> tuple[DatedKey, ...]:
    """Under which keys a checkpoint counts: a list of dated keys, else the hub's own.

    None if there is neither. BadEvidence for a list, KeysError for a key file, that is unfit.
    """
    if listed is not None:
        try:
            return dated_keys(listed.read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            raise BadEvidence(type(error).__name__) from None
    if not (settings.keys_dir / CHECKPOINT).is_file():
        return ()
    return dated_keys(map(str, published(settings)))


def published(settings: Settings) -> tuple[Published, ...]:
    """The public halves of all keys, under the log's name and the names it had before."""
    try:
        memory = memory_of(settings).read()
    except (RollbackSuspected, OSError):
        memory = None
    names = (*(memory.former if memory else ()), log_id(settings))
    ring = signing_keys(settings.keys_dir)
    return tuple(key for name in names for key in ring.published(name))
