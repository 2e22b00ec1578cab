"""The hub's settings: read once at start, checked, frozen; each value knows where it came from.

    built-in value  <  TOML file named by HUB_CONFIG  <  HUB_* variable  <  command line

``audit.wait_s`` is ``[audit] wait_s`` in the file and ``HUB_AUDIT_WAIT_S`` in the environment;
``[sources]``, ``[source_keys]`` and ``[outages]`` hold one entry a source
(``HUB_SOURCES_YB_SETTLE``), ``[placed]`` one a data set (``HUB_PLACED_CASE``), ``[issuers]`` one an
outside issuer. A name nobody
knows is an error; ``HUB_TEST_*`` belongs to the tests. Every wrong value is one line: name,
value (secrets hidden), origin, what to do.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any

from adapters.drops.delivery import SCHEME, drop_folder
from adapters.resilience import DEADLINE_S as SOURCE_DEADLINE_S
from adapters.resilience import Window
from adapters.web.http import HTTP, is_address, trusted
from audit.note import COSIGNATURE, VerifierKey
from audit.quorum import ALERT_S, REFUSE_S, WARN_S
from audit.record import is_code
from audit.signer import EVERY_S as CHECKPOINT_S
from audit.suite import NAMES as SUITES
from audit.tree import SUITE
from catalog.errors import Readable
from catalog.placing import OWN
from hub import limits
from hub.edge.cors import ORIGIN
from hub.identity.issuers import Issuer, is_safe

PREFIX, CONFIG, FOR_TESTS = "HUB_", "HUB_CONFIG", "HUB_TEST_"
BUILT_IN = "内置默认值"
COMMAND_LINE = "命令行"
HIDDEN = "******"
WITNESS_NAME = 64  # the column's width
AUDIT_WAIT_S = 2.0  # longer than any healthy commit; then the answer is refused (audit 1.6)
PORT = 8532
CONSOLE_IDLE_MIN = 20  # a desk that was left; GB/T 22239 asks for an end, the length is ours
SAMPLE = 0.1  # of the requests: a slow hour shows in ten, a day's spans stay below a gigabyte
MIN_WEBHOOK_KEY = 16  # characters: a shorter key could be searched for
SEGMENT = 1_000_000  # records; some two weeks of a busy county
ONLINE_MONTHS, RETENTION_MONTHS = 13, 36  # a year and the month to look back at it; PIPL 55-56
LAW_MONTHS = 6  # network logs: Cybersecurity Law 21

_PASSWORD = re.compile(r"(?<=:)[^:/@]+(?=@)")
_WITH_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]*:[^/\s]*@")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+\Z")
_HTTP = re.compile(r"https?://[^\s/]+\S*\Z")
_SYSLOG = re.compile(r"(?:udp|tcp)://[^\s/:@]+:\d{1,5}\Z|unix:///\S+\Z")
_PUBLIC = re.compile(r"https?://(?=[^/])[^\s?#@]{1,200}\Z")  # it is printed, and in a QR code
_WEB = re.compile(r"https?://[^\s/]\S*\Z")
_SOURCE = re.compile(r"[a-z][a-z0-9_]*\Z")
_STORES = ("sqlite+aiosqlite:///", "postgresql+asyncpg://")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_MODES = ("open", "log", "enforce")
_FLAGS = {"1": True, "0": False, "true": True, "false": False}


class Profile(StrEnum):
    """demo: invented people, keys made on the spot. production: neither."""

    DEMO = "demo"
    PRODUCTION = "production"


class SettingsError(Readable):
    """One readable line per wrong setting, in `lines`."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Times in seconds, paths absolute, `origins` by setting name.

    `sources` name -> address, `source_keys` name -> its secret, `outages` name -> closing hours,
    `placed` data set of the hub's own -> the source it lies in, which has an address, `issuers`
    name -> an outside issuer of tokens.
    """

    profile: Profile
    data_dir: Path
    keys_dir: Path
    store_url: str = field(repr=False)
    store_row_lock: bool
    jobs_enabled: bool
    host: str
    port: int
    issuer: str
    audience: str
    oauth_enabled: bool
    oauth_url: str
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    synthetic: bool
    audit_wait_s: float
    audit_suite: str
    audit_archive_dir: Path
    audit_copy_dir: Path | None
    audit_segment: int
    audit_online_months: int
    audit_retention_months: int
    audit_checkpoint_s: float
    audit_signer_file: Path
    audit_anchor_file: Path | None
    deadline_s: float
    source_deadline_s: float
    source_ca_file: Path | None
    catalog_extra_dir: Path | None
    page_default: int
    page_max: int
    lookup_per_hour: int
    lookup_misses: int
    documents_person: str
    documents_system: str
    documents_gateway: str
    rate_person: int
    rate_system: int
    rate_gateway: int
    running_person: int
    running_system: int
    running_gateway: int
    cors_origins: tuple[str, ...]
    print_url: str | None
    console_enabled: bool
    console_idle_minutes: int
    alerts_webhook_url: str | None = field(repr=False)
    alerts_webhook_key: str | None = field(repr=False)
    alerts_syslog: str | None
    log_level: str
    telemetry_otlp_url: str | None
    telemetry_metrics: tuple[str, ...]
    telemetry_sample: float
    witness_urls: tuple[str, ...]
    witness_keys: tuple[str, ...]
    witness_quorum: int
    witness_warn_s: float
    witness_alert_s: float
    witness_refuse_s: float
    sources: Mapping[str, str] = field(repr=False)
    source_keys: Mapping[str, str] = field(repr=False)
    outages: Mapping[str, Window]
    placed: Mapping[str, str]
    issuers: Mapping[str, Issuer]
    origins: Mapping[str, str] = field(repr=False)

    @property
    def snapshots_dir(self) -> Path:
        """Where drop folders are loaded to."""
        return self.data_dir / "snapshots"

    def shown(self) -> list[tuple[str, str, str]]:
        """(name, value, origin) of every setting, secrets hidden, for ``hub config show``."""
        rows = []
        for key, setting in SETTINGS.items():
            value = getattr(self, setting.attribute)
            rows.append((key, _shown(setting, value), self.origins.get(key, BUILT_IN)))
        for table, setting in TABLES.items():
            for name, value in getattr(self, setting.attribute).items():
                key = f"{table}.{name}"
                rows.append((key, _shown(setting, value), self.origins[key]))
        return rows

    def objection(self, key: str, remedy: str) -> str:
        """The line of a SettingsError about the setting `key` as it now is."""
        setting = SETTINGS.get(key)
        if setting is not None:
            value = getattr(self, setting.attribute)
        else:
            table, _, name = key.partition(".")
            setting = TABLES[table]
            value = getattr(self, setting.attribute)[name]
        return _line(key, setting, value, self.origins.get(key, BUILT_IN), remedy)


@dataclass(frozen=True, slots=True)
class Given:
    """A value as somebody wrote it, where, and the folder its paths are relative to."""

    value: object
    origin: str
    base: Path


@dataclass(frozen=True, slots=True)
class Setting:
    """How one setting is read. `read` raises ValueError; `remedy` says what would be right."""

    attribute: str
    read: Callable[[Given], Any]
    remedy: str
    default: Any = None
    secret: bool = False


def load_settings(
    environ: Mapping[str, str] | None = None, given: Mapping[str, object] | None = None
) -> Settings:
    """Read file, environment and the command line's `given` (by setting name).

    `environ` defaults to the process's. SettingsError names everything wrong at once.
    """
    variables = os.environ if environ is None else environ
    wrong: list[str] = []
    found = dict(_from_file(variables.get(CONFIG), wrong))
    found |= _from_variables(variables, wrong)
    found |= {key: Given(v, COMMAND_LINE, Path.cwd()) for key, v in (given or {}).items()}
    values = _values(found, wrong)
    if wrong:
        raise SettingsError(tuple(wrong))
    settings = _completed(values, {key: one.origin for key, one in found.items()})
    contradictions = tuple(_contradictions(settings))
    if contradictions:
        raise SettingsError(contradictions)
    return settings


def configured(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the environment speaks of settings at all."""
    variables = os.environ if environ is None else environ
    return any(n.startswith(PREFIX) and not n.startswith(FOR_TESTS) for n in variables)


