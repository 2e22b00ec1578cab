"""``hub authz``: why somebody may or may not, what a change of policy means, are the claims true?

Nothing is asked of any source and nothing is recorded: posts and lines are read, no person.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Container, Coroutine, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from authz.rule import ACTS, Rule, minor_of
from catalog.errors import Forbidden, Internal, Readable
from catalog.load import Catalog
from hub.cli.chosen import DIR, selected
from hub.cli.say import FAILED, JSON, OPERATOR, USAGE, as_json, no_store, stop
from hub.settings import Profile, Settings
from hub.telemetry import logs

if TYPE_CHECKING:
    from authz.explanation import Question
    from authz.scenarios import Scenarios

T = TypeVar("T")
_VERSION = re.compile(r"v?([0-9]{1,9})\Z")


@click.group(help="权限：解释一次判定，比较两版策略，核对场景。")
def authz() -> None:
    """The group."""
    logs.configure("CRITICAL")  # what is wrong is said in one line, below


@authz.command(help="解释一次判定：结论、成立的规则及依据、其余规则为何不成立、可及范围。")
@click.option("--as", "account", required=True, help="账号；按它今日的岗位判定")
@click.option("--on", "obj", required=True, help="授权对象，如 Citizen.health")
@click.option("--region", required=True, help="辖区路径，末尾的 000 去掉，如 532622205203")
@click.option("--purpose", required=True, help="用途代码，如 aid.review")
@click.option("--act", default="read", help=f"操作：{' '.join(ACTS)}，默认 read")
@click.option("--owner", help="数据所属部门的代码，默认为提供该数据的部门")
@click.option("--minor", is_flag=True, help="问的是未满十四周岁人员")
@click.option("--case-no", help="诉求编号（X-Case-No）")
@DIR
@JSON
def explain(
    account: str,
    obj: str,
    region: str,
    purpose: str,
    act: str,
    owner: str | None,
    minor: bool,
    case_no: str | None,
    folder: Path | None,
    json_: bool,
) -> None:
    """0 allowed, 1 not, 2 usage."""
    from authz import explanation
    from hub.rights import gate_of

    settings, words = selected(folder)
    asked = _question(words, obj, act, region, owner, minor)
    _known(purpose, words.purposes, "用途")
    gate = _run(gate_of(settings, words, account, purpose, case_no))
    if gate is None:
        stop(f"账号 `{account}` 不存在、已停用或今日没有岗位", USAGE)
    with _judging():
        found = explanation.explain(gate, asked)
    if json_:
        as_json(explanation.as_data(found, words))
    else:
        _echo(explanation.told(found, words))
    raise SystemExit(0 if found.verdict.allowed else FAILED)


@authz.command(help="比较两版策略，或一个策略文件与现行策略：哪些岗位增加、减少了什么。")
@click.argument("what", nargs=-1, required=True, metavar="V1 V2 | FILE")
@DIR
@JSON
def diff(what: tuple[str, ...], folder: Path | None, json_: bool) -> None:
    """0 nothing widened without two signatures, 1 something was, 2 usage."""
    from authz import difference
    from authz.versions import NoVersion
    from hub.rights import today, versions

    settings, words = selected(folder)
    file, numbers = _compared(what)
    try:
        found, held = _run(versions(settings, words, *numbers))
    except NoVersion as error:
        stop(str(error), USAGE)
    before, after, name = found[0], found[-1], str(found[-1].book.version)
    if file is not None:
        after, name = before.under(_policy(file, words, settings)), str(file)
    kinds = [(post.dept, post.role, post.region_path) for post in held]
    changes = difference.differences(before, after, kinds, today(), words)
    entries = difference.grouped(changes, words)
    unsigned = sum(not entry.signed for entry in entries)
    if json_:
        shown = {"before": str(before.book.version), "after": name, "kinds": len(kinds)}
        as_json(shown | {"changes": [asdict(e) for e in entries], "unsigned": unsigned})
    else:
        click.echo(f"策略 {before.book.version} → {name}，按今日在岗的 {len(kinds)} 种岗位比较")
        _echo(difference.told(entries, words))
        click.echo(_summed(len(entries), unsigned))
    raise SystemExit(FAILED if unsigned else 0)


@authz.command(help="核对场景文件（TOML）与现行策略；不给文件则核对随程序附带的场景。")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@DIR
@JSON
def check(file: Path | None, folder: Path | None, json_: bool) -> None:
    """0 all as expected, 1 not, 2 unreadable."""
    from authz.rehearsal import rehearsed
    from authz.review import warnings
    from hub.rights import today, versions

    settings, words = selected(folder)
    scenarios = _scenarios(file, words, settings)
    (version,), _ = _run(versions(settings, words, None))
    with _judging():
        outcomes = rehearsed(scenarios, version.book, words, today())
    warned = warnings(version.book, words, today())
    failed = sum(not one.ok for one in outcomes)
    if json_:
        cases = [asdict(one) | {"ok": one.ok} for one in outcomes]
        as_json({"cases": cases, "failed": failed, "warnings": [asdict(w) for w in warned]})
    else:
        for one in outcomes:
            missed = "" if one.ok else f"：期望 {one.expected}，实得 {one.found}"
            click.echo(f"[{'相符' if one.ok else '不符'}] {one.name}{missed}")
        _echo(f"[提示] {one.text}" for one in warned)
        click.echo(f"场景 {len(outcomes)} 个，不符 {failed} 个；提示 {len(warned)} 条")
    raise SystemExit(FAILED if failed else 0)


# ---- what was asked


def _question(
    words: Catalog, obj: str, act: str, region: str, owner: str | None, minor: bool
) -> Question:
    from authz.explanation import Question

    _known(obj, words.objects, "授权对象")
    _known(act, ACTS, "操作")
    _known(region, words.divisions.by_path, "辖区路径（末尾的 000 须去掉）")
    if owner is not None:
        _known(owner, words.departments, "部门")
    if minor and minor_of(obj) is None:
        stop(f"--minor 不适用于 `{obj}`：只有人员类对象区分未成年人", USAGE)
    return Question(obj, act, region, owner or words.objects[obj].provider, minor)


def _known(value: str, known: Container[str], what: str) -> None:
    if value not in known:
        stop(f"{what} `{value}` 不存在：请核对拼写", USAGE)


def _compared(what: tuple[str, ...]) -> tuple[Path | None, tuple[int | None, ...]]:
    """A file and the version in force (None), or no file and two versions."""
    if len(what) == 1:
        return Path(what[0]), (None,)
    numbers = [_VERSION.match(word) for word in what]
    if len(what) != 2 or None in numbers:
        stop("请写两个版本号（如 3 5），或一个策略文件", USAGE)
    return None, tuple(int(number[1]) for number in numbers if number)


def _policy(file: Path, words: Catalog, settings: Settings) -> tuple[Rule, ...]:
    from authz.start import read_policy

    try:
        return read_policy(file, words, demo=settings.profile is Profile.DEMO)
    except (OSError, UnicodeDecodeError):
        _unreadable(file)
    except Readable as error:
        stop(str(error), USAGE)


def _scenarios(file: Path | None, words: Catalog, settings: Settings) -> Scenarios:
    from authz.scenarios import read_scenarios, shipped

    chosen_file = file or shipped()
    try:
        return read_scenarios(chosen_file, words, demo=settings.profile is Profile.DEMO)
    except OSError:
        _unreadable(chosen_file)
    except Readable as error:
        stop(str(error), USAGE)


def _unreadable(file: Path) -> NoReturn:
    stop(f"文件 {file} 无法按 UTF-8 读取：请检查文件与权限", USAGE)


# ---- the store


def _run(deed: Coroutine[Any, Any, T]) -> T:
    """Ask the store; a refusal or a store that does not answer is one line."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with _judging():
            return asyncio.run(deed)
    except Forbidden as error:
        stop(f"{error.code}: {error.message}（{error.reason}）", FAILED)
    except (SQLAlchemyError, OSError):
        no_store()


@contextlib.contextmanager
def _judging() -> Iterator[None]:
    """Where the two judges disagree nothing is said but that."""
    try:
        yield
    except Internal as error:
        stop(f"{error.code}: {error.message}", OPERATOR)


# ---- what is said


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _summed(entries: int, unsigned: int) -> str:
    head = f"变化 {entries} 项"
    if not unsigned:
        return f"{head}，没有未经两人签署的增加"
    return f"{head}，其中 {unsigned} 项增加未经两人签署：请由另一人复核规则并签署"
