"""``hub audit rules``: the alert rules as they are set, changing one, trying one on the past."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import click
from sqlalchemy import select

from audit.alerts import limits_of, set_rule, tried
from audit.rules import ALWAYS, RULES, Hit, Limits
from hub.cli.audit import audit
from hub.cli.audit.alerts import NotAnOfficer, said_in_one_line, when
from hub.cli.chosen import DIR, chosen, store_of
from hub.cli.say import JSON, USAGE, as_json, stop
from hub.settings import Settings
from store.audit import audit_head
from store.engine import open_engine, single

HITS_SHOWN = 10
THRESHOLD = click.option("--threshold", type=click.IntRange(1), help="从几起告警")
WINDOW = click.option("--window-s", type=click.IntRange(1), help="在多少秒之内")


@audit.group(help="告警规则：列出、变更、在过去的记录上试算。")
def rules() -> None:
    """The group."""


@rules.command("list", help="列出规则、阈值与时段。")
@DIR
@JSON
def list_(folder: Path | None, json_: bool) -> None:
    """As they are set."""
    with said_in_one_line():
        limits = asyncio.run(_limits(store_of(folder)))
    if json_:
        as_json({name: {"title": RULES[name].title, **asdict(one)} for name, one in limits.items()})
        return
    for name, one in limits.items():
        off = "" if one.enabled else "  已停用"
        click.echo(f"{name}  {RULES[name].title}：{RULES[name].said(one)}{off}")


@rules.command("set", help="变更一条规则；变更本身留痕并告警。")
@click.argument("rule")
@THRESHOLD
@WINDOW
@click.option("--on/--off", "enabled", default=None, help="启用或停用")
@click.option("--by", required=True, help="审计员的账号")
@DIR
def set_(
    rule: str,
    threshold: int | None,
    window_s: int | None,
    enabled: bool | None,
    by: str,
    folder: Path | None,
) -> None:
    """What is not given stays."""
    _known(rule)
    if threshold is None and window_s is None and enabled is None:
        stop("请给出 --threshold、--window-s、--on 或 --off 中的至少一项", USAGE)
    if rule in ALWAYS and enabled is False:
        stop(f"规则 {rule} 不能停用：否则停用其他规则无人知晓", USAGE)
    settings, _ = chosen(folder)
    with said_in_one_line():
        limits = asyncio.run(_changed(settings, rule, threshold, window_s, enabled, by))
    off = "" if limits.enabled else "，已停用"
    click.echo(f"规则 {rule}：{RULES[rule].said(limits)}{off}")


@rules.command("try", help="在过去的记录上试算一条规则：会告警几次，不作任何改动。")
@click.argument("rule")
@click.option("--since", type=click.IntRange(0), default=0, help="从第几条记录起，默认从头")
@THRESHOLD
@WINDOW
@DIR
@JSON
def try_(
    rule: str,
    since: int,
    threshold: int | None,
    window_s: int | None,
    folder: Path | None,
    json_: bool,
) -> None:
    """With the rule's own numbers, or with those given."""
    _known(rule)
    if RULES[rule].health:
        stop(f"规则 {rule} 看的是此刻的状况，不能在过去的记录上试算", USAGE)
    with said_in_one_line():
        size, hits = asyncio.run(_tried(store_of(folder), rule, since, threshold, window_s))
    about = Counter(hit.actor for hit in hits)
    if json_:
        told = {"rule": rule, "since": since, "records": size - since, "hits": len(hits)}
        as_json(told | {"about": dict(about.most_common())})
        return
    click.echo(f"{max(0, size - since)} 条记录中，规则 {rule} 会告警 {len(hits)} 次")
    for actor, count in about.most_common(HITS_SHOWN):
        first = next(hit for hit in hits if hit.actor == actor)
        click.echo(f"  {actor or '日志'}  {count} 次，首次 {when(first.start)}，计 {first.count}")


def _known(rule: str) -> None:
    if rule not in RULES:
        stop(f"没有规则 `{rule}`：请用 hub audit rules list 查看", USAGE)


def _with(limits: Limits, threshold: int | None, window_s: int | None) -> Limits:
    return replace(
        limits, threshold=threshold or limits.threshold, window_s=window_s or limits.window_s
    )


async def _limits(url: str) -> dict[str, Limits]:
    async with single(url, readonly=True) as connection:
        return await limits_of(connection)


async def _changed(
    settings: Settings,
    rule: str,
    threshold: int | None,
    window_s: int | None,
    enabled: bool | None,
    by: str,
) -> Limits:
    from hub.recording import is_officer, recording

    async with recording(settings) as (engine, log):
        if not await is_officer(engine, by):
            raise NotAnOfficer
        async with engine.connect() as connection:
            before = (await limits_of(connection))[rule]
        after = _with(before, threshold, window_s)
        after = after if enabled is None else replace(after, enabled=enabled)
        await set_rule(engine, log, rule, after, by=by)
        return after


async def _tried(
    url: str, rule: str, since: int, threshold: int | None, window_s: int | None
) -> tuple[int, list[Hit]]:
    engine = open_engine(url, pool_size=1, readonly=True)
    try:
        async with engine.connect() as connection:
            set_to = (await limits_of(connection))[rule]
            size = await connection.scalar(select(audit_head.c.size)) or 0
        limits = replace(_with(set_to, threshold, window_s), enabled=True)
        return size, [hit async for hit in tried(engine, {rule: limits}, since)]
    finally:
        await engine.dispose()