def _from_file(name: str | None, wrong: list[str]) -> Iterator[tuple[str, Given]]:
    if name is None:
        return
    path = Path(name).absolute()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = "文件不存在或不可读" if isinstance(error, OSError) else "不是 UTF-8 的 TOML"
        wrong.append(f"设置 `{CONFIG}` 的值 `{name}` 无法使用（来自环境变量）：{why}，请改正")
        return
    for key, value in _flat(content):
        setting = _setting(key)
        if setting is None:
            wrong.append(f"设置文件 {path.name} 中的 `{key}` 不是任何设置：{_hint(key, _names())}")
        elif setting.secret or _WITH_PASSWORD.match(str(value)):
            wrong.append(f"设置文件 {path.name} 中的 `{key}` 带有秘密：{_elsewhere(key)}")
        else:
            yield key, Given(value, f"文件 {path.name}", path.parent)


def _elsewhere(key: str) -> str:
    # A settings file is copied, shown and kept in a repository; a secret must not go along.
    table, _, name = key.partition(".")
    file = f"或密钥目录中的文件 sources/{name}" if table in ("sources", "source_keys") else ""
    variable = _variable(f"source_keys.{name}" if table == "sources" else key)
    return f"请从文件中删去，改写在环境变量 {variable}{file}"


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _from_variables(variables: Mapping[str, str], wrong: list[str]) -> dict[str, Given]:
    known = {_variable(key): key for key in SETTINGS}
    found = {}
    for name in sorted(variables):
        if not name.startswith(PREFIX) or name.startswith(FOR_TESTS) or name == CONFIG:
            continue
        key = known.get(name) or _entry(name)
        if key is None:
            wrong.append(f"环境变量 `{name}` 不是任何设置：{_hint(name, [*known, CONFIG])}")
        else:
            found[key] = Given(variables[name], f"环境变量 {name}", Path.cwd())
    return found


