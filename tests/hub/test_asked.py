"""``hub audit search|subject|actor|withhold``: an officer's questions at the command line."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.demo.site import opened
from tests.hub.conftest import PROGRAM, plain

Hub = Callable[..., Any]
DONE, REFUSED, USAGE, OPERATOR = 0, 1, 2, 3
OFFICER = ("--as", "auditor-01")


@pytest.fixture
def folder(county: Path, tmp_path: Path) -> Path:
    return shutil.copytree(county, tmp_path / "county")


def bodies(folder: Path) -> list[dict[str, Any]]:
    connection = sqlite3.connect(folder / "store.sqlite")
    rows = connection.execute("SELECT body FROM audit_event ORDER BY idx").fetchall()
    connection.close()
    return [json.loads(body) for (body,) in rows]


def test_a_search_tells_what_the_records_say_and_is_one_itself(hub: Hub, folder: Path) -> None:
    before = bodies(folder)
    ran = hub("audit", "search", *OFFICER, "--actor", "zhelai-town-01", "--dir", folder)
    assert (ran.code, ran.err) == (DONE, "")
    read = [b for b in before if b.get("actor") == "zhelai-town-01"]
    lines = ran.out.splitlines()
    assert lines[-1] == f"共 {len(read)} 行，列出 {len(read)} 行"
    assert [line.split()[0] for line in lines[:-1]] == [str(b["idx"]) for b in reversed(read)]
    start, own, stop = bodies(folder)[len(before) :]
    assert (start["kind"], own["kind"], stop["kind"]) == ("HUB_START", "AUDIT_READ", "HUB_STOP")
    assert (own["actor"], own["client"], own["purpose"]) == ("auditor-01", "hub-cli", "audit")
    assert own["op"]["name"] == "AuditSearch"
    # What a command leaves is signed, so that nothing is missing where nobody serves.
    assert hub("audit", "verify", "--dir", folder).code == DONE


def test_pages_filters_and_json(hub: Hub, folder: Path) -> None:
    size = len(bodies(folder))
    first = hub("audit", "search", *OFFICER, "--first", "2", "--dir", folder)
    *shown, count, more = first.out.splitlines()
    assert count.startswith(f"共 {size + 1} 行，列出 2 行")  # its own HUB_START is there already
    cursor = more.removeprefix("下一页：--after ")
    second = hub("audit", "search", *OFFICER, "--after", cursor, "--dir", folder)
    assert [line.split()[0] for line in shown][-1] == str(size - 1)
    assert second.out.split()[0] == str(size - 2)
    found = hub(
        *("audit", "search", *OFFICER, "--shown", "Citizen.phone=CLEAR", "--kind", "READ"),
        *("--until", "2020-01-01T00:00:00+08:00", "--json", "--dir", folder),
    )
    told = json.loads(found.out)
    assert told["data"]["page"]["totalCount"] == 0
    assert told["extensions"]["audit"]["log"] == "demo.invalid/hub/main/sha256"


def test_who_is_no_officer_is_refused_and_recorded(hub: Hub, folder: Path) -> None:
    ran = hub("audit", "search", "--as", "zhelai-town-01", "--dir", folder)
    assert (ran.code, ran.out) == (REFUSED, "")
    assert ran.err.startswith("FORBIDDEN ")
    assert [b["outcome"] for b in bodies(folder)][-2] == "DENIED"
    nobody = hub("audit", "search", "--as", "nobody", "--dir", folder)
    assert (nobody.code, nobody.err) == (
        USAGE,
        "账号 `nobody` 不存在、已停用或今日没有岗位\n",
    )
    wrong = hub("audit", "search", *OFFICER, "--kind", "NOPE", "--dir", folder)
    assert (wrong.code, wrong.err.split()[:2]) == (REFUSED, ["BAD_USER_INPUT", "VARIABLE"])


def test_a_person_is_asked_for_without_being_named_in_the_command(folder: Path) -> None:
    site = opened(folder)
    assert site is not None
    number = site.shown("zhelai").id18
    ran = subprocess.run(
        [PROGRAM, "audit", "subject", *OFFICER, "--dir", folder],
        input=number + "\n",
        env=plain(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (DONE, "")
    assert number not in ran.stdout
    (token,) = bodies(folder)[-2]["sought"]
    again = subprocess.run(
        [PROGRAM, "audit", "subject", *OFFICER, "--person", token, "--json", "--dir", folder],
        env=plain(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    nodes = json.loads(again.stdout)["data"]["page"]["nodes"]
    idx = [int(line.split()[0]) for line in ran.stdout.splitlines()[:-1]]
    # The first question, too, is a record about the person.
    assert [n["idx"] for n in nodes][-len(idx) :] == idx
    assert number not in sys.argv


def test_what_an_account_did(hub: Hub, folder: Path) -> None:
    ran = hub("audit", "actor", "zhelai-town-01", *OFFICER, "--dir", folder)
    assert (ran.code, ran.err) == (DONE, "")
    read = [b for b in bodies(folder) if b.get("actor") == "zhelai-town-01"]
    assert sum(int(line.split()[3]) for line in ran.out.splitlines()[:-1]) == len(read)


def test_what_is_withheld_needs_two_people_a_ground_and_an_end(hub: Hub, folder: Path) -> None:
    add = ("audit", "withhold", "add", "--level", "WITHHELD", "--basis", "某法", "--dir", folder)
    signed = ("--by", "auditor-01", "--approved-by", "sec-01", "--until", "2099-01-01")
    nobody = hub(*add, *signed, "--purpose", "supervise")
    assert (nobody.code, nobody.err) == (USAGE, "账号 `sec-01` 不存在、已停用或今日没有岗位\n")
    connection = sqlite3.connect(folder / "store.sqlite")
    with connection:
        connection.execute(
            "INSERT INTO principal SELECT 'sec-01', kind, real_name, home_dept, employment, state, "
            "'secadmin', 0, NULL FROM principal WHERE id = 'office-01'"
        )
        connection.execute(
            "INSERT INTO post SELECT 'sec-01.1', 'sec-01', 'secadmin', dept, 'secadmin', "
            "region_path, starts_on, ends_on, 'x', 'x' FROM post WHERE principal_id = 'office-01'"
        )
    connection.close()
    assert hub(*add, *signed).code == USAGE  # aimed at nothing
    done = hub(*add, *signed, "--purpose", "supervise")
    assert (done.code, done.err) == (DONE, "")
    name = done.out.split()[0]
    listed = json.loads(hub("audit", "withhold", "list", "--json", "--dir", folder).out)
    assert [(one["id"], one["level"], one["until"]) for one in listed] == [
        (name, "WITHHELD", "2099-01-01")
    ]
    record = next(b for b in bodies(folder) if b["kind"] == "RULE_CHANGED")
    assert (record["actor"], record["ref"], record["op"]["name"]) == (
        "auditor-01", name, "withhold.add",
    )  # fmt: skip
    end = ("audit", "withhold", "end", name, "--by", "auditor-01", "--approved-by", "sec-01")
    assert hub(*end, "--dir", folder).code == DONE
    gone = hub(*end, "--dir", folder)
    assert (gone.code, gone.err) == (USAGE, f"没有 `{name}` 这一条：请核对编号\n")
    assert hub("audit", "withhold", "list", "--dir", folder).out == "共 0 条\n"
