"""What the bench installs for itself below ``.cache/bench``: wrk, Python peers, npm peers.

Versions are pinned in bench/peers; a folder is made anew when its pins change. NotStarted says
what could not be installed: the peer is then `missing`, never beaten.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.folders import CACHE
from bench.process import NotStarted

PEERS = Path(__file__).parent / "peers"
INSTALL_S = 600
MARK = "installed-from"


def wrk() -> str:
    """wrk's version; the Debian package is installed if it is missing and we may."""
    if shutil.which("wrk") is None:
        _run("wrk", ["apt-get", "install", "-y", "wrk"])
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True)
    return said.stdout.split("Copyright")[0].strip().splitlines()[0]


def python() -> Path:
    """The interpreter of the Python peers' environment."""
    pins = (PEERS / "requirements.txt").read_text(encoding="utf-8")
    folder = CACHE / "python"
    interpreter = folder / "bin" / "python"
    if not made_from(folder, pins):
        shutil.rmtree(folder, ignore_errors=True)
        _run("venv", [sys.executable, "-m", "venv", str(folder)])
        quiet = ["-q", "--disable-pip-version-check", "-r", str(PEERS / "requirements.txt")]
        _run("pip", [str(interpreter), "-m", "pip", "install", *quiet])
        (folder / MARK).write_text(pins)
    return interpreter


def node(peer: str) -> tuple[Path, Path]:
    """(node, folder) of an npm peer: its files beside the packages its package.json pins."""
    source, folder = PEERS / peer, CACHE / peer
    package = json.loads((source / "package.json").read_text(encoding="utf-8"))
    program = f"node-{system()}"
    package["dependencies"][program] = package.pop("node")
    pins = json.dumps(package, indent=1)
    if not made_from(folder, pins):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(pins)
        _run("npm", ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], folder)
        (folder / MARK).write_text(pins)
    for file in source.iterdir():
        if file.is_file() and file.name != "package.json":
            shutil.copy(file, folder / file.name)
    return folder / "node_modules" / program / "bin" / "node", folder


def versions(peer: str) -> str:
    """What an npm peer is made of, for the report."""
    package = json.loads((PEERS / peer / "package.json").read_text(encoding="utf-8"))
    pinned = ", ".join(f"{name} {pin}" for name, pin in package["dependencies"].items())
    return f"{pinned}, node {package['node']}"


def system() -> str:
    """``linux-x64``: the npm package of node for this machine brings the program itself."""
    machine = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64"}
    return f"{sys.platform}-{machine.get(platform.machine(), platform.machine())}"


def made_from(folder: Path, pins: str) -> bool:
    """Was it installed from these very pins? Whoever installs writes them to MARK."""
    mark = folder / MARK
    return mark.is_file() and mark.read_text() == pins


def _run(what: str, command: Sequence[str], cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_S, env=os.environ
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotStarted(f"{what} cannot be run: {type(error).__name__}") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotStarted(f"{what} failed: {said[-1][:200] if said else done.returncode}")
