"""The hub as a process of its own on a loopback port, for bench and tests: asked over the wire."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from hub.demo.site import HTTP_SOURCE, Site
from hub.identity.tokens import Tokens
from hub.keys import load_keys

PROGRAM = Path(sys.executable).parent / "hub"
STARTED_S = 60  # a cold start on a loaded machine takes five
ANSWER_S = 60.0  # no answer of these tests depends on the machine's seconds
TOWN, PURPOSE = "zhelai-town-01", "aid.file"


@dataclass(frozen=True, slots=True)
class Served:
    """A running hub: its process, its port, the site it serves, who may sign tokens for it."""

    site: Site
    process: subprocess.Popen[bytes]
    port: int
    tokens: Tokens

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def headers(self, account: str = TOWN, purpose: str = PURPOSE) -> dict[str, str]:
        """What a question of this account carries."""
        token = self.tokens.issue(account, (purpose,))
        return {
            "Authorization": f"Bearer {token}",
            "X-Purpose": purpose,
            "Content-Type": "application/json",
        }

    def client(self) -> httpx.Client:
        """One that waits long, and keeps one connection."""
        return httpx.Client(base_url=self.address, timeout=ANSWER_S)


def settings_of(site: Site, port: int) -> dict[str, str]:
    """The demonstration's folder as HUB_* variables of ``hub serve``."""
    files = sorted((site.folder / "sources").glob("*.sqlite"))
    named = {
        f"HUB_SOURCES_{f.stem.upper()}": f"sqlite+aiosqlite:///{f}"
        for f in files
        if f.stem != HTTP_SOURCE
    }
    return named | {
        "HUB_PROFILE": "demo",
        "HUB_DATA_DIR": str(site.folder),
        "HUB_STORE_URL": site.store_url,
        "HUB_PORT": str(port),
        "HUB_LOG_LEVEL": "WARNING",
    }


@contextlib.contextmanager
def serving(site: Site, settings: Mapping[str, str] | None = None) -> Iterator[Served]:
    """``hub serve`` over a site of a test's own, until the block ends."""
    port = _free_port()
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    process = subprocess.Popen(
        [PROGRAM, "serve"],
        env=plain | settings_of(site, port) | dict(settings or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        keys = load_keys(site.folder / "keys", create=False)
        served = Served(
            site, process, port, Tokens(keys.issuer, "https://demo.invalid", "data-sharing-hub")
        )
        _await(served)
        yield served
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STARTED_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(served: Served) -> None:
    end = time.monotonic() + STARTED_S
    while time.monotonic() < end and served.process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"{served.address}/healthz")
            return
        time.sleep(0.05)
    raise AssertionError(f"no answer: {served.process.poll()}")
