"""The suites' tools below ``.cache/conformance``: npm packages and a Python environment.

They are installed when they are first needed and made anew when a pin changes. None is a
dependency of the product, and none is in git.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.installed import MARK, made_from, system

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "conformance"
NODE, PYTHON = CACHE / "node", CACHE / "python"
INSTALL_S = 600


class NotInstalled(Exception):
    """A tool could not be had; the text says why."""


def node() -> tuple[Path, Path]:
    """(the program, the folder suites run in): our files beside the packages they name."""
    package = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    program = f"node-{system()}"
    package["dependencies"][program] = package.pop("node")
    pins = json.dumps(package, indent=1)
    if not made_from(NODE, pins):
        shutil.rmtree(NODE, ignore_errors=True)
        NODE.mkdir(parents=True)
        (NODE / "package.json").write_text(pins)
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        _run("npm", ["npm", "install", *quiet], NODE)
        (NODE / MARK).write_text(pins)
    for file in HERE.iterdir():
        if file.suffix in (".mjs", ".ts", ".graphql"):
            shutil.copy(file, NODE / file.name)
    return NODE / "node_modules" / program / "bin" / "node", NODE


def python() -> Path:
    """The interpreter of the Python tools' environment."""
    pins = (HERE / "requirements.txt").read_text(encoding="utf-8")
    interpreter = PYTHON / "bin" / "python"
    if not made_from(PYTHON, pins):
        shutil.rmtree(PYTHON, ignore_errors=True)
        _run("venv", [sys.executable, "-m", "venv", str(PYTHON)])
        quiet = ["-q", "--disable-pip-version-check", "-r", str(HERE / "requirements.txt")]
        _run("pip", [str(interpreter), "-m", "pip", "install", *quiet])
        (PYTHON / MARK).write_text(pins)
    return interpreter


def _run(what: str, command: Sequence[str], cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"{what} cannot be run: {type(error).__name__}") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotInstalled(f"{what} failed: {said[-1][:200] if said else done.returncode}")
