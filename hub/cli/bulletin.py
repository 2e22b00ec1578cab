"""``hub bulletin``: a month frozen, shown, verified and compared with what is known now; a quarter
ranked. What is frozen is never changed; freezing twice gives what was frozen first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from catalog.bulletin import GroupKind
from catalog.errors import AuditUnavailable, Readable
from catalog.groups import group_name
from hub.cli.chosen import DIR, chosen
from hub.cli.grid import grid
from hub.cli.say import FAILED, JSON, OPERATOR, as_json, no_store, stop
from hub.cli.signed import BY
from hub.telemetry import logs

if TYPE_CHECKING:
    from catalog.load import Catalog
    from hub.settings import Settings
    from store.bulletins import Bulletin, Ranking

T = TypeVar("T")

MONTH = click.argument("month")
NONE = "—"
GROUP = click.option(
    "--group",
    type=click.Choice([kind.value for kind in GroupKind]),
    default=GroupKind.COUNTY.value,
    help="按何种分组：全县、乡镇、承办部门、服务事项；默认全县",
)


@click.group(help="月度通报与季度红黑榜：冻结后不再改动，以后的变化另列为调整。")
def bulletin() -> None:
    """The group."""
    logs.configure("CRITICAL")  # what is wrong is said in one line, below


@bulletin.command(help="冻结一个月（如 2026-10）的通报，由领导小组办公室签署并留痕；已冻结的不变。")
@MONTH
@BY
@DIR
@JSON
def freeze(month: str, by: str, folder: Path | None, json_: bool) -> None:
    """0 frozen now or before, 1 refused, 3 store."""
    from hub import bulletins

    settings, words, now = _selected(folder)
    found, new = _run(bulletins.freeze(settings, words, month, by=by, now=now))
    if json_:
        as_json(_plain(found) | {"new": new})
        return
    said = "已冻结" if new else "此前已冻结，未作改动"
    click.echo(f"{found.month} 通报{said}，sha256 {found.sha256}")


@bulletin.command(help="查看一个月的通报；写季度（如 2026-Q4）则查看红黑榜。")
@click.argument("period", metavar="MONTH|QUARTER")
@GROUP
@DIR
@JSON
def show(period: str, group: str, folder: Path | None, json_: bool) -> None:
    """0, 1 if there is none, 3 store."""
    from hub import bulletins

    settings, words, _ = _selected(folder)
    if "Q" in period:
        ranked = _run(bulletins.ranking(settings, period))
        if ranked is None:
            stop(f"{period} 没有红黑榜：请先运行 hub bulletin rank {period}", FAILED)
        _show_ranking(ranked, words, json_)
        return
    found = _run(bulletins.frozen(settings, period))
    whole = json.loads(found.document)
    if json_:
        as_json(_plain(found) | {"document": whole})
        return
    click.echo(f"{found.month} 通报，{found.frozen_at:%Y-%m-%dT%H:%MZ} 由 {found.frozen_by} 冻结")
    click.echo(f"口径 {found.edition}，sha256 {found.sha256}")
    named = [one for one in whole["groups"] if one["kind"] == group]
    titles = {figure["code"]: figure["title"] for figure in whole["edition"]["figures"]}
    rows = [["指标", *(_name(words, one) for one in named)]]
    rows += [
        [title, *(one["figures"].get(code, NONE) for one in named)]
        for code, title in titles.items()
    ]
    for line in grid(rows):
        click.echo(line)
    for line in _absences(words, titles, named):
        click.echo(line)


@bulletin.command(help="核验一个月的通报：由冻结的输入与参数重算，逐字节比较，指出首处不同。")
@MONTH
@DIR
@JSON
def verify(month: str, folder: Path | None, json_: bool) -> None:
    """0 as it was frozen, 1 not or none, 3 store."""
    from hub import bulletins

    settings, _, _ = _selected(folder)
    fault = _run(bulletins.verify(settings, month))
    if json_:
        as_json({"month": month, "same": fault is None, "fault": fault})
    elif fault is None:
        click.echo(f"{month} 通报与冻结时逐字节相同")
    if fault is not None:
        stop(f"{month} 通报核验不符：{fault}", FAILED)


@bulletin.command(help="列出一个月的调整：按现有数据重算，与冻结的通报逐项比较；通报本身不改。")
@MONTH
@DIR
@JSON
def adjustments(month: str, folder: Path | None, json_: bool) -> None:
    """0 listed, 1 none frozen, 3 store."""
    from hub import bulletins

    settings, words, now = _selected(folder)
    found = _run(bulletins.adjustments(settings, month, now=now))
    if json_:
        as_json([asdict(one) for one in found])
        return
    rows = [["分组", "指标", "冻结", "现在", "差"]]
    for one in found:
        group = _name(words, {"kind": one.kind.value, "code": one.code})
        figure = words.codes["FigureCode"].get(one.figure, one.figure)
        rows.append([group, figure, one.frozen or NONE, one.now or NONE, one.difference or NONE])
    if found:
        for line in grid(rows):
            click.echo(line)
    click.echo(f"{month} 调整 {len(found)} 项")


@bulletin.command(
    help="季度红黑榜（如 2026-Q4）：只据三个月已冻结的通报，由办公室签署并留痕；已排的不变。"
)
@click.argument("quarter")
@BY
@DIR
@JSON
def rank(quarter: str, by: str, folder: Path | None, json_: bool) -> None:
    """0 ranked now or before, 1 refused, 3 store."""
    from hub import bulletins

    settings, words, now = _selected(folder)
    found, _ = _run(bulletins.rank(settings, words, quarter, by=by, now=now))
    _show_ranking(found, words, json_)


# ---- what is said


def _show_ranking(found: Ranking, words: Catalog, json_: bool) -> None:
    whole = json.loads(found.document)
    if json_:
        as_json(_plain(found) | {"document": whole})
        return
    click.echo(
        f"{found.quarter} 红黑榜，{found.ranked_at:%Y-%m-%dT%H:%MZ} 由 {found.ranked_by} 排出"
    )
    click.echo(f"办法 {found.edition}，sha256 {found.sha256}")
    rows = [["分组", "名次", "得分", "件数", "榜", "说明"]]
    rows += [_place(words, one, whole["edition"]) for one in whole["places"]]
    for line in grid(rows):
        click.echo(line)


def _place(words: Catalog, one: Mapping[str, Any], edition: Mapping[str, Any]) -> list[str]:
    titles = {c["code"]: c["title"] for c in (*edition["figures"], *edition["components"])}
    said = words.codes["RankingReason"].get(one["reason"] or "", "")
    if one["missing"] and one["rank"] is not None:
        lost = (titles.get(name.rpartition(".")[2], name) for name in one["missing"])
        said = f"无数：{'、'.join(lost)}；无数的项，权重按比例分给其余各项"
    return [
        _name(words, one),
        str(one["rank"] or NONE),
        one.get("score", NONE),
        str(one["cases"]),
        words.codes["RankingList"].get(one["list"] or "", NONE),
        said,
    ]


def _absences(
    words: Catalog, titles: Mapping[str, str], groups: Sequence[Mapping[str, Any]]
) -> list[str]:
    """One line a reason: which figures some group has none of."""
    found: dict[str, list[str]] = {}
    for code, title in titles.items():
        for reason in sorted({one["absent"][code] for one in groups if code in one["absent"]}):
            found.setdefault(reason, []).append(title)
    said = words.codes["FigureAbsence"]
    return [f"{NONE} {said.get(why, why)}：{'、'.join(names)}" for why, names in found.items()]


def _name(words: Catalog, group: Mapping[str, Any]) -> str:
    """What people call a group."""
    return group_name(words, group["kind"], group["code"])


def _plain(found: Bulletin | Ranking) -> dict[str, Any]:
    """As JSON values, without the texts."""
    told = asdict(found)
    for name in ("document", "parameters"):
        told.pop(name, None)
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in told.items()
    }


# ---- the store


def _selected(folder: Path | None) -> tuple[Settings, Catalog, datetime]:
    """The settings, their catalogue, and now: in a demonstration not before its own day."""
    from catalog.workdays import ZONE
    from hub.demo.county import AS_OF
    from hub.placing import catalogue

    settings, site = chosen(folder)
    now = datetime.now(UTC)
    if site is not None:
        now = max(now, datetime.combine(AS_OF, time(), ZONE).astimezone(UTC))
    return settings, catalogue(settings), now


def _run(asked: Coroutine[Any, Any, T]) -> T:
    """What it gives; a refusal or a store that does not answer is one line."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return asyncio.run(asked)
    except Readable as error:
        stop(str(error), FAILED)
    except AuditUnavailable as error:
        stop(f"{error.code}: {error.message}", OPERATOR)
    except (SQLAlchemyError, OSError):
        no_store()
