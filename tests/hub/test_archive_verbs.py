"""``hub audit archive``, ``restore``, ``retention``, ``hub db roles``, as a user types them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Hub = Callable[..., Any]
OK, FAILED, USAGE, OPERATOR = 0, 1, 2, 3
FIRST = "segment-000000000000-000000000002"


@pytest.fixture
def copy(county: Path, tmp_path: Path) -> Path:
    """A county whose log has been read by all that follow it: else nothing of it may leave."""
    made = shutil.copytree(county, tmp_path / "county")
    connection = sqlite3.connect(made / "store.sqlite")
    connection.execute("UPDATE audit_follower SET next_idx = (SELECT size FROM audit_head)")
    connection.commit()
    connection.close()
    return made


@pytest.fixture
def ours(copy: Path) -> dict[str, str]:
    """Settings under which records are old at once, two a segment."""
    return {
        "HUB_PROFILE": "demo",
        "HUB_DATA_DIR": str(copy),
        "HUB_AUDIT_SEGMENT": "2",
        "HUB_AUDIT_ONLINE_MONTHS": "0",
        "HUB_AUDIT_COPY_DIR": str(copy / "second"),
    }


def test_segments_are_written_checked_and_brought_back(
    hub: Hub, copy: Path, ours: dict[str, str]
) -> None:
    ran = hub("audit", "archive", **ours)
    assert (ran.code, ran.err) == (OK, "")
    assert ran.out.splitlines()[:2] == ["第 0 至 1 条：已写入", "第 0 至 1 条：已归档"]
    assert (copy / "archive" / f"{FIRST}.jsonl.gz").read_bytes() == (
        copy / "second" / f"{FIRST}.jsonl.gz"
    ).read_bytes()
    told = json.loads(hub("audit", "archive", "--json", **ours).out)
    assert told[0] == {"first": 0, "end": 2, "state": "ARCHIVED", "path": f"{FIRST}.jsonl.gz"}
    checked = json.loads(hub("audit", "archive", "--check", "--json", **ours).out)
    assert (checked["intact"], checked["segments"], checked["records"]) == (
        True,
        len(told),
        2 * len(told),
    )
    assert (checked["findings"], checked["unfinished"]) == ([], [])
    assert hub("audit", "verify", **ours).code == OK
    whole = hub("audit", "verify", "--all", **ours)
    assert (whole.code, whole.out.splitlines()[-1]) == (
        OK,
        f"归档完好：{len(told)} 个分段，{2 * len(told)} 条记录已逐条核验",
    )
    both = json.loads(hub("audit", "verify", "--all", "--json", **ours).out)
    assert (both["integrity"], both["archive"]["records"]) == (True, 2 * len(told))
    target = copy / "search.sqlite"
    ran = hub("audit", "restore", "0", "--to", target, **ours)
    assert (ran.code, ran.out) == (OK, f"第 0 至 1 条已装入 {target}\n")
    connection = sqlite3.connect(target)
    rows = connection.execute("SELECT idx, kind FROM audit_event ORDER BY idx").fetchall()
    connection.close()
    assert rows == [(0, "HUB_START"), (1, "READ")]
    refused = hub("audit", "restore", "0", "--to", target, **ours)
    assert (refused.code, refused.out) == (USAGE, "")
    assert hub("audit", "restore", "1", "--to", copy / "no", **ours).code == USAGE


def test_a_damaged_segment_is_named(hub: Hub, copy: Path, ours: dict[str, str]) -> None:
    assert hub("audit", "archive", **ours).code == OK
    file = copy / "archive" / f"{FIRST}.jsonl.gz"
    file.write_bytes(file.read_bytes()[:-12])
    ran = hub("audit", "archive", "--check", **ours)
    assert ran.code == FAILED
    assert ran.out.splitlines()[0] == f"{FIRST}（第 0 至 1 条）：UNREADABLE 无法解压"
    ran = hub("audit", "restore", "0", "--to", copy / "no", **ours)
    assert (ran.code, ran.err.splitlines()) == (
        FAILED,
        [f"{FIRST}（第 0 至 1 条）：UNREADABLE 无法解压"],
    )
    assert not (copy / "no").exists()


def test_the_end_of_a_segment_needs_two_known_people_and_its_time(
    hub: Hub, ours: dict[str, str]
) -> None:
    assert hub("audit", "archive", **ours).code == OK
    assert hub("audit", "retention", **ours).out == "没有保存期满的分段\n"
    assert json.loads(hub("audit", "retention", "--json", **ours).out) == []
    said = []
    for by, other in (
        ("auditor-01", "auditor-01"),
        ("auditor-01", "nobody"),
        ("auditor-01", "zhelai-town-01"),
    ):
        words = ("--destroy", "0", "--by", by, "--approved-by", other)
        ran = hub("audit", "retention", *words, **ours)
        assert (ran.code, ran.out) == (USAGE, "")
        said.append(ran.err)
    assert said == [
        "办理人与批准人须是不同的两个账号\n",
        "没有在用的账号 `nobody`\n",
        "第 0 至 0 条：没有到期的这一分段：到期的分段见 hub audit retention\n",
    ]


def test_nothing_was_archived_is_no_fault(hub: Hub, copy: Path) -> None:
    ran = hub("audit", "archive", "--dir", copy)
    assert (ran.code, ran.out) == (OK, "共 0 个分段，至第 0 条\n")
    ran = hub("audit", "archive", "--check", "--dir", copy)
    assert (ran.code, ran.out) == (OK, "归档完好：0 个分段，0 条记录已逐条核验\n")


def test_sqlite_has_no_roles(hub: Hub, copy: Path) -> None:
    ran = hub("db", "roles", "--dir", copy)
    assert (ran.code, ran.out, ran.err) == (
        OPERATOR,
        "",
        "此数据库没有角色：请改用 PostgreSQL\n",
    )


@pytest.mark.postgres
def test_roles_are_set_and_renewed(hub: Hub, pg_url: str, production: dict[str, str]) -> None:
    ours = production | {"HUB_STORE_URL": pg_url}
    assert hub("db", "roles", **ours).code == OPERATOR  # no tables yet
    assert hub("db", "upgrade", **ours).code == OK
    ran = hub("db", "roles", **ours)
    assert (ran.code, ran.out, ran.err) == (
        OK,
        "角色已设置：hub_app、hub_officer、hub_archiver\n",
        "",
    )
    assert hub("db", "upgrade", **ours).code == OK
