"""A log hashes with one suite for ever; SM3 is the standard's, and costs SHA-256 nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from audit import suite
from audit.log import AuditLog
from audit.memory import MemoryFile
from audit.note import Checkpoint, Ed25519Signer, Note, opened, signed
from audit.record import Draft
from audit.signer import Signer, judge
from audit.suite import NAMES, NoSuite, made, suite_of
from audit.tiles import Growth, StoreReader
from audit.tiles import consistency as tiled_consistency
from audit.tiles import inclusion as tiled_inclusion
from audit.tree import (
    SHA256,
    consistency,
    inclusion,
    leaf,
    node,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from audit.verify import Code, Exit, check
from catalog.errors import AuditUnavailable

pytestmark = pytest.mark.anyio
LOG = "demo.invalid/hub/test/sm3"
SIZES = (1, 2, 3, 7, 8, 21)

Sql = Callable[..., Awaitable[list[Row[Any]]]]
Drafts = Callable[..., Draft]


def sm3(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


def test_sm3_gives_the_standards_examples() -> None:
    log, long = suite_of("sm3"), b"abcd" * 16
    assert log.empty_root == sm3(b"")
    assert sm3(long).hex() == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    assert log.leaf(b"abc") == sm3(b"\x00abc")
    assert log.node(b"l" * 32, b"r" * 32) == sm3(b"\x01" + b"l" * 32 + b"r" * 32)


def test_the_library_gives_what_openssl_gives() -> None:
    texts = [b"", b"abc", b"\x00" * 65, bytes(range(256)) * 9]
    assert [suite._by_library(t) for t in texts] == [suite._by_openssl(t) for t in texts]


@pytest.mark.parametrize("name", ["", "SM3", "sha1", "sha512"])
def test_an_unknown_suite_is_refused(name: str) -> None:
    with pytest.raises(NoSuite):
        suite_of(name)


def test_a_machine_whose_sm3_is_wrong_or_absent_has_none() -> None:
    def absent(_data: bytes) -> bytes:
        raise ValueError("unsupported hash type")

    assert suite._holds(suite._by_openssl)
    assert not suite._holds(absent)
    assert not suite._holds(lambda data: hashlib.sha256(data).digest())


def test_sha256_is_hashed_by_the_very_functions_it_always_was() -> None:
    assert suite_of("sha256") is SHA256
    assert (SHA256.leaf, SHA256.node) == (leaf, node)
    assert NAMES == ("sha256", "sm3")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
def test_proofs_hold_in_every_suite_and_in_no_other(name: str, size: int) -> None:
    ours, other = suite_of(name), made("other", lambda d: hashlib.blake2s(d).digest())
    leaves = [ours.leaf(str(n).encode()) for n in range(size)]
    root = root_of(leaves, ours)
    for index in range(size):
        path = inclusion(leaves, index, ours)
        assert verify_inclusion(leaves[index], index, size, path, root, ours)
        assert verify_inclusion(leaves[index], index, size, path, root, other) is (size == 1)
    for old in range(size + 1):
        proof, was = consistency(leaves, old, ours), root_of(leaves[:old], ours)
        assert verify_consistency(old, size, was, root, proof, ours)


async def test_a_log_of_sm3_is_written_and_verified_as_one(
    engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    log = AuditLog(engine, "node/1", LOG, wait_s=5.0, suite="sm3")
    await log.start()
    receipts = [await log.append(drafts(n)) for n in range(9)]
    await log.stop()
    (head,) = await sql("SELECT suite, size, root FROM audit_head")
    bodies = [row.body for row in await sql("SELECT body FROM audit_event ORDER BY idx")]
    leaves = [sm3(b"\x00" + body.encode()) for body in bodies]
    assert [r.leaf for r in receipts] == [one.hex() for one in leaves[1:-1]]
    assert tuple(head) == ("sm3", 11, root_of(leaves, suite_of("sm3")).hex())
    verdicts = await check(engine)
    assert (verdicts.exit, verdicts.size, verdicts.root) == (Exit.INTACT, 11, head.root)
    note = signed(Checkpoint(LOG, 11, bytes.fromhex(head.root)), [Ed25519Signer(LOG, b"s" * 32)])
    checkpoint, held = opened(note, [Ed25519Signer(LOG, b"s" * 32).verifier])
    assert (checkpoint.root.hex(), len(held)) == (head.root, 1)


async def test_a_log_of_sm3_is_signed_in_tiles_and_proved(
    engine: AsyncEngine, drafts: Drafts, sql: Sql, tmp_path: Path
) -> None:
    log, key = AuditLog(engine, "node/1", LOG, wait_s=9.0, suite="sm3"), b"s" * 32
    await log.start()
    await asyncio.gather(*(log.append(drafts(n)) for n in range(600)))
    await log.stop()
    memory = MemoryFile(tmp_path / "signer.json")
    signer = Signer(engine, LOG, memory, lambda: (Ed25519Signer(LOG, key),))
    assert await signer.step(now=True)
    signer.release()
    rows = await sql("SELECT body FROM audit_event ORDER BY idx")
    leaves = [sm3(b"\x00" + row.body.encode()) for row in rows]
    suite = suite_of("sm3")
    (note,) = await sql("SELECT note FROM audit_checkpoint")
    checkpoint = opened(Note.parse(note.note), [Ed25519Signer(LOG, key).verifier])[0]
    assert checkpoint == Checkpoint(LOG, 602, root_of(leaves, suite))
    (tiles,) = await sql("SELECT count(*) AS n FROM audit_tile")
    assert tiles.n == 2
    async with engine.connect() as connection:
        reader = StoreReader(connection)
        for index in (0, 255, 256, 601):
            path = await tiled_inclusion(reader, index, 602, suite=suite)
            assert path == inclusion(leaves, index, suite)
        proof = await tiled_consistency(reader, 300, 602, suite=suite)
        assert proof == consistency(leaves, 300, suite)
        growth = await Growth.from_rows(reader, 602, suite)
        assert growth.frontier().root() == checkpoint.root
        await judge(connection, memory.read(), LOG)


async def test_a_logs_suite_is_not_changed_afterwards(
    engine: AsyncEngine, drafts: Drafts, sql: Sql
) -> None:
    first = AuditLog(engine, "node/1", LOG, suite="sm3")
    await first.start()
    await first.append(drafts())
    await first.stop()
    with pytest.raises(AuditUnavailable):
        await AuditLog(engine, "node/2", LOG).start()
    (row,) = await sql("SELECT suite, size FROM audit_head")
    assert tuple(row) == ("sm3", 3)
    await sql("UPDATE audit_head SET suite = 'sha256'")
    assert {Code.LEAF, Code.HEAD} <= (await check(engine)).counts.keys()
