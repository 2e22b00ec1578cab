"""``hub audit checkpoint|proof|consistency|receipt-check``: what an outsider can be given."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.note import BadNote, Checkpoint, Note, VerifierKey
from audit.proof import BadProof, Kept, Proof, lines_of
from audit.proving import Damaged, Uncovered, proof_of
from audit.signer import newest_note
from audit.suite import suite_in
from audit.tiles import StoreReader, TileMissing
from audit.tiles import consistency as consistency_of
from hub.cli.audit import CANNOT_READ, audit
from hub.cli.chosen import DIR, chosen, store_of
from hub.cli.say import FAILED, USAGE, stop
from hub.settings import Settings
from hub.signing import signer_of
from store.engine import open_engine, single

T = TypeVar("T")
EXTRA_S = 3.0  # the signer of a running hub needs a look and a commit
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
UNREADABLE = "无法读取审计日志：请检查目录或数据库地址"
DAMAGED = "证明与日志不符：请运行 hub audit verify"


@audit.command(help="立即签署一个检查点并打印（已有进程在签署时，等它覆盖当前记录）。")
@DIR
def checkpoint(folder: Path | None) -> None:
    """Print the note that covers all records there are."""
    settings, _ = chosen(folder)
    click.echo(str(_run(_signed(settings))), nl=False)


async def _signed(settings: Settings) -> Note:
    engine = open_engine(settings.store_url)
    signer = signer_of(settings, engine)
    end = time.monotonic() + settings.audit_checkpoint_s + EXTRA_S
    try:
        while not await signer.step(now=True):
            state = signer.state()
            if state.halted is not None:
                stop(f"日志与已签署的检查点不符（{state.halted}）：未签署", FAILED)
            if await signer.covered():
                break
            if time.monotonic() > end:
                stop(
                    f"未能签署（{state.error or '另一进程正在签署'}）：请检查数据库与密钥",
                    CANNOT_READ,
                )
            await asyncio.sleep(0.2)
        async with engine.connect() as connection:
            return await _newest(connection)
    finally:
        signer.release()
        await engine.dispose()


@audit.command(help="打印第 IDX 条记录的证明（c2sp.org/tlog-proof@v1），可离线核对。")
@click.argument("idx", type=click.IntRange(0))
@DIR
def proof(idx: int, folder: Path | None) -> None:
    """From the newest checkpoint."""
    click.echo(str(_run(_read(folder, lambda connection: _proof(connection, idx)))), nl=False)


async def _proof(connection: AsyncConnection, idx: int) -> Proof:
    try:
        return await proof_of(connection, idx)
    except Uncovered as error:
        stop(f"第 {idx} 条尚未被检查点覆盖（最新覆盖 {error.size} 条）：请稍后再试", FAILED)
    except Damaged:
        stop(DAMAGED, FAILED)


@audit.command(help="打印前 OLD 条是前 NEW 条之开头的证明：每行一个哈希（base64）。")
@click.argument("old", type=click.IntRange(0))
@click.argument("new", type=click.IntRange(0))
@DIR
def consistency(old: int, new: int, folder: Path | None) -> None:
    """Between two sizes that checkpoints cover."""
    if old > new:
        stop("OLD 不得大于 NEW", USAGE)
    hashes = _run(_read(folder, lambda connection: _consistency(connection, old, new)))
    click.echo(lines_of(hashes), nl=False)


async def _consistency(connection: AsyncConnection, old: int, new: int) -> Sequence[bytes]:
    signed = Checkpoint.parse((await _newest(connection)).text)
    if new > signed.size:
        stop(f"NEW 超出最新检查点覆盖的 {signed.size} 条：请稍后再试", FAILED)
    return await consistency_of(StoreReader(connection), old, new, suite=suite_in(signed.origin))


@audit.command("receipt-check", help="离线核对回执：证明是否由回执的叶哈希通向已签署的根。")
@click.argument("file", type=FILE)
@click.option("--proof", "proof_file", type=FILE, required=True, help="hub audit proof 的输出")
@click.option("--vkey", "vkey_file", type=FILE, required=True, help="hub audit keys list 的输出")
def receipt_check(file: Path, proof_file: Path, vkey_file: Path) -> None:
    """Exit 0 if it does, 1 if not, 2 if a file is not what it should be."""
    kept = _parsed(file, lambda text: Kept.parse(json.loads(text)))
    given = _parsed(proof_file, Proof.parse)
    keys = _parsed(vkey_file, _keys)
    try:
        covering = kept.proved(given, keys)
    except BadNote as error:
        stop(f"检查点的签名不成立（{error.fault}）", FAILED)
    if covering is None:
        stop(f"不符：证明不能由第 {kept.idx} 条的叶哈希通向已签署的根", FAILED)
    click.echo(f"相符：第 {kept.idx} 条记录在 {covering.origin} 已签署的前 {covering.size} 条之中")


def _keys(text: str) -> list[VerifierKey]:
    """From lines ``vkey`` or ``vkey since until``."""
    keys = [VerifierKey.parse(line.split()[0]) for line in text.splitlines() if line.strip()]
    if not keys:
        raise ValueError("no key")
    return keys


def _parsed(file: Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, BadProof, BadNote, RecursionError):
        stop(f"文件 {file} 不是所需的格式，或无法读取", USAGE)


async def _newest(connection: AsyncConnection) -> Note:
    note = await newest_note(connection)
    if note is None:
        stop("尚无检查点：请先运行 hub audit checkpoint", FAILED)
    return note


async def _read(folder: Path | None, deed: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async with single(store_of(folder), readonly=True) as connection:
        return await deed(connection)


def _run(work: Awaitable[T]) -> T:
    async def ran() -> T:
        return await work

    try:
        return asyncio.run(ran())
    except (TileMissing, BadNote):
        stop(DAMAGED, FAILED)
    except (SQLAlchemyError, OSError):
        stop(UNREADABLE, CANNOT_READ)
