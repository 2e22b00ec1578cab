"""``hub doctor`` and ``hub version``."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import click
from sqlalchemy.exc import SQLAlchemyError

from hub.cli.chosen import DIR, chosen
from hub.cli.say import FAILED, JSON, as_json
from hub.demo.site import Site
from hub.keys import KeysError, load_keys
from hub.settings import Profile, Settings, SettingsError
from hub.telemetry import logs

FREE_SHARE = 0.2  # below a fifth of the disk the log must be moved (audit 1.12)


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: did it hold, and what to do if not. `warns`: it is no fault, but to be known."""

    ok: bool
    what: str
    remedy: str = ""
    warns: bool = False

    @property
    def told(self) -> bool:
        """Somebody should read the remedy."""
        return self.warns or not self.ok


@click.command(help="检查运行环境，逐项说明如何处理；有一项不通过即以 1 退出。")
@DIR
@JSON
def doctor(folder: Path | None, json_: bool) -> None:
    """Run every check."""
    logs.configure("ERROR")
    findings = list(_checks(folder))
    if json_:
        as_json([asdict(f) | ({} if f.told else {"remedy": ""}) for f in findings])
    else:
        for finding in findings:
            click.echo(_line(finding))
    raise SystemExit(0 if all(f.ok for f in findings) else FAILED)


@click.command(help="打印版本。")
def version() -> None:
    """The distribution's version."""
    click.echo(importlib.metadata.version("data-sharing-hub"))


def _line(finding: Finding) -> str:
    if not finding.told:
        return f"[正常] {finding.what}"
    return f"[{'注意' if finding.ok else '异常'}] {finding.what}：{finding.remedy}"


def _checks(folder: Path | None) -> Iterator[Finding]:
    yield Finding(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "请用 3.11 以上")
    yield _casbin()
    found = importlib.util.find_spec("websockets") is not None
    yield Finding(found, "WebSocket 库", "请安装 websockets")
    try:
        settings, site = chosen(folder)
    except SettingsError as error:
        yield Finding(False, "设置", "；".join(error.lines))
        return
    yield from _plain(settings)
    yield from _exporters(settings)
    yield _disk(settings.data_dir)
    stored = _store(settings.store_url)
    yield stored
    if stored.ok:
        yield from _clients(settings.store_url)
    words = (_catalogue(settings), _keys(settings))
    yield from words
    if all(finding.ok for finding in words):
        yield from _copies(settings)
        yield from _sources(settings, site)


def _exporters(settings: Settings) -> Iterator[Finding]:
    """What a setting asks for is an extra that may not be installed; `hub serve` refuses then."""
    asked = {
        "telemetry.otlp_url": (settings.telemetry_otlp_url, "otlp.proto.http", "otlp"),
        "telemetry.metrics": (settings.telemetry_metrics, "prometheus", "prometheus"),
    }
    for key, (value, module, extra) in asked.items():
        if value:
            remedy = f"请安装附加包：pip install 'data-sharing-hub[{extra}]'"
            yield Finding(_importable(f"opentelemetry.exporter.{module}"), key, remedy)


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:  # a parent of it is not there
        return False


def _plain(settings: Settings) -> Iterator[Finding]:
    """Addresses that are asked in plain text across a network. The address itself is not said."""
    asked = {f"sources.{name}": address for name, address in settings.sources.items()}
    asked |= {"alerts.webhook_url": settings.alerts_webhook_url or ""}
    asked |= {"telemetry.otlp_url": settings.telemetry_otlp_url or ""}
    asked |= {f"witness.urls[{n}]": url for n, url in enumerate(settings.witness_urls)}
    for key, address in asked.items():
        if _is_plain(address):
            remedy = "请改用 https://；暂不能改的，只经专线访问"
            yield Finding(True, f"{key} 以明文 http:// 访问", remedy, warns=True)


def _is_plain(address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme != "http":
        return False
    try:
        return not ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname != "localhost"


def _casbin() -> Finding:
    names = {d.metadata["Name"] for d in importlib.metadata.distributions()}
    return Finding("casbin" not in names, "策略引擎 pycasbin", "请卸载同名的旧包 casbin")


def _catalogue(settings: Settings) -> Finding:
    from catalog.errors import CatalogError
    from hub.placing import catalogue

    try:
        catalog = catalogue(settings)
    except CatalogError as error:
        return Finding(False, "目录", str(error))
    except SettingsError as error:
        return Finding(False, "设置", "；".join(error.lines))
    return Finding(True, f"目录 {len(catalog.sources)} 个数据源、{len(catalog.datasets)} 个数据集")


def _keys(settings: Settings) -> Finding:
    try:
        load_keys(settings.keys_dir, create=settings.profile is Profile.DEMO)
    except KeysError as error:
        return Finding(False, "密钥", str(error))
    return Finding(True, "密钥")


def _store(url: str) -> Finding:
    from store import migrate

    try:
        current, head = migrate.status(url)
    except (SQLAlchemyError, OSError):
        return Finding(False, "数据库", "无法连接：请检查 store.url")
    return Finding(current == head, f"数据库版本 {current or '空'}", "请运行 hub db upgrade")


def _clients(url: str) -> Iterator[Finding]:
    """Machine clients that will soon not be let in any more."""
    from hub.cli.client import ending, read
    from hub.rights import today

    for one in asyncio.run(read(url))[0]:
        end = ending(one, today()) if one.state == "active" else ""
        if end:
            remedy = "请提醒所属部门，续办或停用"
            yield Finding(True, f"应用 {one.id}（{one.dept}）{end}", remedy, warns=True)


def _copies(settings: Settings) -> Iterator[Finding]:
    """What lies outside the store, and whether its database is fit for it."""
    from hub.placing import catalogue, copies, unfit

    words = catalogue(settings)
    for name, address in copies(settings).items():
        held = "、".join(d.name for d in words.sources[name].datasets)
        why = unfit(address, words, settings.source_deadline_s)
        yield Finding(not why, f"存放在数据源 {name} 的数据集 {held}", f"数据源 {name} {why}")


def _sources(settings: Settings, site: Site | None) -> Iterator[Finding]:
    """Ask every source whether it is there; a demonstration brings its HTTP system along."""
    from hub.app import assemble
    from hub.demo.run import connected

    with connected(site) if site else contextlib.nullcontext(settings) as known:
        for name, down in asyncio.run(_pinged(lambda: assemble(known))):
            yield Finding(not down, f"数据源 {name}", down)


async def _pinged(make: Callable[[], object]) -> list[tuple[str, str]]:
    from catalog.errors import HubError
    from hub.worker import Hub

    made = make()
    assert isinstance(made, Hub)  # noqa: S101  what assemble gives
    found = []
    for name, source in made.sources.items():
        try:
            await source.ping()
            found.append((name, ""))
        except HubError as error:
            found.append((name, error.message))
        await source.close()
    await made.store.dispose()
    return found


def _disk(folder: Path) -> Finding:
    existing = folder if folder.exists() else Path(os.sep)
    usage = shutil.disk_usage(existing)
    free = usage.free / usage.total
    return Finding(free >= FREE_SHARE, f"磁盘空余 {free:.0%}", "请清理或扩容：日志写满即停止服务")
