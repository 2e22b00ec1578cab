"""Every setting and every verb has its heading, each verb's options and exit codes are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from authz.keeper import FRESH_S, MAX_AGE_S, POLL_ALONE_S
from hub.cli import cli
from hub.settings import CONFIG, SETTINGS, TABLES
from hub.witness.program import cli as witness

PAGE = "docs/operations.md"


def _verbs(group: click.Group, above: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _verbs(command, f"{above} {name}")
        else:
            yield f"{above} {name}", command


def _headings(page: Any, *, verbs: bool) -> list[str]:
    found = [h.strip("`") for h in page.headings(3)]
    return [h for h in found if h.startswith(("hub ", "hub-witness ")) is verbs]


def _every_verb() -> list[tuple[str, click.Command]]:
    return [*_verbs(cli, "hub"), *_verbs(witness, "hub-witness")]


def test_every_setting_has_its_heading_and_no_other(page: Callable[[str], Any]) -> None:
    told = _headings(page(PAGE), verbs=False)
    assert sorted(told) == sorted([CONFIG, *SETTINGS, *TABLES])


def test_every_default_is_told(page: Callable[[str], Any]) -> None:
    for name, setting in SETTINGS.items():
        default = setting.default
        if isinstance(default, int | float | str):
            shown = f"{default:g}" if isinstance(default, float) else str(default)
            assert shown in page(PAGE).section(f"`{name}`"), name


def test_how_soon_a_policy_counts_is_what_the_keeper_does(page: Callable[[str], Any]) -> None:
    told = page(PAGE).section("策略变更多久生效")
    for said in (f"每 {POLL_ALONE_S:g} 秒", f"{FRESH_S:g} 秒以上", f"{MAX_AGE_S:g} 秒以上"):
        assert said in told


def test_every_verb_has_its_heading_and_no_other(page: Callable[[str], Any]) -> None:
    told = _headings(page(PAGE), verbs=True)
    assert sorted(told) == sorted(name for name, _ in _every_verb())


def test_every_option_is_told_below_its_verb(page: Callable[[str], Any]) -> None:
    missing = []
    for name, command in _every_verb():
        section = page(PAGE).section(f"`{name}`")
        flags = [p.opts[0] for p in command.params if isinstance(p, click.Option)]
        missing += [f"{name} {flag}" for flag in flags if f"`{flag}`" not in section]
    assert missing == []


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("hub explain question.txt --as nobody --dir demo-data", 2),
        ("hub config show", 3),
        ("hub authz explain --as nobody --on Citizen.basic --region 532622 --purpose audit", 2),
        ("hub authz diff 1 99", 2),
        ("hub authz check question.txt", 2),
    ],
)
def test_exit_codes_are_those_of_the_page(
    command: str, code: int, desk: Path, run: Callable[..., Any]
) -> None:
    (desk / "question.txt").write_text("{ viewer { account } }", encoding="utf-8")
    assert run(command, desk).returncode == code
