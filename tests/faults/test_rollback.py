"""The database behind a hub becomes another one: the hub stops answering, and does not start."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import make_url

from audit.memory import MemoryFile
from audit.note import Checkpoint, Note, VerifierKey, opened
from audit.tree import Frontier
from hub.app import assemble
from store.audit import audit_checkpoint, audit_event
from store.engine import open_engine, single

if TYPE_CHECKING:
    from hub.demo.site import Site

pytestmark = pytest.mark.loopback

HUB = [sys.executable, "-m", "hub"]
TOWN = "zhelai-town-01"
LOG = "demo.invalid/hub/main/sha256"
QUERY = "{ viewer { account } cases(first: 2) { totalCount nodes { caseNo applicant { name } } } }"
WAIT_S = 30.0  # a loaded machine; usually one or two
ASKED = 5


@dataclass(slots=True)
class Hubs:
    """Servers of one store, as production runs them, and what is asked of them."""

    site: Site
    store: str
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, str]:
        return os.environ | {
            "HUB_PROFILE": "demo",
            "HUB_DATA_DIR": str(self.site.folder),
            "HUB_STORE_URL": self.store,
            "HUB_AUDIT_CHECKPOINT_S": "0.1",
        }

    @property
    def memory(self) -> MemoryFile:
        return MemoryFile(self.site.folder / "keys" / "signer.json")

    def serve(self) -> tuple[subprocess.Popen[str], Callable[..., httpx.Response]]:
        """A server that is ready, and how it is asked."""
        port = _free_port()
        command, settings = [*HUB, "serve"], self.settings | {"HUB_PORT": str(port)}
        process = subprocess.Popen(command, env=settings, stderr=subprocess.PIPE, text=True)
        self.running.append(process)
        token = assemble(self.site.settings()).tokens.issue(TOWN, ("aid.file",))
        headers = {"Authorization": f"Bearer {token}", "X-Purpose": "aid.file"}
        address = f"http://127.0.0.1:{port}"

        def ask(path: str = "/graphql") -> httpx.Response:
            with httpx.Client(base_url=address, headers=headers, trust_env=False) as client:
                if path != "/graphql":
                    return client.get(path)
                return client.post(path, json={"query": QUERY})

        transport = httpx.HTTPTransport(retries=50)
        with httpx.Client(base_url=address, transport=transport, trust_env=False) as client:
            assert client.get("/readyz", timeout=WAIT_S).status_code == 200
        return process, ask

    def verb(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in a process of its own."""
        return subprocess.run(
            [*HUB, *arguments], env=self.settings, capture_output=True, text=True, timeout=WAIT_S
        )

    def refused(self) -> str:
        """``hub serve`` ends at once with one line."""
        ended = self.verb("serve")
        assert ended.returncode == 3
        assert ended.stderr.count("\n") == 1
        return ended.stderr

    def newest(self) -> Note:
        return asyncio.run(self._newest())

    async def _newest(self) -> Note:
        row = audit_checkpoint.c
        async with single(self.store, readonly=True) as connection:
            found = await connection.scalar(select(row.note).order_by(row.size.desc()).limit(1))
        assert found is not None
        return Note.parse(found)

    def covered(self, idx: int) -> None:
        """Wait until a checkpoint covers the record."""
        _until(lambda: Checkpoint.parse(self.newest().text).size > idx)


