"""The README's commands exist and run; its query gets that answer and leaves that record."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from hub.cli import cli

ELLIPSIS = "…"  # a value that differs from run to run
_HUB = re.compile(r"^(?:HUB_\w+=\S+ )?(?:\.venv/bin/)?hub ([^#>\n]+)", re.MULTILINE)
_MAKE = re.compile(r"\bmake (?!\.venv)([a-z]+)")


def _fits(told: Any, found: Any) -> bool:
    """Equal, but for what the page leaves open."""
    if told == ELLIPSIS:
        return found not in (None, "")
    if isinstance(told, dict) and isinstance(found, dict):
        return told.keys() == found.keys() and all(_fits(told[k], found[k]) for k in told)
    if isinstance(told, list) and isinstance(found, list):
        return len(told) == len(found) and all(map(_fits, told, found))
    return bool(told == found)


def _known(words: list[str]) -> bool:
    """Is this a verb with these options? Nothing is run."""
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        if found is None:
            return False
        command, words = found, words[1:]
    try:
        command.make_context("hub", list(words), parent=context)
    except click.UsageError:
        return False
    return True


def test_every_hub_command_of_every_page_is_one(
    pages: list[Any], desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk)
    (desk / "question.graphql").touch()
    blocks = [block for page in pages for block in page.blocks("")]
    commands = [line.split() for block in blocks for line in _HUB.findall(block)]
    assert len(commands) >= 8
    assert [words for words in commands if not _known(words)] == []
    assert not _known(["explain", "examples/township_clerk.graphql", "--who", "x"])


def test_every_make_command_of_every_page_is_a_target(pages: list[Any], root: Path) -> None:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    coded = "\n".join(
        text
        for page in pages
        for text in (*page.blocks(""), *re.findall(r"`(make [^`]+)`", page.prose))
    )
    asked = set(_MAKE.findall(coded))
    assert {"demo", "serve", "test"} <= asked
    assert asked <= targets


def test_the_opening_is_three_commands_each_one_word(page: Callable[[str], Any]) -> None:
    opening = page("README.md").blocks("")[0].splitlines()
    assert [line.split("#")[0].strip() for line in opening[1:]] == [
        "make demo",
        "make serve",
        "make test",
    ]


def test_ci_calls_exactly_the_readmes_check_and_test_commands(
    page: Callable[[str], Any], root: Path
) -> None:
    script = (root / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    called = [line for line in script if line.startswith("make")]
    assert called == ["make check", "make test", "make test-browser"]
    assert [line for line in called if f"`{line}`" not in page("README.md").prose] == []
    assert script[-3:] == called  # and nothing else comes after the checkout is entered
    assert script[-4].startswith("cd ")


@pytest.mark.loopback
def test_the_example_commands_run_as_they_stand(
    page: Callable[[str], Any], desk: Path, run: Callable[..., Any]
) -> None:
    (block,) = [b for b in page("README.md").blocks("") if "demo --once" in b]
    done = run(f"set -e\n{block}", desk)
    assert done.returncode == 0, done.stderr
    answer = json.JSONDecoder().raw_decode(done.stdout)[0]
    assert answer["data"]["citizen"]["name"] == "陆云山"
    assert "操作 query TownshipClerk" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("日志完好：")


@pytest.mark.loopback
def test_the_query_gets_this_answer_and_leaves_this_record(
    page: Callable[[str], Any], desk: Path, run: Callable[..., Any]
) -> None:
    readme = page("README.md")
    (query,) = readme.blocks("graphql")
    variables, answer, record = readme.blocks("json")
    (desk / "readme.graphql").write_text(query, encoding="utf-8")
    (desk / "readme.variables.json").write_text(variables, encoding="utf-8")

    done = run("hub demo --once readme.graphql --as zhelai-town-01", desk)

    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert _fits(json.loads(answer), got), done.stdout
    with sqlite3.connect(desk / "demo-data" / "store.sqlite") as store:
        (body,) = store.execute(
            "SELECT body FROM audit_event WHERE idx = ?", (got["extensions"]["audit"]["idx"],)
        ).fetchone()
    store.close()
    assert _fits(json.loads(record), json.loads(body)), body
    assert json.loads(variables)["idNumber"] not in body
