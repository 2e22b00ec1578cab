"""The server as a process: it refuses what is not ready, answers, and ends when told to."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.health import State
from tests.head import HEAD

PROGRAM = Path(sys.executable).parent / "hub"
STARTED_S = 30  # a cold start on a loaded machine takes five
OPERATOR = 3

Hub = Callable[..., Any]
pytestmark = pytest.mark.loopback


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(*words: object, cwd: Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """``hub WORDS`` in the background; killed if the test leaves it behind."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    process = subprocess.Popen(
        [PROGRAM, *map(str, words)],
        cwd=cwd,
        env=plain | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def answering(address: str, process: subprocess.Popen[str]) -> httpx.Response:
    """The first answer of /readyz."""
    end = time.monotonic() + STARTED_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{address}/readyz")
        time.sleep(0.05)
    raise AssertionError(f"no answer: {process.poll()}")


def test_production_refuses_an_empty_store(hub: Hub, production: dict[str, str]) -> None:
    ran = hub("serve", **production)
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err == f"数据库版本为 空，程序需要 {HEAD}：请先运行 hub db upgrade\n"


def test_production_makes_no_keys(hub: Hub, production: dict[str, str], tmp_path: Path) -> None:
    assert hub("db", "upgrade", **production).code == 0
    ran = hub("serve", **production)
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err.startswith(f"密钥文件 {tmp_path / 'keys/issuer.pem'} 不存在")
    assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "keys").exists()


def test_production_does_not_serve_the_demonstration(
    hub: Hub, county: Path, production: dict[str, str]
) -> None:
    url = f"sqlite+aiosqlite:///{county / 'store.sqlite'}"
    ran = hub(
        "serve", **(production | {"HUB_STORE_URL": url, "HUB_KEYS_DIR": str(county / "keys")})
    )
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err.startswith("正式环境的底册中有 ")
    assert "名虚构人员" in ran.err


def test_production_answers_refuses_strangers_and_ends(
    hub: Hub, county: Path, production: dict[str, str], tmp_path: Path
) -> None:
    # The keys alone: what the demonstration's signer remembers is another log.
    others = shutil.ignore_patterns("signer.*")
    shutil.copytree(county / "keys", tmp_path / "keys", ignore=others)
    assert hub("db", "upgrade", **production).code == 0
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with started("serve", cwd=tmp_path, **production, HUB_PORT=str(port)) as process:
        ready = answering(address, process)
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert set(ready.json()) == {"status", "sources"}
        assert {*ready.json()["sources"].values()} <= {*State}
        assert "://" not in ready.text
        stranger = httpx.post(f"{address}/graphql", json={"query": "{ viewer { account } }"})
        assert stranger.status_code == 401
        assert stranger.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=STARTED_S)
    assert process.returncode in (0, -signal.SIGTERM)
    assert out == ""
    assert [json.loads(line)["level"] for line in err.splitlines()]  # logs are JSON lines
    assert "no witness is demanded" in err
    assert "setup plugin" not in err
    verdict = json.loads(hub("audit", "verify", "--json", **production).out)
    assert verdict["integrity"] is True
    assert verdict["unstopped"] == []  # the writer said goodbye
    assert verdict["records"] >= 3  # start, the stranger, stop


def test_the_demonstration_prints_a_line_that_works_when_pasted(
    county: Path, tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    with started("demo", "--serve", "--port", 0, "--dir", county, cwd=tmp_path) as process:
        assert process.stdout is not None
        said: list[str] = []
        while not (said and said[-1].startswith("curl ")):
            line = process.stdout.readline()
            assert line, process.communicate()
            said.append(line.rstrip("\n"))
        tokens = [line.split()[-1] for line in said if line.strip().startswith("令牌 ")]
        assert len(tokens) == len(set(tokens)) == 12
        pasted = subprocess.run(said[-1], shell=True, capture_output=True, text=True, check=True)
        answer = json.loads(pasted.stdout)
        assert "errors" not in answer
        assert answer["data"]["viewer"]["account"] == "zhelai-town-01"
        assert answer["data"]["citizen"]["division"]["name"]
        line = process.stdout.readline()
        while not line.startswith("curl "):  # the machine client's
            assert line, process.communicate()
            line = process.stdout.readline()
        pasted = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)
        issued = json.loads(pasted.stdout)
        assert (issued["scope"], issued["expires_in"]) == ("sync report", 600)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=STARTED_S)
    assert (process.returncode, err) == (0, "")


def test_a_taken_port_is_the_operators(county: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with started("demo", "--serve", "--port", port, "--dir", county, cwd=tmp_path) as process:
            out, err = process.communicate(timeout=STARTED_S)
    assert (process.returncode, out) == (OPERATOR, "")
    assert err == f"端口 {port} 无法监听：请用 hub demo --serve --port 另选一个\n"