@pytest.fixture
def hubs(site_copy: Site, filled_store: str) -> Iterator[Hubs]:
    made = Hubs(site_copy, filled_store)
    yield made
    for process in made.running:
        process.kill()
        process.communicate()


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def _receipt(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200
    receipt: dict[str, Any] = answer.json()["extensions"]["audit"]
    return receipt


# ---- three ways to another database


class Cut:
    """The tail is deleted, head, checkpoints and counters set back, all by SQL."""

    def before(self, hubs: Hubs) -> None:
        """What is to come back."""
        self.size = Checkpoint.parse(hubs.newest().text).size

    def strike(self, hubs: Hubs) -> None:
        asyncio.run(self._strike(hubs.store))

    async def _strike(self, url: str) -> None:
        row, frontier = audit_event.c, Frontier()
        async with single(url) as connection:
            kept = select(row.leaf, row.writer).where(row.idx < self.size).order_by(row.idx)
            counts: dict[str, int] = {}
            for leaf, writer in await connection.execute(kept):
                frontier.append(bytes.fromhex(leaf))
                counts[writer] = counts.get(writer, 0) + 1
            tables = ("audit_event", "audit_checkpoint", "audit_subject")
            for table in tables:
                if connection.dialect.name == "sqlite":
                    await connection.execute(text(f"DROP TRIGGER {table}_no_delete"))
                else:
                    await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            size = {"size": self.size}
            for statement in (
                "DELETE FROM audit_event WHERE idx >= :size",
                "DELETE FROM audit_subject WHERE idx >= :size",
                "DELETE FROM audit_checkpoint WHERE size > :size",
                "UPDATE audit_index SET next_idx = :size WHERE next_idx > :size",
            ):
                await connection.execute(text(statement), size)
            head = size | {"root": frontier.root().hex(), "frontier": frontier.encode()}
            await connection.execute(
                text("UPDATE audit_head SET size = :size, root = :root, frontier = :frontier"), head
            )
            await connection.execute(text("UPDATE audit_writer SET last_wseq = 0"))
            for writer, count in counts.items():
                await connection.execute(
                    text("UPDATE audit_writer SET last_wseq = :count WHERE writer = :writer"),
                    {"count": count, "writer": writer},
                )


class Restored:
    """An older copy of the whole database is put in its place."""

    def before(self, hubs: Hubs) -> None:
        if hubs.store.startswith("sqlite"):
            self.copy = hubs.site.folder / "copy.sqlite"
            _backup(_file(hubs), self.copy)
        else:
            asyncio.run(_copied(hubs.store))

    def strike(self, hubs: Hubs) -> None:
        if hubs.store.startswith("sqlite"):
            _backup(self.copy, _file(hubs))  # through SQLite: the file stays the same one
        else:
            asyncio.run(_swapped(hubs.store))


class Exchanged(Restored):
    """SQLite's file is exchanged for one of the same name: open connections do not see it."""

    def strike(self, hubs: Hubs) -> None:
        if not hubs.store.startswith("sqlite"):
            pytest.skip("PostgreSQL: the same as restored")
        for suffix in ("-wal", "-shm"):  # else SQLite would bring the records back from there
            Path(f"{_file(hubs)}{suffix}").unlink(missing_ok=True)
        self.copy.replace(_file(hubs))


def _file(hubs: Hubs) -> Path:
    return Path(make_url(hubs.store).database or "")


def _backup(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(source)) as one,
        contextlib.closing(sqlite3.connect(target, timeout=WAIT_S)) as other,
    ):
        one.backup(other)


async def _copied(url: str) -> None:
    name = make_url(url).database
    async with _server(url) as run:
        await _disconnected(run, name)
        await run(f"CREATE DATABASE {name}_copy TEMPLATE {name}")
        await run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def _swapped(url: str) -> None:
    name = make_url(url).database
    async with _server(url) as run:
        await _disconnected(run, name)
        await run(f"ALTER DATABASE {name} RENAME TO {name}_gone")
        await run(f"ALTER DATABASE {name}_copy RENAME TO {name}")
        await run(f"DROP DATABASE {name}_gone")


