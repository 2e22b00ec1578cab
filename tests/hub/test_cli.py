"""The verbs as a user types them: exit codes, one language, nothing noisy."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import pty
import re
import select
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from joserfc import jwt
from joserfc.jwk import ECKey

from catalog.load import load
from hub.cli import VERBS, cli
from schema.build import build
from store.audit import trigger_names
from tests.head import HEAD

SAMPLE = Path(__file__).parents[2] / "examples" / "township_clerk.graphql"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
HEAVY = ("alembic", "casbin", "faker", "graphql", "httpx", "sqlalchemy", "strawberry", "uvicorn")
OK, FAILED, USAGE, OPERATOR = 0, 1, 2, 3

Hub = Callable[..., Any]


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every verb with its words, groups before what is in them."""
    context = click.Context(cli)

    def below(words: tuple[str, ...], command: click.Command) -> Iterator[Any]:
        yield words, command
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                yield from below((*words, name), inner)

    return below((), cli)


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def change(folder: Path, *statements: str) -> list[int]:
    """Change a store behind the program's back: the rows each statement touched."""
    connection = sqlite3.connect(folder / "store.sqlite")
    touched = [connection.execute(statement).rowcount for statement in statements]
    connection.commit()
    connection.close()
    return touched


@pytest.fixture
def copy(county: Path, tmp_path: Path) -> Path:
    """A demonstration of one's own, to damage."""
    return shutil.copytree(county, tmp_path / "county")


# ---- help


def test_help_imports_no_heavy_library() -> None:
    script = (
        "import sys\nfrom hub.cli import main\nsys.argv[1:] = {words!r}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(' '.join(m for m in {heavy!r} if m in sys.modules), file=sys.stderr)"
    )

    def loaded(*words: str) -> list[str]:
        code = script.format(words=list(words), heavy=HEAVY)
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert ran.stdout
        return ran.stderr.split()

    assert loaded("--help") == []
    assert loaded("schema", "print") == ["graphql", "strawberry"]  # the probe sees what is there


def test_help_lists_every_verb_with_its_own_words() -> None:
    shown = CliRunner().invoke(cli, ["--help"])
    assert shown.exit_code == OK
    listed = shown.stdout.partition("Commands:")[2]
    assert [line.split()[0] for line in lines(listed)] == list(VERBS)
    assert all(CHINESE.search(line) for line in lines(listed))


def test_every_verb_and_option_is_explained_in_chinese() -> None:
    found = list(commands())
    for words, command in found:
        shown = CliRunner().invoke(cli, [*words, "--help"])
        assert shown.exit_code == OK, words
        assert CHINESE.search(command.help or ""), words
        options = [p for p in command.params if isinstance(p, click.Option)]
        silent = [o.name for o in options if not CHINESE.search(o.help or "")]
        assert silent == [], words
    verbs = {" ".join(words) for words, c in found if not isinstance(c, click.Group)}
    assert verbs >= {"demo", "serve", "token", "db upgrade", "db status", "schema print"}
    assert verbs >= {"explain", "audit verify", "doctor", "config show", "version"}


@pytest.mark.parametrize("words", [("nope",), ("db", "nope"), ("demo", "--nope"), ("explain",)])
def test_a_word_nobody_knows_is_a_usage_error(hub: Hub, words: tuple[str, ...]) -> None:
    ran = hub(*words)
    assert (ran.code, ran.out) == (USAGE, "")
    assert ran.err.startswith("Usage: hub")


def test_the_console_script_says_no_in_one_line(process: Hub) -> None:
    ran = process("serve", HUB_PORT="many")
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err == (
        "设置 `port` 的值 `many` 无法使用（来自环境变量 HUB_PORT）：请写 0 到 65535 之间的端口\n"
    )


def test_version_is_the_distributions(hub: Hub) -> None:
    ran = hub("version")
    assert (ran.code, ran.out, ran.err) == (
        OK,
        importlib.metadata.version("data-sharing-hub") + "\n",
        "",
    )


