"""The office that runs a witness: its folder, its console script, its process."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from audit.note import VerifierKey
from hub.witness import record
from hub.witness.keys import cosigners, make_key

PROGRAM = Path(sys.executable).parent / "hub-witness"
STARTED_S = 30.0  # a cold start on a loaded machine takes three


@dataclass(frozen=True)
class Office:
    """A folder with key, logs and memory."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "witness.sqlite"

    @property
    def key(self) -> VerifierKey:
        """The key the logs are given."""
        return cosigners(self.folder / "witness.key")[0].verifier

    def sizes(self) -> dict[str, int]:
        """What the memory holds, by origin."""
        return {one.origin: one.size for one in record.held(self.file)}

    def started(self, port: int, *command: object) -> subprocess.Popen[bytes]:
        """The serving process, listening; `command` instead of the console script."""
        words = command or (PROGRAM, "serve")
        process = subprocess.Popen(
            [*map(str, words), "--port", str(port)],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        end = time.monotonic() + STARTED_S
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return process
            time.sleep(0.02)
        process.kill()
        raise AssertionError(process.communicate()[1])

    @contextlib.contextmanager
    def serving(self, port: int | None = None) -> Iterator[str]:
        """The address of the serving console script; a clean end afterwards."""
        port = port or free_port()
        process = self.started(port)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=STARTED_S)


def prepared(folder: Path, name: str, vkeys: Sequence[str]) -> Office:
    """Key, logs and an empty memory."""
    make_key(folder / "witness.key", name)
    (folder / "logs.txt").write_text("\n".join(vkeys) + "\n", encoding="utf-8")
    record.make(folder / "witness.sqlite")
    return Office(folder)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def add(address: str, body: bytes) -> httpx.Response:
    """One submission over a connection of its own."""
    with httpx.Client(base_url=address, trust_env=False, timeout=20.0) as client:
        return client.post("/add-checkpoint", content=body)
