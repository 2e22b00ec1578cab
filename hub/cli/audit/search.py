"""``hub audit search``, ``subject``, ``actor``: the officer's questions without a browser."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from catalog.errors import HubError, Readable
from hub.cli.audit import audit
from hub.cli.chosen import DIR, chosen
from hub.cli.say import FAILED, JSON, OPERATOR, USAGE, as_json, no_store, stop

WHO = click.option("--as", "account", required=True, help="审计员的账号；此次查询记在其名下")
SINCE = click.option("--since", help="从此时起（含），如 2026-11-26T08:00:00+08:00")
UNTIL = click.option("--until", help="到此时止（不含）")
FIRST = click.option("--first", type=click.IntRange(1, 100), default=20, help="几行，默认 20")
AFTER = click.option("--after", help="上一页末尾的游标")
PAGED = (SINCE, UNTIL, FIRST, AFTER, DIR, JSON)
NUMBER_DIGITS = 40  # read from standard input; what is longer is no id number

EVENTS = """query AuditSearch($f: AuditFilter!, $first: Int!, $after: String) {
  page: auditEvents(filter: $f, first: $first, after: $after) { totalCount
    pageInfo { hasNextPage endCursor }
    nodes { idx at kind outcome actor purpose operation caseRef rowCount subjectCount } } }"""
SUBJECT = """query AuditSubjectOf($of: AuditSubjectKey!, $since: DateTime, $until: DateTime,
  $first: Int!, $after: String) {
  page: subjectAccess(of: $of, since: $since, until: $until, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { idx at how kind outcome actor actorOrg purpose caseRef operation } } }"""
ACTOR = """query AuditActorOf($a: String!, $since: DateTime, $until: DateTime, $first: Int!,
  $after: String) {
  page: actorActivity(actor: $a, since: $since, until: $until, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { at kind outcome events subjects } } }"""


def _paged(verb: Callable[..., None]) -> Callable[..., None]:
    """A period and a page of it, which every question takes."""
    return reduce(lambda deed, option: option(deed), reversed(PAGED), verb)


@audit.command(help="查事件，新的在前；查询本身留痕。")
@WHO
@click.option("--actor", help="账号")
@click.option("--org", help="单位的部门代码")
@click.option("--kind", help="类别，如 READ")
@click.option("--outcome", help="结果，如 DENIED")
@click.option("--purpose", help="用途代码")
@click.option("--case-ref", "caseRef", help="关联编号")
@click.option("--operation", help="操作名")
@click.option("--division", help="岗位所在区划（12 位代码）及其下级")
@click.option("--shown", help="给出过某字段：字段=方式，如 Citizen.phone=CLEAR")
@_paged
def search(
    account: str,
    shown: str | None,
    first: int,
    after: str | None,
    folder: Path | None,
    json_: bool,
    **asked: str | None,
) -> None:
    """0 told, 1 refused, 2 usage, 3 store."""
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if shown is not None:
        field, _, state = shown.partition("=")
        given["shown"] = {"field": field, "state": state or "CLEAR"}
    variables = {"f": given, "first": first, "after": after}
    _tell(folder, account, EVENTS, variables, json_, _event)


@audit.command(help="谁看过、查过一个人，新的在前；证件号码从标准输入读取，不写在命令里。")
@WHO
@click.option("--person", help="人员代号；不给则从标准输入读取证件号码")
@_paged
def subject(
    account: str,
    person: str | None,
    since: str | None,
    until: str | None,
    first: int,
    after: str | None,
    folder: Path | None,
    json_: bool,
) -> None:
    """An argument would stand in the machine's list of programs, for everybody to read."""
    of = {"person": person} if person else {"idNumber": _number()}
    variables = {"of": of, "since": since, "until": until, "first": first, "after": after}
    _tell(folder, account, SUBJECT, variables, json_, _access)


@audit.command(help="一个账号每小时做了什么，新的在前。")
@click.argument("actor")
@WHO
@_paged
def actor(
    actor: str,
    account: str,
    since: str | None,
    until: str | None,
    first: int,
    after: str | None,
    folder: Path | None,
    json_: bool,
) -> None:
    """0 told, 1 refused, 3 store."""
    variables = {"a": actor, "since": since, "until": until, "first": first, "after": after}
    _tell(folder, account, ACTOR, variables, json_, _hour)


def _number() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("证件号码", hide_input=True))
    return sys.stdin.readline(NUMBER_DIGITS).strip()


def _tell(
    folder: Path | None,
    account: str,
    text: str,
    variables: Mapping[str, Any],
    json_: bool,
    line: Callable[[Mapping[str, Any]], str],
) -> None:
    from hub.asked import NoPost, asked

    settings, _ = chosen(folder)
    try:
        found = asyncio.run(asked(settings, account, "audit", text, variables))
    except NoPost as error:
        stop(str(error), USAGE)
    except HubError as error:
        stop(f"{error.code}: {error.message}", OPERATOR)
    except Readable as error:
        stop(str(error), OPERATOR)
    except (SQLAlchemyError, OSError):
        no_store()
    if json_:
        as_json(found)
    for fault in found.get("errors", ()):
        said = fault["extensions"]
        click.echo(f"{said['code']} {said.get('reason') or ''} {fault['message']}", err=True)
    page = (found.get("data") or {}).get("page")
    if page is None:
        raise SystemExit(FAILED)
    if not json_:
        for node in page["nodes"]:
            click.echo(line(node))
        more = page["pageInfo"]
        click.echo(f"共 {page['totalCount']} 行，列出 {len(page['nodes'])} 行")
        if more["hasNextPage"]:
            click.echo(f"下一页：--after {more['endCursor']}")


def _event(node: Mapping[str, Any]) -> str:
    names = ("idx", "at", "kind", "outcome", "actor", "purpose", "operation", "caseRef")
    return f"{_words(node, *names)} {node['rowCount']} 行 {node['subjectCount']} 人"


def _access(node: Mapping[str, Any]) -> str:
    names = ("idx", "at", "how", "kind", "outcome", "actor", "actorOrg", "purpose", "caseRef")
    return _words(node, *names)


def _hour(node: Mapping[str, Any]) -> str:
    return f"{_words(node, 'at', 'kind', 'outcome')} {node['events']} 次 {node['subjects']} 人次"


def _words(node: Mapping[str, Any], *names: str) -> str:
    return " ".join("—" if node[name] in (None, "") else str(node[name]) for name in names)
