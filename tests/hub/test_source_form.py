"""``hub source new``: a form that, filled in, is a data set; nothing is ever written over."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from catalog.datasets import Kind
from catalog.errors import CatalogError
from catalog.load import load
from catalog.table import read_toml
from hub.cli.source import KINDS
from hub.source_form import ADDRESS, MORE, TABLE, form
from schema.build import build, sdl

Hub = Callable[..., Any]
NAME = "mz_canbu"
ANSWERS = ["残补台账", "canbu", "Canbu", "残补", "残疾人补贴", "btff", "xm", "sfzh", "canbu"]
FIELD = ["kind", "btlb", "类别", "补贴类别"]


def fill(file: Path, answers: Sequence[str]) -> None:
    """What an operator does in his editor: each blank in turn."""
    left = iter(answers)
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        blank = '""' in line and not line.startswith("#")
        lines.append(line.replace('""', f'"{next(left)}"') if blank else line)
    assert next(left, None) is None
    file.write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "departments"
    made.mkdir()
    return made


def new(hub: Hub, *words: object, county: Path, **settings: str) -> Any:
    return hub("source", "new", *words, "--dir", county, **settings)


@pytest.mark.loopback
def test_new_filled_in_is_checked_and_in_the_schema(
    hub: Hub, process: Hub, county: Path, folder: Path, tmp_path: Path
) -> None:
    copy = copytree(county, tmp_path / "county")
    extra = {"HUB_CATALOG_EXTRA_DIR": str(folder)}
    # A process of its own: one process reads a folder of the catalogue once.
    ran = new(process, NAME, "--kind", "sql", "--dept", "mca", county=copy, **extra)
    assert (ran.code, ran.err) == (0, "")
    file = folder / f"{NAME}.toml"
    assert ran.out.splitlines() == [
        f"已写 {file}：请逐项填写；填完之前，读取该目录的中枢不能启动",
        f'设置文件 [sources] 一节：{NAME} = "postgresql+asyncpg://只读账号:密码@主机/库"',
        f"填好后：hub source check {NAME} --as 账号",
    ]
    fill(file, [*ANSWERS, *FIELD])
    with closing(sqlite3.connect(copy / "store.sqlite")) as store:
        ((number,),) = store.execute("SELECT id18 FROM citizen WHERE id18 NOT NULL LIMIT 1")
    with closing(sqlite3.connect(tmp_path / "canbu.sqlite")) as department, department:
        department.execute("CREATE TABLE btff (sfzh, xm, btlb)")
        department.execute("INSERT INTO btff VALUES (?, '陆某', '生活补贴')", (number,))
    given = extra | {"HUB_SOURCES_MZ_CANBU": f"sqlite+aiosqlite:///{tmp_path / 'canbu.sqlite'}"}
    ran = hub("source", "check", NAME, "--as", "authority-01", "--dir", copy, **given)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "结论：相符"
    text = sdl(build(load(folder)))
    assert re.search(r"type CivilAffairsFacet \{[^}]*\bcanbu: Canbu\b", text)


@pytest.mark.parametrize("dept", list(load().departments))
@pytest.mark.parametrize("kind", KINDS)
def test_every_department_has_a_form_whose_blanks_the_loader_names(
    folder: Path, kind: str, dept: str
) -> None:
    file = folder / "neu.toml"
    file.write_text(form(load(), "neu", Kind(kind), dept), encoding="utf-8")
    read_toml(file)  # it is TOML, blanks and all
    with pytest.raises(CatalogError, match=r"^neu\.toml: source\.title: is missing"):
        load.__wrapped__(folder)


def test_an_http_form_filled_in_is_read(folder: Path) -> None:
    file = folder / "neu.toml"
    file.write_text(form(load(), "neu", Kind.REST, "med"), encoding="utf-8")
    fill(file, [*ANSWERS, *FIELD])
    spec = load.__wrapped__(folder).sources["neu"]
    assert (spec.kind, spec.rest, spec.datasets[0].key.columns) == (
        "rest",
        load().sources["yb_settle"].rest,  # whose words are the form's example
        ("sfzh",),
    )


def test_a_subgraphs_form_filled_in_is_read(folder: Path) -> None:
    file = folder / "neu.toml"
    file.write_text(form(load(), "neu", Kind.GRAPHQL, "hea"), encoding="utf-8")
    answers = [a.replace("btff", "chronic_record").replace("sfzh", "idCard") for a in ANSWERS]
    fill(file, [*answers, *FIELD])
    spec, health = load.__wrapped__(folder).sources["neu"], load().sources["wj_resident"]
    assert spec.graphql is not None
    assert health.graphql is not None
    # The form's example has one of the department's fields.
    assert spec.graphql.fields == {"chronic_record": ("chronicRecords",)}
    assert replace(spec.graphql, fields=health.graphql.fields) == health.graphql


def test_every_kind_offered_has_its_words() -> None:
    assert set(KINDS) == set(ADDRESS) == set(MORE) == set(TABLE)


def test_nothing_is_written_over(hub: Hub, county: Path, folder: Path) -> None:
    file = folder / f"{NAME}.toml"
    file.write_text("# 我的\n", encoding="utf-8")
    ran = new(hub, NAME, "--kind", "sql", "--dept", "mca", "--into", folder, county=county)
    assert (ran.code, ran.out, ran.err) == (2, "", f"文件 {file} 已存在：未改动\n")
    assert file.read_text(encoding="utf-8") == "# 我的\n"


def test_elsewhere_it_says_which_folder_to_name(hub: Hub, county: Path, folder: Path) -> None:
    ran = new(hub, NAME, "--kind", "rest", "--dept", "med", "--into", folder, county=county)
    assert ran.code == 0
    assert ran.out.splitlines()[1:3] == [
        f'设置文件 [catalog] 一节：extra_dir = "{folder}"',
        f'设置文件 [sources] 一节：{NAME} = "http://主机:端口"',
    ]


def test_a_folder_that_is_not_there_is_made_one_that_cannot_be_is_said(
    hub: Hub, county: Path, tmp_path: Path
) -> None:
    words = (NAME, "--kind", "sql", "--dept", "mca", "--into")
    assert new(hub, *words, tmp_path / "fresh", county=county).code == 0
    assert (tmp_path / "fresh" / f"{NAME}.toml").is_file()
    ran = new(hub, *words, tmp_path / "no" / "where", county=county)
    said = f"文件 {tmp_path / 'no' / 'where' / NAME}.toml 无法写入：请检查目录与权限\n"
    assert (ran.code, ran.out, ran.err) == (2, "", said)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("wfgz", "--dept", "hou"), 2, "数据源 `wfgz` 已在目录中：请换一个名称"),
        (
            ("New-One", "--dept", "hou"),
            2,
            "名称 `New-One` 无法使用：请用小写英文字母开头，只含小写字母、数字与下划线",
        ),
        (("../etc", "--dept", "hou"), 2, "名称 `../etc` 无法使用：请用小写英文字母开头，"),
        (("neu", "--dept", "fax"), 2, "没有部门 `fax`：请写 edu mca hrss hou wat hea med rev "),
    ],
)
def test_what_cannot_be_is_said(
    hub: Hub, county: Path, folder: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    ran = new(hub, *words, "--kind", "sql", "--into", folder, county=county)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith(said)
    assert list(folder.iterdir()) == []


def test_without_a_folder_the_operator_is_asked(hub: Hub, county: Path) -> None:
    ran = new(hub, "neu", "--kind", "sql", "--dept", "hou", county=county)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == "没有写入的目录：请设置 catalog.extra_dir，或以 --into 指明\n"