def _variable(key: str) -> str:
    return PREFIX + key.replace(".", "_").upper()


def _entry(name: str) -> str | None:
    for table in TABLES:
        prefix = _variable(table) + "_"
        if name.startswith(prefix) and len(name) > len(prefix):
            return f"{table}.{name.removeprefix(prefix).lower()}"
    return None


def _setting(key: str) -> Setting | None:
    table, dot, name = key.partition(".")
    if dot and table in TABLES and _SOURCE.match(name):
        return TABLES[table]
    return SETTINGS.get(key)


def _names() -> list[str]:
    return [*SETTINGS, *TABLES]


def _hint(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"是否应为 `{near[0]}`？" if near else "请删除或改正拼写"


def _values(found: Mapping[str, Given], wrong: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {table: {} for table in TABLES}
    for key, one in found.items():
        setting = _setting(key)
        if setting is None:
            wrong.append(f"`{key}`（来自{one.origin}）不是任何设置：{_hint(key, _names())}")
            continue
        try:
            value = setting.read(one)
        except (ValueError, TypeError):
            wrong.append(_line(key, setting, one.value, one.origin, setting.remedy))
            continue
        table, _, name = key.partition(".")
        if key in SETTINGS:
            values[key] = value
        else:
            values[table][name] = value
    return values


def _line(key: str, setting: Setting, value: object, origin: str, remedy: str) -> str:
    shown = _shown(setting, value)
    return f"设置 `{key}` 的值 `{shown}` 无法使用（来自{origin}）：{remedy}"


def _shown(setting: Setting, value: object) -> str:
    if setting.secret and value is not None:
        return HIDDEN
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return " ".join(map(str, value))
    return "" if value is None else _PASSWORD.sub(HIDDEN, str(value))


def _completed(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    full = {key: setting.default for key, setting in SETTINGS.items()} | dict(values)
    demo = full["profile"] is Profile.DEMO
    missing = [key for key in NEEDED if not demo and full[key] is None]
    if missing:
        raise SettingsError(
            tuple(
                f"设置 `{key}` 未填写：正式环境必须填写，{SETTINGS[key].remedy}" for key in missing
            )
        )
    data_dir = full["data_dir"] or Path.cwd() / "demo-data"
    keys_dir = full["keys_dir"] or data_dir / "keys"
    full |= {
        "data_dir": data_dir,
        "keys_dir": keys_dir,
        "audit.signer_file": full["audit.signer_file"] or keys_dir / "signer.json",
        "store.url": full["store.url"] or f"sqlite+aiosqlite:///{data_dir / 'store.sqlite'}",
        "store.row_lock": _locked(full, demo),
        "jobs.enabled": not demo if full["jobs.enabled"] is None else full["jobs.enabled"],
        "audit.archive_dir": full["audit.archive_dir"] or data_dir / "archive",
        "issuer": full["issuer"] or "https://demo.invalid",
        "oauth.enabled": demo if full["oauth.enabled"] is None else full["oauth.enabled"],
        "oauth.url": full["oauth.url"] or full["issuer"] or "https://demo.invalid",
        "console.enabled": demo if full["console.enabled"] is None else full["console.enabled"],
        "print.url": full["print.url"] or ("https://demo.invalid" if demo else None),
        "documents.person": full["documents.person"] or _documents(demo),
        "documents.system": full["documents.system"] or _documents(demo),
        "synthetic": demo if full["synthetic"] is None else full["synthetic"],
    }
    named: dict[str, Any] = {s.attribute: full[key] for key, s in SETTINGS.items()}
    named |= {s.attribute: MappingProxyType(full[table]) for table, s in TABLES.items()}
    return Settings(**named, origins=MappingProxyType(dict(origins)))


def _documents(demo: bool) -> str:
    """By itself only the demonstration takes any text from people and systems."""
    return "open" if demo else "enforce"


def _locked(full: Mapping[str, Any], demo: bool) -> bool:
    """As it is set; by itself the second lock is on in production where there is one."""
    given: bool | None = full["store.row_lock"]
    address = full["store.url"] or ""
    return not demo and address.startswith("postgresql") if given is None else given


def _contradictions(settings: Settings) -> Iterator[str]:
    wrong = settings.objection
    if settings.synthetic and settings.profile is Profile.PRODUCTION:
        yield wrong("synthetic", "正式环境不得接受虚构人员，请删除此设置")
    if not settings.synthetic and settings.profile is Profile.DEMO:
        yield wrong("synthetic", "演示环境只有虚构人员，请删除此设置")
    if settings.page_default > settings.page_max:
        yield wrong("page.default", f"不得大于 page.max（{settings.page_max}）")
    kept = settings.audit_retention_months
    if settings.profile is Profile.PRODUCTION and kept < RETENTION_MONTHS:
        yield wrong("audit.retention_months", f"正式环境不得少于 {RETENTION_MONTHS} 个月")
    if settings.audit_online_months > kept:
        yield wrong("audit.online_months", f"不得大于 audit.retention_months（{kept}）")
    if settings.audit_copy_dir == settings.audit_archive_dir:
        yield wrong("audit.copy_dir", "须与 audit.archive_dir 不同")
    if settings.source_deadline_s > settings.deadline_s:
        yield wrong("source.deadline_s", f"不得大于 deadline_s（{settings.deadline_s:g}）")
    if settings.alerts_webhook_url and not settings.alerts_webhook_key:
        yield wrong("alerts.webhook_url", "须同时填写 alerts.webhook_key，告警以它签名")
    if len(settings.witness_urls) != len(settings.witness_keys):
        yield wrong("witness.keys", "须与 witness.urls 一一对应，次序相同")
    if settings.witness_quorum > len(settings.witness_urls):
        yield wrong("witness.quorum", f"不得大于见证的个数（{len(settings.witness_urls)}）")
    if settings.witness_warn_s > settings.witness_alert_s:
        yield wrong("witness.warn_s", f"不得大于 witness.alert_s（{settings.witness_alert_s:g}）")
    if settings.witness_alert_s > settings.witness_refuse_s:
        yield wrong(
            "witness.alert_s", f"不得大于 witness.refuse_s（{settings.witness_refuse_s:g}）"
        )
    for name, address in settings.sources.items():
        if address.startswith(SCHEME) and not _is_folder(address):
            yield wrong(f"sources.{name}", f"送达目录须是绝对路径，如 {SCHEME}/srv/drop/{name}")
        if address.startswith(HTTP) and not is_address(address):
            where = _variable(f"source_keys.{name}")
            yield wrong(f"sources.{name}", f"地址中不得带账号、口令或参数；密钥写在 {where}")
    yield from _contradicting_issuers(settings)
    for name, source in settings.placed.items():
        remedy = _unplaceable(source, settings.sources)
        if remedy:
            yield wrong(f"placed.{name}", remedy)


def _contradicting_issuers(settings: Settings) -> Iterator[str]:
    wrong, seen = settings.objection, {settings.issuer}
    for name, issuer in settings.issuers.items():
        if issuer.iss in seen:
            yield wrong(f"issuers.{name}", "iss 已是本中枢或另一签发方的名称，请改正")
        seen.add(issuer.iss)
    if settings.oauth_enabled and not is_safe(settings.oauth_url):
        yield wrong("oauth.url", "启用 oauth.enabled 时须是 https:// 地址（本机可用 http://）")


def _is_folder(address: str) -> bool:
    try:
        drop_folder(address)
    except ValueError:
        return False
    return True


def _unplaceable(source: str, addresses: Mapping[str, str]) -> str:
    """Why nothing can be placed on a source of this name; empty if something can."""
    if source == OWN:
        return f"自有库的数据集本来就在 `{OWN}`，请删除此设置"
    address = addresses.get(source)
    if address is not None:
        kinds = " 或 ".join(_STORES)
        return "" if address.startswith(_STORES) else f"`sources.{source}` 须以 {kinds} 开头"
    near = difflib.get_close_matches(source, addresses, n=1)
    if near:
        return f"没有数据源 `{source}`，是否应为 `{near[0]}`？"
    key = f"sources.{source}"
    return f"数据源 `{source}` 没有地址，请填写 `{key}`（环境变量 {_variable(key)}）"


def is_source(name: str) -> bool:
    """Can a source have this name? Then its settings have, too."""
    return _SOURCE.match(name) is not None


def _text(one: Given) -> str:
    if not isinstance(one.value, str) or not one.value.strip():
        raise ValueError("no text")
    return one.value.strip()


def _path(one: Given) -> Path:
    if isinstance(one.value, Path):
        return one.value.absolute()
    return (one.base / _text(one)).absolute()


def _folder(one: Given) -> Path:
    path = _path(one)
    if not path.is_dir():
        raise ValueError("no folder")
    return path


def _authorities(one: Given) -> Path:
    """OSError and ssl.SSLError for what is no file of certificates."""
    path = _path(one)
    try:
        trusted(path)
    except OSError:
        raise ValueError("no certificates") from None
    return path


def _flag(one: Given) -> bool:
    if isinstance(one.value, bool):
        return one.value
    try:
        return _FLAGS[_text(one).lower()]
    except KeyError:
        raise ValueError("no flag") from None


def _whole(low: int, high: int) -> Callable[[Given], int]:
    def read(one: Given) -> int:
        number = one.value if isinstance(one.value, int) else int(_text(one))
        if isinstance(one.value, bool) or not low <= number <= high:
            raise ValueError("out of range")
        return number

    return read


def _seconds(low: float, high: float) -> Callable[[Given], float]:
    def read(one: Given) -> float:
        if isinstance(one.value, bool):
            raise ValueError("no number")
        number = float(one.value if isinstance(one.value, int | float) else _text(one))
        if not low <= number <= high:
            raise ValueError("out of range")
        return number

    return read


def _share(one: Given) -> float:
    return _seconds(0, 1)(one)


def _matching(accepts: Callable[[str], object]) -> Callable[[Given], str]:
    def read(one: Given) -> str:
        text = _text(one)
        if not accepts(text):
            raise ValueError("does not fit")
        return text

    return read


def _words(one: Given) -> tuple[str, ...]:
    """A list of the file, or words between blanks."""
    words = one.value if isinstance(one.value, list | tuple) else str(one.value).split()
    if not all(isinstance(word, str) and word.strip() for word in words):
        raise ValueError("no words")
    return tuple(word.strip() for word in words)


def _networks(one: Given) -> tuple[IPv4Network | IPv6Network, ...]:
    networks = tuple(ip_network(word) for word in _words(one))
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("everybody is no proxy")
    return networks


def _addresses(one: Given) -> tuple[str, ...]:
    """Addresses and networks, each as its network; ValueError for what is neither."""
    return tuple(str(ip_network(word)) for word in _words(one))


def _web(one: Given) -> tuple[str, ...]:
    words = _words(one)
    if not all(_WEB.match(word) for word in words) or len({*words}) < len(words):
        raise ValueError("no addresses")
    return words


def _origins(one: Given) -> tuple[str, ...]:
    """Each once; a star would let every page read answers."""
    words = _words(one)
    if not all(ORIGIN.match(word) for word in words):
        raise ValueError("no origins")
    return tuple(dict.fromkeys(words))


def _witness_keys(one: Given) -> tuple[str, ...]:
    """BadNote is a ValueError."""
    keys = [VerifierKey.parse(word) for word in _words(one)]
    fit = all(k.kind == COSIGNATURE and is_code(k.name) for k in keys)
    # A cosignature does not say whose it is: two witnesses of one key would be one.
    apart = len({k.name for k in keys}) == len({k.public for k in keys}) == len(keys)
    if not fit or not apart or any(len(k.name) > WITNESS_NAME for k in keys):
        raise ValueError("no keys of witnesses")
    return tuple(k.vkey for k in keys)


SETTINGS: Mapping[str, Setting] = {
    "profile": Setting(
        "profile", lambda one: Profile(_text(one)), "请写 demo 或 production", Profile.PRODUCTION
    ),
    "data_dir": Setting("data_dir", _path, "请写数据目录的路径"),
    "keys_dir": Setting("keys_dir", _path, "请写密钥目录的路径"),
    "store.url": Setting(
        "store_url",
        _matching(lambda text: text.startswith(_STORES)),
        f"请写以 {' 或 '.join(_STORES)} 开头的地址",
    ),
    "store.row_lock": Setting("store_row_lock", _flag, "请写 1 或 0"),
    "jobs.enabled": Setting("jobs_enabled", _flag, "请写 1 或 0"),
    "host": Setting("host", _text, "请写监听地址，如 127.0.0.1", "127.0.0.1"),
    "port": Setting("port", _whole(0, 65_535), "请写 0 到 65535 之间的端口", PORT),
    "issuer": Setting("issuer", _text, "请写令牌签发方的名称"),
    "audience": Setting("audience", _text, "请写令牌的受众", "data-sharing-hub"),
    "oauth.enabled": Setting("oauth_enabled", _flag, "请写 1 或 0"),
    "oauth.url": Setting("oauth_url", _matching(_HTTP.match), "请写以 https:// 开头的地址"),
    "trusted_proxies": Setting(
        "trusted_proxies",
        _networks,
        "请写代理的地址或网段，如 127.0.0.1 或 10.1.0.0/24，以空格分隔",
        (),
    ),
    "synthetic": Setting("synthetic", _flag, "请写 1 或 0"),
    "audit.wait_s": Setting(
        "audit_wait_s", _seconds(0.05, 60), "请写 0.05 到 60 之间的秒数", AUDIT_WAIT_S
    ),
    "audit.suite": Setting(
        "audit_suite", _matching(SUITES.__contains__), f"请写 {' 或 '.join(SUITES)}", SUITE
    ),
    "audit.archive_dir": Setting("audit_archive_dir", _path, "请写归档目录的路径"),
    "audit.copy_dir": Setting("audit_copy_dir", _path, "请写第二个归档目录的路径，另在一块磁盘上"),
    "audit.segment": Setting(
        "audit_segment", _whole(1, 10_000_000), "请写 1 到 10000000 之间的记录数", SEGMENT
    ),
    "audit.online_months": Setting(
        "audit_online_months", _whole(0, 600), "请写 0 到 600 之间的月数", ONLINE_MONTHS
    ),
    "audit.retention_months": Setting(
        "audit_retention_months",
        _whole(LAW_MONTHS, 1_200),
        f"网络日志至少保存 {LAW_MONTHS} 个月，请写 {LAW_MONTHS} 到 1200 之间的月数",
        RETENTION_MONTHS,
    ),
    "audit.checkpoint_s": Setting(
        "audit_checkpoint_s", _seconds(0.1, 60), "请写 0.1 到 60 之间的秒数", CHECKPOINT_S
    ),
    "audit.signer_file": Setting("audit_signer_file", _path, "请写文件的路径"),
    "audit.anchor_file": Setting("audit_anchor_file", _path, "请写文件的路径"),
    "deadline_s": Setting(
        "deadline_s", _seconds(0.1, 120), "请写 0.1 到 120 之间的秒数", limits.DEADLINE_S
    ),
    "source.deadline_s": Setting(
        "source_deadline_s", _seconds(0.1, 60), "请写 0.1 到 60 之间的秒数", SOURCE_DEADLINE_S
    ),
    "source.ca_file": Setting("source_ca_file", _authorities, "请写 PEM 格式的证书文件"),
    "catalog.extra_dir": Setting("catalog_extra_dir", _folder, "请写已存在的目录"),
    "page.default": Setting(
        "page_default", _whole(1, 1_000), "请写 1 到 1000 之间的行数", limits.PAGE_DEFAULT
    ),
    "page.max": Setting("page_max", _whole(1, 1_000), "请写 1 到 1000 之间的行数", limits.PAGE_MAX),
    "lookup.per_hour": Setting(
        "lookup_per_hour",
        _whole(1, 100_000),
        "请写 1 到 100000 之间的次数",
        limits.LOOKUPS_PER_HOUR,
    ),
    "lookup.misses": Setting(
        "lookup_misses", _whole(1, 100_000), "请写 1 到 100000 之间的次数", limits.LOOKUP_MISSES
    ),
    "documents.person": Setting(
        "documents_person", _matching(_MODES.__contains__), f"请写 {'、'.join(_MODES)} 之一"
    ),
    "documents.system": Setting(
        "documents_system", _matching(_MODES.__contains__), f"请写 {'、'.join(_MODES)} 之一"
    ),
    "documents.gateway": Setting(
        "documents_gateway",
        _matching(_MODES.__contains__),
        f"请写 {'、'.join(_MODES)} 之一",
        "open",
    ),
    **{
        f"rate.{name}": Setting(
            f"rate_{name}", _whole(1, 10_000_000), "请写 1 到 10000000 之间的次数", per_minute
        )
        for name, per_minute in (
            ("person", limits.RATE_PERSON),
            ("system", limits.RATE_SYSTEM),
            ("gateway", limits.RATE_GATEWAY),
        )
    },
    **{
        f"running.{name}": Setting(
            f"running_{name}", _whole(1, 10_000), "请写 1 到 10000 之间的个数", at_once
        )
        for name, at_once in (
            ("person", limits.RUNNING_PERSON),
            ("system", limits.RUNNING_SYSTEM),
            ("gateway", limits.RUNNING_GATEWAY),
        )
    },
    "cors.origins": Setting(
        "cors_origins", _origins, "请写网页的来源，如 https://主机，以空格分隔，不带路径", ()
    ),
    "print.url": Setting(
        "print_url",
        _matching(_PUBLIC.match),
        "请写群众可以访问的地址，如 https://hub.example.cn，不带参数",
    ),
    "console.enabled": Setting("console_enabled", _flag, "请写 1 或 0"),
    "console.idle_minutes": Setting(
        "console_idle_minutes", _whole(1, 240), "请写 1 到 240 之间的分钟数", CONSOLE_IDLE_MIN
    ),
    "alerts.webhook_url": Setting(
        "alerts_webhook_url",
        _matching(_HTTP.match),
        "请写以 http:// 或 https:// 开头的地址",
        secret=True,  # such addresses carry tokens
    ),
    "alerts.webhook_key": Setting(
        "alerts_webhook_key",
        _matching(lambda text: len(text) >= MIN_WEBHOOK_KEY),
        f"请写至少 {MIN_WEBHOOK_KEY} 个字符的密钥",
        secret=True,
    ),
    "alerts.syslog": Setting(
        "alerts_syslog",
        _matching(_SYSLOG.match),
        "请写 udp://主机:端口、tcp://主机:端口 或 unix:///路径",
    ),
    "log.level": Setting(
        "log_level", _matching(_LEVELS.__contains__), f"请写 {'、'.join(_LEVELS)} 之一", "INFO"
    ),
    "telemetry.otlp_url": Setting(
        "telemetry_otlp_url",
        _matching(is_address),
        "请写收集器的地址，如 http://127.0.0.1:4318，不带账号、口令或参数",
    ),
    "telemetry.metrics": Setting(
        "telemetry_metrics",
        _addresses,
        "请写可以读取 /metrics 的地址或网段，如 127.0.0.1 10.1.0.0/16，以空格分隔",
        (),
    ),
    "telemetry.sample": Setting("telemetry_sample", _share, "请写 0 到 1 之间的比例", SAMPLE),
    "witness.urls": Setting(
        "witness_urls", _web, "请写各见证的地址，如 https://主机，以空格分隔，不重复", ()
    ),
    "witness.keys": Setting(
        "witness_keys",
        _witness_keys,
        "请写各见证的公钥（hub-witness keys 打印的 vkey），以空格分隔，名称与密钥不重复",
        (),
    ),
    "witness.quorum": Setting("witness_quorum", _whole(0, 16), "请写 0 到 16 之间的个数", 0),
    "witness.warn_s": Setting(
        "witness_warn_s", _seconds(1, 86_400), "请写 1 到 86400 之间的秒数", WARN_S
    ),
    "witness.alert_s": Setting(
        "witness_alert_s", _seconds(1, 86_400), "请写 1 到 86400 之间的秒数", ALERT_S
    ),
    "witness.refuse_s": Setting(
        "witness_refuse_s", _seconds(1, 86_400), "请写 1 到 86400 之间的秒数", REFUSE_S
    ),
}

TABLES: Mapping[str, Setting] = {
    "sources": Setting(
        "sources", _matching(_ADDRESS.match), "请写数据源的地址，如 http://主机:端口"
    ),
    "source_keys": Setting("source_keys", _text, "请写数据源的密钥或口令", secret=True),
    "outages": Setting(
        "outages", lambda one: Window.parse(_text(one)), "请写停机时段，如 23:30-05:30"
    ),
    "placed": Setting(
        "placed", _matching(_SOURCE.match), "请写 sources 中一个数据源的名称，如 cases"
    ),
    "issuers": Setting(
        "issuers",
        lambda one: Issuer.parse(_text(one)),
        "请写 iss=签发方 jwks=https://地址，可加 aud= account= dept=",
    ),
}

NEEDED = ("data_dir", "store.url", "issuer")
"""What production must say for itself: guessing would put citizens' data somewhere."""
