"""How verbs speak: progress on a terminal only, one line for a refusal, exit codes.

0 ok · 1 a check failed · 2 usage · 3 needs the operator.
"""

from __future__ import annotations

import json
import sys
from typing import NoReturn

import click

FAILED, USAGE, OPERATOR = 1, 2, 3
JSON = click.option("--json", "json_", is_flag=True, help="以 JSON 输出")
WIDTH = 30


class Progress:
    """One line that is rewritten, on standard error, and only if somebody watches."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._shown = ""

    def __call__(self, what: str, part: float) -> None:
        """`what` is being done, `part` of it (0 … 1) is."""
        if not self._on:
            return
        done = int(part * WIDTH)
        line = f"\r{what} [{'#' * done}{' ' * (WIDTH - done)}] {part:4.0%}"
        if line != self._shown:
            click.echo(line, nl=False, err=True)
            self._shown = line

    def done(self) -> None:
        """Clear the line."""
        if self._shown:
            click.echo("\r\033[K", nl=False, err=True)
            self._shown = ""


def as_json(value: object) -> None:
    """Print `value` for programs: one JSON text on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False))


def no_store() -> NoReturn:
    """The store does not answer, or is not of this version."""
    stop("数据库无法连接，或尚未升级：请检查 store.url，运行 hub db upgrade", OPERATOR)


def stop(message: str, code: int) -> NoReturn:
    """Say why on standard error and end."""
    click.echo(message, err=True)
    sys.exit(code)