def test_the_module_is_the_same_program(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "hub", "version"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.stdout.strip() == importlib.metadata.version("data-sharing-hub")


# ---- demo, token, explain


def test_once_prints_the_answer_and_nothing_else(first: tuple[Path, Any]) -> None:
    folder, ran = first
    assert ran.code == OK
    assert ran.err == ""  # the county was made and migrated without a word
    answer = json.loads(ran.out)
    assert set(answer) == {"data", "extensions"}
    assert answer["data"]["viewer"]["account"] == "zhelai-town-01"
    assert answer["data"]["citizen"]["name"]
    assert answer["extensions"]["audit"]["idx"] >= 0
    assert sorted(p.name for p in folder.iterdir() if not p.name.startswith("store")) == [
        "demo.json",
        "drop",
        "keys",
        "planted.csv",
        "register.sqlite",
        "snapshots",
        "sources",
    ]


def test_once_with_a_wrong_question_fails_with_a_body(
    hub: Hub, county: Path, tmp_path: Path
) -> None:
    (tmp_path / "wrong.graphql").write_text("{ nobody }")
    ran = hub("demo", "--dir", county, "--once", "wrong.graphql", "--as", "office-01")
    assert ran.code == FAILED
    assert ran.err == ""
    (error,) = json.loads(ran.out)["errors"]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--once 需要 --as ACCOUNT"),
        (("--as", "nobody"), "没有演示账号 `nobody`：可用账号 zhelai-village-01、zhelai-town-01"),
    ],
)
def test_once_needs_an_account_that_exists(
    hub: Hub, county: Path, words: tuple[str, ...], said: str
) -> None:
    ran = hub("demo", "--dir", county, "--once", SAMPLE, *words)
    assert (ran.code, ran.out) == (USAGE, "")
    assert ran.err.startswith(said)
    assert len(lines(ran.err)) == 1


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (b"{bad", "变量文件 v.json 不是 JSON（第 1 行第 2 列）：请改正\n"),
        (b"[1]", '变量文件 v.json 不是 JSON 对象：请写 {"变量名": 值}\n'),
        (b"\xff", "文件 v.json 无法按 UTF-8 读取：请检查文件与权限\n"),
    ],
)
def test_variables_that_cannot_be_read_are_one_line(
    hub: Hub, county: Path, tmp_path: Path, variables: bytes, said: str
) -> None:
    (tmp_path / "v.json").write_bytes(variables)
    words = ("--once", SAMPLE, "--as", "office-01", "--variables", "v.json")
    ran = hub("demo", "--dir", county, *words)
    assert (ran.code, ran.out, ran.err) == (OPERATOR, "", said)


def test_an_account_without_a_question_is_a_usage_error(hub: Hub, county: Path) -> None:
    ran = hub("demo", "--dir", county, "--as", "office-01")
    assert (ran.code, ran.out) == (USAGE, "")
    assert ran.err == "--as、--purpose、--case-no、--variables 只用于 --once FILE\n"


