"""Settings are read once, checked, and say where they came from."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from audit.note import Cosigner, Ed25519Signer
from hub.identity.issuers import Issuer
from hub.settings import Profile, SettingsError, load_settings
from tests.servers import Authority

DEMO = {"HUB_PROFILE": "demo"}
WITNESS = Cosigner("audit.invalid/w1", bytes(32)).verifier.vkey
SECOND = Cosigner("audit.invalid/w2", bytes(range(32))).verifier.vkey


def production(folder: Path) -> dict[str, str]:
    return {
        "HUB_DATA_DIR": str(folder),
        "HUB_STORE_URL": "postgresql+asyncpg://hub:geheim@db:5432/hub",
        "HUB_ISSUER": "https://login.example.invalid",
    }


def complaints(variables: dict[str, str], **given: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(variables, given)
    return caught.value.lines


def test_a_demo_needs_nothing_but_its_profile() -> None:
    settings = load_settings(DEMO)
    assert settings.profile is Profile.DEMO
    assert settings.synthetic is True
    assert settings.data_dir == Path.cwd() / "demo-data"
    assert settings.keys_dir == settings.data_dir / "keys"
    assert settings.store_url == f"sqlite+aiosqlite:///{settings.data_dir}/store.sqlite"
    assert (settings.host, settings.port) == ("127.0.0.1", 8532)
    assert (settings.deadline_s, settings.source_deadline_s, settings.audit_wait_s) == (10, 3, 2)
    assert (settings.page_default, settings.page_max) == (20, 100)
    assert settings.sources == {}


def test_without_a_word_the_hub_is_in_production_and_asks_for_what_it_needs() -> None:
    lines = complaints({})
    assert [line.split("：")[0] for line in lines] == [
        "设置 `data_dir` 未填写",
        "设置 `store.url` 未填写",
        "设置 `issuer` 未填写",
    ]


def test_file_then_variable_then_command_line(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(
        'profile = "demo"\nport = 1\nhost = "0.0.0.0"\ndata_dir = "data"\n'
        "[audit]\nwait_s = 0.5\n"
        '[sources]\nyb_settle = "http://127.0.0.1:1"\nmz_assist = "http://127.0.0.1:2"\n'
    )
    settings = load_settings(
        {
            "HUB_CONFIG": str(file),
            "HUB_PORT": "2",
            "HUB_AUDIT_WAIT_S": "0.25",
            "HUB_SOURCES_YB_SETTLE": "http://127.0.0.1:3",
        },
        {"port": 3},
    )
    assert (settings.port, settings.host, settings.audit_wait_s) == (3, "0.0.0.0", 0.25)
    assert settings.data_dir == tmp_path / "data"
    assert settings.sources == {
        "yb_settle": "http://127.0.0.1:3",
        "mz_assist": "http://127.0.0.1:2",
    }
    origins = {name: origin for name, _, origin in settings.shown()}
    assert origins["port"] == "命令行"
    assert origins["host"] == "文件 hub.toml"
    assert origins["audit.wait_s"] == "环境变量 HUB_AUDIT_WAIT_S"
    assert origins["sources.yb_settle"] == "环境变量 HUB_SOURCES_YB_SETTLE"
    assert origins["page.max"] == "内置默认值"


def test_an_unknown_variable_is_an_error_with_its_nearest_name() -> None:
    assert complaints(DEMO | {"HUB_PROT": "1"}) == (
        "环境变量 `HUB_PROT` 不是任何设置：是否应为 `HUB_PORT`？",
    )
    assert complaints(DEMO | {"HUB_XYZZY": "1"}) == (
        "环境变量 `HUB_XYZZY` 不是任何设置：请删除或改正拼写",
    )


def test_variables_of_tests_and_of_others_are_left_alone() -> None:
    assert load_settings(DEMO | {"HUB_TEST_POSTGRES": "x", "HUBBLE": "x", "PATH": "x"})


def test_an_unknown_key_in_the_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text("[audit]\nwait = 1\n")
    assert complaints(DEMO | {"HUB_CONFIG": str(file)}) == (
        "设置文件 hub.toml 中的 `audit.wait` 不是任何设置：是否应为 `audit.wait_s`？",
    )


@pytest.mark.parametrize(
    ("line", "key", "where"),
    [
        (
            '[source_keys]\nyb_settle = "geheim"',
            "source_keys.yb_settle",
            "HUB_SOURCE_KEYS_YB_SETTLE或密钥目录中的文件 sources/yb_settle",
        ),
        (
            '[sources]\nwfgz = "postgresql+asyncpg://hub:geheim@h/x"',
            "sources.wfgz",
            "HUB_SOURCE_KEYS_WFGZ或密钥目录中的文件 sources/wfgz",
        ),
        (
            '[store]\nurl = "postgresql+asyncpg://hub:geheim@h/x"',
            "store.url",
            "HUB_STORE_URL",
        ),
        (
            '[alerts]\nwebhook_key = "geheim-geheim-geheim"',
            "alerts.webhook_key",
            "HUB_ALERTS_WEBHOOK_KEY",
        ),
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(
    tmp_path: Path, line: str, key: str, where: str
) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(line)
    assert complaints(DEMO | {"HUB_CONFIG": str(file)}) == (
        f"设置文件 hub.toml 中的 `{key}` 带有秘密：请从文件中删去，改写在环境变量 {where}",
    )


@pytest.mark.parametrize("address", ["http://u:geheim@h", "https://h/api?key=geheim"])
def test_an_http_address_holds_no_secret_in_the_environment_either(address: str) -> None:
    (line,) = complaints(DEMO | {"HUB_SOURCES_RS_JIUYE": address})
    assert line.endswith("地址中不得带账号、口令或参数；密钥写在 HUB_SOURCE_KEYS_RS_JIUYE")


def test_authorities_are_a_file_of_certificates(tmp_path: Path) -> None:
    file = tmp_path / "none.pem"
    remedy = "请写 PEM 格式的证书文件"
    assert complaints(DEMO | {"HUB_SOURCE_CA_FILE": str(file)})[0].endswith(remedy)
    file.write_text("no certificate")
    assert complaints(DEMO | {"HUB_SOURCE_CA_FILE": str(file)})[0].endswith(remedy)
    given = Authority(tmp_path).file
    settings = load_settings(DEMO | {"HUB_SOURCE_CA_FILE": str(given)})
    assert settings.source_ca_file == given


@pytest.mark.parametrize("content", [b"a = [", b"\xff"])
def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "hub.toml"
    file.write_bytes(content)
    (line,) = complaints(DEMO | {"HUB_CONFIG": str(file)})
    assert line.endswith("不是 UTF-8 的 TOML，请改正")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    (line,) = complaints(DEMO | {"HUB_CONFIG": str(tmp_path / "none.toml")})
    assert line.endswith("文件不存在或不可读，请改正")


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("HUB_PROFILE", "test", "请写 demo 或 production"),
        ("HUB_PORT", "65536", "请写 0 到 65535 之间的端口"),
        ("HUB_PORT", "abc", "请写 0 到 65535 之间的端口"),
        ("HUB_AUDIT_WAIT_S", "nan", "请写 0.05 到 60 之间的秒数"),
        ("HUB_DEADLINE_S", "0", "请写 0.1 到 120 之间的秒数"),
        ("HUB_PAGE_MAX", "1001", "请写 1 到 1000 之间的行数"),
        ("HUB_LOG_LEVEL", "debug", "请写 DEBUG、INFO、WARNING、ERROR 之一"),
        ("HUB_SYNTHETIC", "maybe", "请写 1 或 0"),
        ("HUB_CATALOG_EXTRA_DIR", "./no-such-folder", "请写已存在的目录"),
        ("HUB_SOURCES_MZ_ASSIST", "here", "请写数据源的地址，如 http://主机:端口"),
        ("HUB_OUTAGES_YB_SETTLE", "night", "请写停机时段，如 23:30-05:30"),
        ("HUB_PLACED_CASE", "the cases", "请写 sources 中一个数据源的名称，如 cases"),
    ],
)
def test_a_wrong_value_is_one_line_with_name_value_origin_and_remedy(
    variable: str, value: str, remedy: str
) -> None:
    (line,) = complaints(DEMO | {variable: value})
    assert line.startswith("设置 `")
    assert f"的值 `{value}` 无法使用（来自环境变量 {variable}）" in line
    assert line.endswith(remedy)


def test_everything_wrong_is_named_at_once() -> None:
    assert len(complaints(DEMO | {"HUB_PORT": "x", "HUB_DEADLINE_S": "x", "HUB_NO": "x"})) == 3


def test_a_wrong_kind_in_the_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text("port = true\n[audit]\nwait_s = true\n")
    assert len(complaints(DEMO | {"HUB_CONFIG": str(file)})) == 2


def test_secrets_stand_in_no_line_and_no_repr(tmp_path: Path) -> None:
    settings = load_settings(production(tmp_path) | {"HUB_SOURCE_KEYS_YB_SETTLE": "k3y"})
    shown = {name: value for name, value, _ in settings.shown()}
    assert settings.store_url == "postgresql+asyncpg://hub:geheim@db:5432/hub"
    assert shown["store.url"] == "postgresql+asyncpg://hub:******@db:5432/hub"
    assert shown["source_keys.yb_settle"] == "******"
    assert "geheim" not in repr(settings)
    assert "k3y" not in repr(settings)
    (line,) = complaints(DEMO | {"HUB_STORE_URL": "mysql://hub:geheim@db/hub"})
    assert "mysql://hub:******@db/hub" in line
    (line,) = complaints(DEMO | {"HUB_SOURCE_KEYS_YB_SETTLE": " "})
    assert "`******`" in line


def test_production_refuses_invented_people_and_a_demo_real_ones(tmp_path: Path) -> None:
    (line,) = complaints(production(tmp_path) | {"HUB_SYNTHETIC": "1"})
    assert line.endswith("正式环境不得接受虚构人员，请删除此设置")
    (line,) = complaints(DEMO | {"HUB_SYNTHETIC": "0"})
    assert line.endswith("演示环境只有虚构人员，请删除此设置")
    assert load_settings(production(tmp_path)).synthetic is False


def test_settings_that_contradict_each_other_are_refused() -> None:
    assert complaints(DEMO | {"HUB_PAGE_MAX": "10", "HUB_SOURCE_DEADLINE_S": "11"}) == (
        "设置 `page.default` 的值 `20` 无法使用（来自内置默认值）：不得大于 page.max（10）",
        "设置 `source.deadline_s` 的值 `11.0` 无法使用（来自环境变量 HUB_SOURCE_DEADLINE_S）："
        "不得大于 deadline_s（10）",
    )


def test_settings_do_not_change() -> None:
    settings = load_settings(DEMO | {"HUB_OUTAGES_YB_SETTLE": "23:30-05:30"})
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]
    assert replace(settings, port=1).port == 1
    assert (
        "outages.yb_settle",
        "23:30-05:30",
        "环境变量 HUB_OUTAGES_YB_SETTLE",
    ) in settings.shown()


def test_an_unknown_name_from_the_command_line_is_refused() -> None:
    assert len(complaints(DEMO, nonsense="1")) == 1


# ---- data sets placed on another source ---------------------------------------------------------

CASES = {"HUB_SOURCES_CASES": "postgresql+asyncpg://hub:geheim@db/cases"}


def test_a_data_set_is_placed_on_a_source_that_has_an_address() -> None:
    settings = load_settings(
        DEMO | CASES | {"HUB_PLACED_CASE": "cases", "HUB_PLACED_CASE_EVENT": "cases"}
    )
    assert settings.placed == {"case": "cases", "case_event": "cases"}
    assert ("placed.case", "cases", "环境变量 HUB_PLACED_CASE") in settings.shown()
    assert load_settings(DEMO).placed == {}


def test_the_file_places_data_sets_too(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(
        '[placed]\ncase = "cases"\n[sources]\ncases = "sqlite+aiosqlite:////nowhere/cases"\n'
    )
    settings = load_settings(DEMO | {"HUB_CONFIG": str(file)})
    assert settings.placed == {"case": "cases"}
    assert settings.origins["placed.case"] == "文件 hub.toml"


@pytest.mark.parametrize(
    ("source", "more", "why"),
    [
        (
            "cases",
            {},
            "数据源 `cases` 没有地址，请填写 `sources.cases`（环境变量 HUB_SOURCES_CASES）",
        ),
        ("casses", CASES, "没有数据源 `casses`，是否应为 `cases`？"),
        ("hub", CASES, "自有库的数据集本来就在 `hub`，请删除此设置"),
        (
            "web",
            {"HUB_SOURCES_WEB": "http://127.0.0.1:1"},
            "`sources.web` 须以 sqlite+aiosqlite:/// 或 postgresql+asyncpg:// 开头",
        ),
    ],
)
def test_a_source_that_cannot_hold_it_is_one_line(
    source: str, more: dict[str, str], why: str
) -> None:
    assert complaints(DEMO | more | {"HUB_PLACED_CASE": source}) == (
        f"设置 `placed.case` 的值 `{source}` 无法使用（来自环境变量 HUB_PLACED_CASE）：{why}",
    )


@pytest.mark.parametrize(
    "address", ["udp://127.0.0.1:514", "tcp://log.invalid:601", "unix:///dev/log"]
)
def test_alerts_go_where_it_is_said(address: str) -> None:
    given = {
        "HUB_ALERTS_WEBHOOK_URL": "https://alerts.invalid/hook?token=geheim",
        "HUB_ALERTS_WEBHOOK_KEY": "sixteen letters.",
        "HUB_ALERTS_SYSLOG": address,
    }
    settings = load_settings(DEMO | given)
    assert settings.alerts_syslog == address
    shown = {name: value for name, value, _ in settings.shown()}
    assert shown["alerts.webhook_url"] == shown["alerts.webhook_key"] == "******"
    assert "geheim" not in repr(settings)
    assert "sixteen" not in repr(settings)
    unset = {name: value for name, value, _ in load_settings(DEMO).shown()}
    assert unset["alerts.webhook_key"] == unset["alerts.syslog"] == ""


def test_a_webhook_needs_a_key_to_sign_with() -> None:
    (line,) = complaints(DEMO | {"HUB_ALERTS_WEBHOOK_URL": "https://alerts.invalid/hook"})
    assert line.endswith("须同时填写 alerts.webhook_key，告警以它签名")
    assert "alerts.invalid" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HUB_ALERTS_WEBHOOK_URL", "ftp://alerts.invalid"),
        ("HUB_ALERTS_WEBHOOK_KEY", "fifteen letters"),
        ("HUB_ALERTS_SYSLOG", "udp://127.0.0.1"),
        ("HUB_ALERTS_SYSLOG", "unix://relative"),
    ],
)
def test_what_is_no_receiver_is_refused(name: str, value: str) -> None:
    (line,) = complaints(DEMO | {name: value})
    assert f"（来自环境变量 {name}）" in line


# ---- pages of other sites ----------------------------------------------------------------------


def test_no_other_site_may_connect_unless_somebody_says_so(tmp_path: Path) -> None:
    demo = {"profile": "demo", "data_dir": tmp_path}
    assert load_settings({}, demo).cors_origins == ()
    named = {"HUB_CORS_ORIGINS": "https://desk.invalid http://127.0.0.1:5173"}
    found = load_settings(named, demo).cors_origins
    assert found == ("https://desk.invalid", "http://127.0.0.1:5173")


def test_an_origin_given_twice_is_taken_once(tmp_path: Path) -> None:
    named = {"HUB_CORS_ORIGINS": "https://a https://b https://a"}
    found = load_settings(named, {"profile": "demo", "data_dir": tmp_path}).cors_origins
    assert found == ("https://a", "https://b")


@pytest.mark.parametrize(
    "origins",
    [
        "*",
        "desk.invalid",
        "https://desk.invalid/",
        "https://DESK.invalid",
        "https://a https://a/",
    ],
)
def test_an_origin_is_written_as_a_browser_writes_it(tmp_path: Path, origins: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings({"HUB_CORS_ORIGINS": origins}, {"profile": "demo", "data_dir": tmp_path})
    assert "`cors.origins`" in error.value.lines[0]


# ---- witnesses ---------------------------------------------------------------------------------

ALONE = {"HUB_WITNESS_URLS": "https://w.invalid", "HUB_WITNESS_KEYS": WITNESS}


def test_no_witness_is_demanded_unless_somebody_says_so(tmp_path: Path) -> None:
    for settings in (load_settings(DEMO), load_settings(production(tmp_path))):
        assert (settings.witness_urls, settings.witness_keys) == ((), ())
        assert settings.witness_quorum == 0
        ages = (settings.witness_warn_s, settings.witness_alert_s, settings.witness_refuse_s)
        assert ages == (900, 3_600, 14_400)


def test_witnesses_are_lists_in_the_file_and_words_in_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(
        f'[witness]\nurls = ["https://w.invalid", "http://127.0.0.1:1"]\n'
        f'keys = ["{WITNESS}", "{SECOND}"]\nquorum = 2\n'
    )
    settings = load_settings(DEMO | {"HUB_CONFIG": str(file)})
    assert settings.witness_urls == ("https://w.invalid", "http://127.0.0.1:1")
    assert settings.witness_keys == (WITNESS, SECOND)
    assert settings.witness_quorum == 2
    shown = {name: value for name, value, _ in settings.shown()}
    assert shown["witness.urls"] == "https://w.invalid http://127.0.0.1:1"
    given = {"HUB_WITNESS_URLS": " https://w.invalid  http://127.0.0.1:1 "}
    words = load_settings(DEMO | given | {"HUB_WITNESS_KEYS": f"{WITNESS} {SECOND}"})
    assert words.witness_urls == settings.witness_urls


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"HUB_WITNESS_URLS": "https://w.invalid"}, "须与 witness.urls 一一对应，次序相同"),
        ({"HUB_WITNESS_QUORUM": "1"}, "不得大于见证的个数（0）"),
        (ALONE | {"HUB_WITNESS_QUORUM": "2"}, "不得大于见证的个数（1）"),
        (ALONE | {"HUB_WITNESS_WARN_S": "3601"}, "不得大于 witness.alert_s（3600）"),
        (ALONE | {"HUB_WITNESS_ALERT_S": "14401"}, "不得大于 witness.refuse_s（14400）"),
        (ALONE | {"HUB_WITNESS_REFUSE_S": "86401"}, "请写 1 到 86400 之间的秒数"),
        (ALONE | {"HUB_WITNESS_REFUSE_S": "inf"}, "请写 1 到 86400 之间的秒数"),
        (ALONE | {"HUB_WITNESS_URLS": "w.invalid"}, "以空格分隔，不重复"),
        (ALONE | {"HUB_WITNESS_KEYS": WITNESS[:-2]}, "名称与密钥不重复"),
        (ALONE | {"HUB_WITNESS_KEYS": f"{WITNESS} {WITNESS}"}, "名称与密钥不重复"),
        (
            ALONE | {"HUB_WITNESS_KEYS": Ed25519Signer("log", bytes(32)).verifier.vkey},
            "名称与密钥不重复",
        ),
        (
            ALONE | {"HUB_WITNESS_KEYS": Cosigner("w" * 65, bytes(32)).verifier.vkey},
            "名称与密钥不重复",
        ),
    ],
)
def test_what_does_not_fit_together_is_one_line(variables: dict[str, str], said: str) -> None:
    (line,) = complaints(DEMO | variables)
    assert line.endswith(said)


def test_records_are_kept_as_long_as_the_law_says(tmp_path: Path) -> None:
    settings = load_settings(production(tmp_path))
    assert (settings.audit_online_months, settings.audit_retention_months) == (13, 36)
    assert (settings.audit_archive_dir, settings.audit_copy_dir) == (tmp_path / "archive", None)
    assert (settings.audit_segment, settings.audit_suite) == (1_000_000, "sha256")
    months = "HUB_AUDIT_RETENTION_MONTHS"
    (always,) = complaints(DEMO | {months: "5", "HUB_AUDIT_ONLINE_MONTHS": "5"})
    assert "网络日志至少保存 6 个月" in always
    (serious,) = complaints(production(tmp_path) | {months: "35"})
    assert "正式环境不得少于 36 个月" in serious
    demo = load_settings(DEMO | {months: "6", "HUB_AUDIT_ONLINE_MONTHS": "6"})
    assert demo.audit_retention_months == 6
    (online,) = complaints(DEMO | {"HUB_AUDIT_ONLINE_MONTHS": "37"})
    assert "不得大于 audit.retention_months（36）" in online


def test_the_second_archive_is_another_and_the_suite_a_known_one(tmp_path: Path) -> None:
    (same,) = complaints(DEMO | {"HUB_AUDIT_COPY_DIR": str(Path.cwd() / "demo-data" / "archive")})
    assert "须与 audit.archive_dir 不同" in same
    (suite,) = complaints(DEMO | {"HUB_AUDIT_SUITE": "md5"})
    assert "请写 sha256 或 sm3" in suite
    assert load_settings(DEMO | {"HUB_AUDIT_SUITE": "sm3"}).audit_suite == "sm3"


SSO = "iss=https://sso.invalid jwks=https://sso.invalid/jwks dept=mca"


def test_issuers_and_proxies_are_named_in_the_file_and_in_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(
        f'trusted_proxies = ["127.0.0.1", "10.1.0.0/24"]\n[issuers]\nmca = "{SSO}"\n',
        encoding="utf-8",
    )
    read = load_settings({**production(tmp_path), "HUB_CONFIG": str(file)})
    assert read.issuers == {
        "mca": Issuer("https://sso.invalid", "https://sso.invalid/jwks", dept="mca")
    }
    assert [str(n) for n in read.trusted_proxies] == ["127.0.0.1/32", "10.1.0.0/24"]
    said = {"HUB_ISSUERS_MCA": SSO, "HUB_TRUSTED_PROXIES": "127.0.0.1 10.1.0.0/24"}
    again = load_settings({**production(tmp_path), **said})
    assert (again.issuers, again.trusted_proxies) == (read.issuers, read.trusted_proxies)
    shown = {name: value for name, value, _ in read.shown()}
    assert shown["issuers.mca"] == SSO.replace(" dept", " account=sub dept")
    assert shown["trusted_proxies"] == "127.0.0.1/32 10.1.0.0/24"


def test_nobody_is_trusted_and_nothing_issued_unless_somebody_says_so(tmp_path: Path) -> None:
    read = load_settings(production(tmp_path))
    assert (read.issuers, read.trusted_proxies, read.oauth_enabled) == ({}, (), False)
    demo = load_settings(DEMO)
    assert (demo.trusted_proxies, demo.oauth_enabled) == ((), True)
    assert demo.oauth_url == demo.issuer == "https://demo.invalid"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"HUB_ISSUERS_MCA": "https://sso.invalid"}, "请写 iss=签发方 jwks=https://地址"),
        ({"HUB_ISSUERS_MCA": SSO.replace("jwks=https", "jwks=http")}, "请写 iss=签发方"),
        ({"HUB_ISSUERS_A": SSO, "HUB_ISSUERS_B": SSO}, "iss 已是本中枢或另一签发方的名称"),
        (
            {"HUB_ISSUERS_A": SSO.replace("sso.invalid ", "login.example.invalid ")},
            "iss 已是本中枢或另一签发方的名称",
        ),
        ({"HUB_TRUSTED_PROXIES": "proxy.example.invalid"}, "请写代理的地址或网段"),
        ({"HUB_TRUSTED_PROXIES": "10.0.0.1/8"}, "请写代理的地址或网段"),
        ({"HUB_TRUSTED_PROXIES": "0.0.0.0/0"}, "请写代理的地址或网段"),
        ({"HUB_TRUSTED_PROXIES": "::/0"}, "请写代理的地址或网段"),
        ({"HUB_OAUTH_ENABLED": "yes"}, "请写 1 或 0"),
        (
            {"HUB_OAUTH_ENABLED": "1", "HUB_OAUTH_URL": "http://hub.example.invalid"},
            "启用 oauth.enabled 时须是 https:// 地址",
        ),
        (
            {"HUB_OAUTH_ENABLED": "1", "HUB_ISSUER": "the county"},
            "启用 oauth.enabled 时须是 https:// 地址",
        ),
    ],
)
def test_what_would_let_strangers_in_is_one_line(
    tmp_path: Path, variables: dict[str, str], said: str
) -> None:
    (line,) = complaints(production(tmp_path) | variables)
    assert said in line


def test_the_address_on_papers_is_the_operators_to_give(tmp_path: Path) -> None:
    assert load_settings(DEMO).print_url == "https://demo.invalid"
    given = DEMO | {"HUB_PRINT_URL": "https://hub.example.cn/desk"}
    assert load_settings(given).print_url == "https://hub.example.cn/desk"
    for wrong in (
        "hub.example.cn",
        "https://a@b",
        "https://b?x=1",
        "https://b#x",
        "https://" + "b" * 300,
    ):
        with pytest.raises(SettingsError, match=r"print\.url"):
            load_settings(DEMO | {"HUB_PRINT_URL": wrong})
    named = {"HUB_ISSUER": "https://issuer.invalid", "HUB_DATA_DIR": str(tmp_path)}
    production = load_settings(named | {"HUB_STORE_URL": "sqlite+aiosqlite:///x"})
    assert production.print_url is None  # the issuer may be another house's