async def _disconnected(run: Callable[[str], Awaitable[None]], name: str | None) -> None:
    await run(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    gone = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
    await run(gone)


@contextlib.asynccontextmanager
async def _server(url: str) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    engine = open_engine(
        make_url(url).set(database="postgres").render_as_string(hide_password=False)
    )
    async with engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")

        async def run(statement: str) -> None:
            await alone.execute(text(statement))

        yield run
    await engine.dispose()


FAULTS = [Cut, Restored, Exchanged]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_running_hub_stops_answering_and_does_not_start_again(
    hubs: Hubs, fault: type[Cut | Restored]
) -> None:
    process, ask = hubs.serve()
    struck = fault()
    hubs.covered(_receipt(ask())["idx"])
    struck.before(hubs)
    # The copy of a database cuts its connections: the first question after it may find none.
    _until(lambda: ask().status_code == 200)
    last = [_receipt(ask())["idx"] for _ in range(ASKED)][-1]
    hubs.covered(last)
    signed = hubs.memory.read()
    assert signed is not None
    assert signed.size > last

    struck.strike(hubs)
    _until(lambda: _reason(ask()) == "ROLLBACK_SUSPECTED")
    refused = [ask() for _ in range(ASKED)]
    assert {answer.status_code for answer in refused} == {503}
    for answer in refused:
        (error,) = answer.json()["errors"]
        assert error["extensions"]["code"] == "AUDIT_UNAVAILABLE"
        assert error["extensions"]["reason"] == "ROLLBACK_SUSPECTED"
        assert "data" not in answer.json()
    ready = ask("/readyz")
    assert (ready.status_code, ready.json()["code"]) == (503, "AUDIT_UNAVAILABLE")
    mark = json.loads(hubs.memory.halt_path.read_text())
    assert mark["size"] >= signed.size - 1
    assert mark.keys() == {"reason", "size"}
    kept = hubs.memory.read()
    assert kept is not None
    assert kept.size >= signed.size  # nothing was written over

    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == -signal.SIGTERM
    assert mark["reason"] in hubs.refused()
    hubs.memory.halt_path.unlink()
    # Without the mark, too: the database is looked at. What was refused after the blow has
    # its records, so it may have as many as were signed by now.
    line = hubs.refused()
    assert ("SHRUNK" in line) or ("CHANGED" in line)
    assert not hubs.memory.halt_path.exists()


def _reason(answer: httpx.Response) -> str | None:
    if answer.status_code != 503:
        return None
    reason: str | None = answer.json()["errors"][0]["extensions"].get("reason")
    return reason


def test_two_accounts_start_the_log_anew(hubs: Hubs) -> None:
    process, ask = hubs.serve()
    hubs.covered(_receipt(ask())["idx"])
    fault = Cut()
    fault.before(hubs)
    hubs.covered(_receipt(ask())["idx"])
    busy = hubs.verb(*_restart("office-01", "auditor-01"))
    assert (busy.returncode, busy.stderr.count("\n")) == (3, 1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == -signal.SIGTERM
    old = hubs.memory.read()
    assert old is not None
    fault.strike(hubs)
    assert "SHRUNK" in hubs.refused()
    for by, other in (("office-01", "office-01"), ("office-01", "nobody")):
        assert hubs.verb(*_restart(by, other)).returncode == 2
    assert hubs.memory.path.read_text() == old.text()

    ended = hubs.verb(*_restart("office-01", "auditor-01"))
    assert ended.returncode == 0, ended.stderr
    name = "demo.invalid/hub/main-2/sha256"
    first = Checkpoint.parse(Note.parse(ended.stdout).text)
    assert (first.origin, first.size) == (name, fault.size + 2)  # with its HUB_STOP
    body = asyncio.run(_body(hubs.store, fault.size))
    assert (body["kind"], body["actor"], body["code"]) == (
        "LOG_RESTARTED",
        "office-01",
        "DISK_LOST",
    )
    said = {"size": old.size, "log": LOG, "approvedBy": "auditor-01"}
    assert body["op"] == {
        "name": "restart-log",
        "hash": old.frontier.root().hex(),
        "vars": said,
    }
    (kept,) = hubs.memory.path.parent.glob("signer.json.*")
    assert kept.read_text() == old.text()
    new = hubs.memory.read()
    assert new is not None
    assert (new.log, new.former) == (name, (LOG,))

    _, ask = hubs.serve()
    receipt = _receipt(ask())
    assert receipt["log"] == name
    hubs.covered(receipt["idx"])
    lines = hubs.verb("audit", "keys", "list").stdout.splitlines()
    keys = [VerifierKey.parse(line.split()[0]) for line in lines]
    assert [key.name for key in keys] == [LOG, name]
    assert opened(hubs.newest(), keys)[0].origin == name
    assert hubs.verb("audit", "verify").returncode == 0


def _restart(by: str, approved: str) -> list[str]:
    who = ["--by", by, "--approved-by", approved]
    return ["audit", "restart-log", *who, "--reason", "DISK_LOST"]


async def _body(url: str, idx: int) -> dict[str, Any]:
    async with single(url, readonly=True) as connection:
        row = audit_event.c
        body: dict[str, Any] = json.loads(
            await connection.scalar(select(row.body).where(row.idx == idx)) or ""
        )
        return body


def test_a_stand_by_signs_when_the_signer_is_killed(hubs: Hubs) -> None:
    first, ask = hubs.serve()
    hubs.covered(_receipt(ask())["idx"])
    second, ask_other = hubs.serve()
    hubs.covered(_receipt(ask_other())["idx"])  # the first one signs the other's records, too
    assert _holder(hubs) == first.pid
    first.kill()
    assert first.wait(WAIT_S) == -signal.SIGKILL
    receipt = _receipt(ask_other())
    hubs.covered(receipt["idx"])
    assert _holder(hubs) == second.pid
    second.send_signal(signal.SIGTERM)
    assert second.wait(WAIT_S) == -signal.SIGTERM
    # HUB_STOP is covered: the last checkpoint is as large as the log.
    size = asyncio.run(_size(hubs.store))
    assert Checkpoint.parse(hubs.newest().text).size == size


def _holder(hubs: Hubs) -> int:
    """Who holds the lock, as the kernel says."""
    inode = hubs.memory.lock_path.stat().st_ino
    lines = Path("/proc/locks").read_text().splitlines()
    held = [line.split() for line in lines if " FLOCK " in line and f":{inode} " in line]
    (pid,) = {int(words[4]) for words in held if words[1] == "FLOCK"}
    return pid


async def _size(url: str) -> int:
    async with single(url, readonly=True) as connection:
        size: int = await connection.scalar(text("SELECT size FROM audit_head"))
        return size


def test_a_key_is_rotated_while_the_hub_runs(hubs: Hubs, tmp_path: Path) -> None:
    _, ask = hubs.serve()
    hubs.covered(_receipt(ask())["idx"])
    before = hubs.verb("audit", "keys", "list").stdout.splitlines()
    assert [line.split()[2] for line in before] == ["-"]
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600))
    ended = hubs.verb("audit", "keys", "rotate", "--from", today, "--by", "auditor-01")
    assert ended.returncode == 0, ended.stderr
    listed = hubs.verb("audit", "keys", "list").stdout
    keys = [VerifierKey.parse(line.split()[0]) for line in listed.splitlines()]
    assert listed.splitlines()[1] == ended.stdout.strip()
    assert keys[0].vkey == before[0].split()[0]

    answer = ask()
    receipt = _receipt(answer)
    hubs.covered(receipt["idx"])
    note = hubs.newest()
    assert [one.key_id for one in note.signatures] == [keys[1].key_id, keys[0].key_id]
    assert len(opened(note, keys)[1]) == 2
    files = {"answer": answer.text, "proof": "", "vkey": listed}
    files["proof"] = hubs.verb("audit", "proof", str(receipt["idx"])).stdout
    paths = {name: tmp_path / name for name in files}
    for name, content in files.items():
        paths[name].write_text(content)
    checked = hubs.verb(
        "audit", "receipt-check", str(paths["answer"]),
        "--proof", str(paths["proof"]), "--vkey", str(paths["vkey"]),
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    again = hubs.verb("audit", "keys", "rotate", "--from", today, "--by", "auditor-01")
    assert again.returncode == 2
    kinds = asyncio.run(_kinds(hubs.store))
    assert kinds.count("KEY_ROTATED") == 1


async def _kinds(url: str) -> list[str]:
    async with single(url, readonly=True) as connection:
        return list(await connection.scalars(select(audit_event.c.kind)))