def test_a_folder_that_cannot_be_made_is_one_line(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = hub("demo", "--dir", "file/below")
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err == "目录 file/below 无法建立：请另选目录，或检查权限\n"


def test_a_folder_with_other_files_is_left_alone(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("keep")
    ran = hub("demo", "--dir", "mine")
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err == "目录 mine 中有演示以外的文件（如 letter.txt）：请另选目录\n"
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_demonstration_with_somebody_elses_people_is_refused(hub: Hub, copy: Path) -> None:
    """The prefix just below the invented one, with a wrong check digit: nobody's number."""
    one = "SELECT id FROM citizen WHERE id18 IS NOT NULL LIMIT 1"
    forged = f"UPDATE citizen SET id18 = '539822199001010010' WHERE id = ({one})"
    assert change(copy, forged) == [1]
    ran = hub("demo", "--dir", copy, "--once", SAMPLE, "--as", "office-01")
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err == "演示环境的底册中有 1 名非虚构人员：请换用演示数据库\n"


def test_the_main_job_shows_three_posts_receipts_and_an_intact_log(
    process: Hub, county: Path
) -> None:
    ran = process("demo", "--dir", county)
    assert (ran.code, ran.err) == (OK, "")
    for name in ("zhelai-village-01", "zhelai-town-01", "office-01"):
        (receipt,) = [line for line in lines(ran.out) if name in line and "第" in line]
        assert re.search(r"第 \d+ 条，叶 [0-9a-f]{16}…", receipt)
    (body,) = [line.split() for line in lines(ran.out) if line.split()[:1] == ["certificateNo"]]
    assert (body[1], body[3]) == ("〔已脱敏〕", "〔无权查看〕")  # never as if there were nothing
    assert max(len(line) for line in lines(ran.out)) <= 110
    signed, verdict = lines(ran.out)[-2:]
    (size,) = re.findall(r"日志完好：(\d+) 条记录", verdict)
    assert signed.startswith(f"检查点：最新一个覆盖前 {size} 条记录")


def test_a_token_is_signed_by_the_demonstration(hub: Hub, county: Path) -> None:
    ran = hub("token", "zhelai-town-01", "--dir", county)
    assert (ran.code, ran.err) == (OK, "")
    (word,) = lines(ran.out)
    key = ECKey.import_key((county / "keys/issuer.pem").read_bytes())
    claims = jwt.decode(word, key, algorithms=["ES256"]).claims
    assert claims["sub"] == "zhelai-town-01"
    assert claims["exp"] - claims["iat"] == 12 * 3600


@pytest.mark.parametrize("verb", [("token", "A"), ("explain", SAMPLE, "--as", "A")])
def test_a_verb_about_an_account_says_what_is_missing(
    hub: Hub, county: Path, verb: tuple[str, ...]
) -> None:
    unknown, nowhere = hub(*verb, "--dir", county), hub(*verb, "--dir", "nowhere")
    assert (unknown.code, unknown.out) == (USAGE, "")
    assert unknown.err.startswith("没有演示账号 `A`")
    assert (nowhere.code, nowhere.out) == (OPERATOR, "")
    assert nowhere.err == "目录 nowhere 中没有演示数据：请先运行 hub demo\n"


def test_explain_prints_a_plan_and_records_nothing(hub: Hub, county: Path) -> None:
    before = json.loads(hub("audit", "verify", "--dir", county, "--json").out)
    ran = hub("explain", SAMPLE, "--as", "zhelai-town-01", "--dir", county)
    assert (ran.code, ran.err) == (OK, "")
    assert len(lines(ran.out)) > 10
    after = json.loads(hub("audit", "verify", "--dir", county, "--json").out)
    assert after["records"] == before["records"]


def test_explain_refuses_a_wrong_question_in_one_line(
    hub: Hub, county: Path, tmp_path: Path
) -> None:
    (tmp_path / "wrong.graphql").write_text("{ nobody }")
    ran = hub("explain", "wrong.graphql", "--as", "office-01", "--dir", county)
    assert (ran.code, ran.out) == (FAILED, "")
    assert ran.err.startswith("GRAPHQL_VALIDATION_FAILED: ")
    assert "`nobody`" in ran.err
    assert len(lines(ran.err)) == 1


# ---- audit


def test_an_intact_log_is_told_in_words_and_in_json(hub: Hub, county: Path) -> None:
    told = hub("audit", "verify", "--dir", county)
    assert (told.code, told.err) == (OK, "")
    assert told.out.startswith("日志完好：")
    found = json.loads(hub("audit", "verify", "--dir", county, "--json").out)
    assert found["firstBad"] is None
    assert found["findings"] == {}
    assert found["records"] >= 3  # start, question, stop


def test_a_changed_record_is_found_by_its_index(hub: Hub, copy: Path) -> None:
    guards = [f"DROP TRIGGER {name}" for name in trigger_names("sqlite")]
    forged = "UPDATE audit_event SET actor = 'somebody' WHERE idx = 1"
    assert change(copy, *guards, forged)[-1] == 1
    ran = hub("audit", "verify", "--dir", copy, "--json")
    assert ran.code == FAILED
    assert json.loads(ran.out)["firstBad"] == 1


def test_verify_takes_keys_and_anchors_from_files(hub: Hub, county: Path, tmp_path: Path) -> None:
    keys, anchors = tmp_path / "vkeys.txt", tmp_path / "anchors.txt"
    keys.write_text("no key\n")
    ran = hub("audit", "verify", "--dir", county, "--vkey", keys)
    assert (ran.code, ran.err) == (USAGE, "公钥清单有误（line 1）：每行须为“公钥 起 止”\n")
    anchors.write_text("{}\n")
    ran = hub("audit", "verify", "--dir", county, "--anchors", anchors, "--json")
    assert (ran.code, json.loads(ran.out)["findings"]) == (FAILED, {"CHECKPOINT_SIG": 2})
    ran = hub("audit", "verify", "--dir", county, "--since", "77777")
    assert (ran.code, ran.err) == (USAGE, "没有 77777 条处的检查点：请另选 --since\n")


def test_a_verdict_is_kept_only_if_asked_for(hub: Hub, copy: Path) -> None:
    def kept() -> list[tuple[int, ...]]:
        with sqlite3.connect(copy / "store.sqlite") as store:
            return store.execute("SELECT size, exit, findings FROM audit_verdict").fetchall()

    found = json.loads(hub("audit", "verify", "--dir", copy, "--json").out)
    assert kept() == []
    assert hub("audit", "verify", "--dir", copy, "--keep").code == OK
    assert kept() == [(found["records"], 0, 0)]


def test_an_export_needs_another_s_approval(hub: Hub, copy: Path, tmp_path: Path) -> None:
    words = ("audit", "export", "--dir", copy, "--format", "jsonl", "--reason", "SPOT", "--by", "a")
    out = tmp_path / "out"
    ran = hub(*words, "--out", out, "--approved-by", "a")
    assert (ran.code, ran.err) == (USAGE, "申请人不能自己批准\n")
    assert not out.exists()
    ran = hub(*words, "--out", out, "--approved-by", "b", "--to", "2", "--json")
    assert (ran.code, json.loads(ran.out)["end"]) == (OK, 2)
    assert len((out / "records.jsonl").read_bytes().splitlines()) == 2
    ran = hub(*words, "--out", out, "--approved-by", "b")
    assert (ran.code, ran.err) == (USAGE, f"文件夹 {out} 已存在：请另选\n")
    ran = hub(*words, "--out", tmp_path / "more", "--approved-by", "b", "--to", "99999")
    assert ran.code == USAGE
    ran = hub(*words, "--out", tmp_path / "more", "--approved-by", "王 五")
    assert (ran.code, ran.err) == (USAGE, "理由与账号须是代码：不含空格，至多 128 个字符\n")
    assert hub("audit", "verify", "--dir", copy).code in (OK, 4)


def test_the_drill_prints_its_table_and_leaves_the_log_alone(hub: Hub, county: Path) -> None:
    before = (county / "store.sqlite").read_bytes()
    ran = hub("audit", "drill", "--dir", county)
    assert (ran.code, ran.err) == (OPERATOR, "日志太短，或本身不完好：请先核验，或不给 --dir\n")
    ran = hub("audit", "drill")
    assert (ran.code, ran.err) == (OK, "")
    assert lines(ran.out)[-1] == "全部与要求相符"
    assert ran.out.count("未发现（如所声明的限度）") == 9
    assert (county / "store.sqlite").read_bytes() == before


def test_a_log_that_cannot_be_read_is_the_operators(hub: Hub, copy: Path) -> None:
    for file in copy.glob("store.sqlite*"):
        file.unlink()
    (copy / "store.sqlite").write_text("这不是数据库" * 100)
    ran = hub("audit", "verify", "--dir", copy)
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err == "无法读取审计日志：请检查目录或数据库地址\n"


def test_progress_is_for_terminals_only(county: Path) -> None:
    """The same verb, once piped (the tests above), once watched."""
    ours, theirs = pty.openpty()
    program = Path(sys.executable).parent / "hub"
    process = subprocess.Popen(
        [program, "audit", "verify", "--dir", county], stdout=subprocess.PIPE, stderr=theirs
    )
    out, _ = process.communicate(timeout=30)
    shown = b""
    while select.select([ours], [], [], 0)[0]:
        shown += os.read(ours, 4096)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == OK
    assert "\r核验 [".encode() in shown
    assert b"100%" in shown
    assert b"\r" not in out


# ---- db, settings


def test_a_store_is_upgraded_once(hub: Hub, store_url: str, tmp_path: Path) -> None:
    settings = {
        "HUB_DATA_DIR": str(tmp_path),
        "HUB_STORE_URL": store_url,
        "HUB_ISSUER": "https://issuer.invalid",
    }
    empty = hub("db", "status", **settings)
    assert (empty.code, empty.out, empty.err) == (
        FAILED,
        f"数据库版本 空，程序需要 {HEAD}\n",
        "",
    )
    for _ in range(2):
        upgraded = hub("db", "upgrade", **settings)
        assert (upgraded.code, upgraded.out, upgraded.err) == (
            OK,
            f"数据库已是版本 {HEAD}\n",
            "",
        )
    assert hub("db", "status", **settings).code == OK
    assert asyncio.run(_counted(store_url, "dataset")) > 20
    assert asyncio.run(_counted(store_url, "principal")) == 0  # no demo account in production


async def _counted(url: str, table: str) -> int:
    from sqlalchemy import text

    from store.engine import open_engine

    engine = open_engine(url, pool_size=1)
    async with engine.connect() as connection:
        count = await connection.scalar(text(f"SELECT count(*) FROM {table}"))
    await engine.dispose()
    return int(count)


@pytest.mark.parametrize("verb", ["upgrade", "status"])
def test_a_store_that_is_not_there_is_the_operators(
    hub: Hub, production: dict[str, str], verb: str
) -> None:
    away = production | {"HUB_STORE_URL": "postgresql+asyncpg://hub:geheim@127.0.0.1:1/hub"}
    ran = hub("db", verb, **away)
    assert (ran.code, ran.out) == (OPERATOR, "")
    assert ran.err.startswith("数据库无法连接")
    assert len(lines(ran.err)) == 1
    assert "geheim" not in ran.err


def test_every_wrong_setting_is_named_at_once(hub: Hub, production: dict[str, str]) -> None:
    wrong = production | {"HUB_PORT": "70000", "HUB_AUDIT_WAITS": "3", "HUB_LOG_LEVEL": "loud"}
    for words in (("config", "show"), ("serve",), ("db", "status"), ("audit", "verify")):
        ran = hub(*words, **wrong)
        assert (ran.code, ran.out) == (OPERATOR, ""), words
        assert len(lines(ran.err)) == 3
        assert "`HUB_AUDIT_WAITS`" in ran.err
        assert "`70000`" in ran.err
        assert "`loud`" in ran.err


def test_settings_show_their_origin_and_no_secret(hub: Hub, production: dict[str, str]) -> None:
    given = {
        "HUB_STORE_URL": "postgresql+asyncpg://hub:geheim@127.0.0.1:1/hub",
        "HUB_SOURCE_KEYS_YB_SETTLE": "schluessel",
    }
    ran = hub("config", "show", **(production | given))
    assert (ran.code, ran.err) == (OK, "")
    assert "store.url = postgresql+asyncpg://hub:******@127.0.0.1:1/hub" in ran.out
    assert "source_keys.yb_settle = ******  （环境变量 HUB_SOURCE_KEYS_YB_SETTLE）" in ran.out
    assert "（内置默认值）" in ran.out
    assert "geheim" not in ran.out
    assert "schluessel" not in ran.out


def test_a_demonstration_at_hand_does_not_stand_in_for_settings(
    hub: Hub, copy: Path, production: dict[str, str], tmp_path: Path
) -> None:
    copy.rename(tmp_path / "demo-data")
    chosen = hub("db", "status", **production)
    assert chosen.out == f"数据库版本 空，程序需要 {HEAD}\n"
    partly = hub("db", "status", HUB_STORE_URL=production["HUB_STORE_URL"])
    assert partly.code == OPERATOR
    assert "`data_dir`" in partly.err
    assert hub("db", "status").out == f"数据库版本 {HEAD}，程序需要 {HEAD}\n"


def test_the_state_of_things_is_also_told_to_programs(
    hub: Hub, county: Path, production: dict[str, str]
) -> None:
    status = hub("db", "status", "--dir", county, "--json")
    assert (status.code, json.loads(status.out)) == (OK, {"current": HEAD, "needed": HEAD})
    shown = json.loads(hub("config", "show", "--json", **production).out)
    assert shown["port"] == {"value": "8532", "origin": "内置默认值"}
    found = json.loads(hub("doctor", "--dir", county, "--json").out)
    assert {"ok": True, "what": "数据源 yb_settle", "remedy": "", "warns": False} in found
    assert all(bool(f["remedy"]) is not f["ok"] for f in found)


# ---- schema


def test_the_schema_is_printed_as_it_stands_in_git(hub: Hub) -> None:
    ran = hub("schema", "print")
    file = Path(__file__).parents[2] / "schema/schema.graphql"
    assert (ran.code, ran.err) == (OK, "")
    assert ran.out == file.read_text(encoding="utf-8")


def test_the_subgraph_is_printed_as_a_composer_wants_it(hub: Hub) -> None:
    ran = hub("schema", "print", "--subgraph")
    assert (ran.code, ran.err, ran.out) == (OK, "", build(load()).subgraph)
    assert ran.out.startswith("extend schema @link(")


OLD = """type Query { viewer: Viewer!  nobody: Int }
type Viewer { account: String! }
"""


def test_what_breaks_a_client_is_said_in_words_and_for_programs(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "old.graphql").write_text(OLD, encoding="utf-8")
    ran = hub("schema", "check", "old.graphql")
    assert (ran.code, ran.err) == (FAILED, "")
    assert lines(ran.out) == [
        "[失效] 字段没有了：Field Query.nobody was removed.",
        "失效 1 处，留意 0 处，将停 0 处",
    ]
    told = json.loads(hub("schema", "check", "old.graphql", "--json").out)
    assert [c["kind"] for c in told["breaking"]] == ["FIELD_REMOVED"]
    assert told["breaking"][0]["subjects"] == ["Query.nobody"]
    assert (told["dangerous"], told["deprecated"]) == ([], {})


def test_nothing_breaks_since_the_last_release(hub: Hub) -> None:
    ran = hub("schema", "check")
    assert (ran.code, ran.err) == (OK, "")
    assert lines(ran.out)[-1].startswith("失效 0 处，")


def test_a_file_that_is_no_contract_is_one_line(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "x.graphql").write_text("type Query {", encoding="utf-8")
    ran = hub("schema", "check", "x.graphql")
    assert (ran.code, ran.out) == (USAGE, "")
    assert ran.err.startswith("文件 x.graphql 不是可读的 SDL：")
