"""目录: one TOML file a source, read strictly; a wrong word stops the start in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from catalog.datasets import ROOM, FieldType, KeyKind, RegionKind
from catalog.errors import CatalogError
from catalog.grades import Mask, Sensitivity
from catalog.load import load
from catalog.states import CodeScheme

NINE = {
    "mz_assist": "mca",
    "jt_xueji": "edu",
    "rs_jiuye": "hrss",
    "wfgz": "hou",
    "sw_gongcheng": "wat",
    "wj_resident": "hea",
    "xczx_monitor": "rev",
    "sj_exchange": "rev",
}
LIMITED = {
    "rs_jiuye": (ROOM, 5, None),
    "sj_exchange": (ROOM, None, 5000),
    "wj_resident": (4, None, None),
}
CHINESE = re.compile("[\u4e00-\u9fff]")

SAMPLE = """[source]
name = "sample"
title = "样例系统"
department = "mca"
kind = "sql"
code_scheme = "NBS_STAT"

[[dataset]]
name = "sample_row"
type = "SampleRow"
title = "样例"
description = "样例数据集"
object = "Citizen.civil_affairs"
legal_basis = "MEASURES_ART_11"
update_cycle = "DAILY"
table = "sample"
order = ["-day"]
sharing = { kind = "CONDITIONAL", condition = "按岗位", basis = "MEASURES_ART_11" }
key = { kind = "identity", columns = ["sfzh"], formats = ["id18"] }
region = { kind = "citizen" }
facet = { container = "sample", field = "row" }
[[dataset.field]]
name = "status"
column = "zt"
title = "状态"
type = "code"
code = "AidStatus"
sensitivity = "L4_SENSITIVE"
mask = "HIDE"
values = { "1" = "ACTIVE" }
"""


def test_a_source_is_added_by_one_file(tmp_path: Path) -> None:
    (tmp_path / "sample.toml").write_text(SAMPLE, encoding="utf-8")
    dataset = load(tmp_path).datasets["sample_row"]
    assert dataset.order == (("day", True),)
    assert dataset.by_name["status"].column == "zt"
    assert "sample_row" not in load().datasets


FAULTS = [
    ('title = "样例"\n', "", "dataset[sample_row].title: is missing: add a text"),
    (
        'title = "状态"\n',
        "",
        "dataset[sample_row].field[status].title: is missing: add a text",
    ),
    (
        'order = ["-day"]\n',
        'order = ["-day"]\ncolour = "red"\n',
        "dataset[sample_row].colour: is unknown: remove it or correct its spelling",
    ),
    (
        'mask = "HIDE"\n',
        'mask = "HIDE"\ncolour = "red"\n',
        "dataset[sample_row].field[status].colour: is unknown: remove it or correct its spelling",
    ),
    ('object = "Citizen.civil_affairs"', 'object = "Citizen.zodiac"', "is no authorisation object"),
    (
        'order = ["-day"]\n',
        'order = ["-day"]\ntally = "Stat.yearly"\n',
        "tally: `Stat.yearly` is no authorisation object",
    ),
    ('mask = "HIDE"', 'mask = "BLUR"', "mask: `BLUR` is unknown: use one of NONE HIDE"),
    ('code = "AidStatus"\n', "", "code: is missing: name the code table"),
    ('"ACTIVE"', '"ALIVE"', "values: a value is not in code table AidStatus"),
    ('formats = ["id18"]', 'formats = ["id19"]', "key.formats: `id19` is unknown: use id18"),
    ('condition = "按岗位", ', "", "sharing.condition: is missing"),
    ('department = "mca"', 'department = "xyz"', "source.department: `xyz` is no department"),
    ('name = "sample"', 'name = "other"', "source.name: `other` differs from the file's name"),
    ('kind = "identity"', 'kind = "column"', "subject: personal fields but no subject column"),
    (
        'order = ["-day"]\n',
        'order = ["-day"]\nfile = { header_row = 1, header_rows = 2 }\n',
        "file.header_row: is the header's last line, from 1: at least `header_rows`",
    ),
    (
        'order = ["-day"]\n',
        'order = ["-day"]\nfile = { headers = 2 }\n',
        "file.headers: is unknown: remove it or correct its spelling",
    ),
    (
        'kind = "sql"\n',
        'kind = "sql"\nroom = 0\n',
        "source.room: must be 1 or more; leave it out for no limit",
    ),
    ('kind = "sql"\n', 'kind = "sql"\nrate = 0.5\n', "source.rate: must be a whole number"),
    ('kind = "sql"\n', 'kind = "sql"\nquota = "5000"\n', "source.quota: must be a whole number"),
    ("[source]", "[source", "syntax: is not TOML in UTF-8"),
]


@pytest.mark.parametrize(("before", "after", "remedy"), FAULTS)
def test_a_wrong_word_stops_the_start_with_file_key_and_remedy(
    tmp_path: Path, before: str, after: str, remedy: str
) -> None:
    assert before in SAMPLE
    text = SAMPLE.replace(before, after, 1)
    (tmp_path / "sample.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load(tmp_path)
    line = str(caught.value)
    assert line.startswith("sample.toml: ")
    assert remedy in line
    assert "\n" not in line


def test_each_source_belongs_to_its_department() -> None:
    sources = load().sources
    assert {name: sources[name].department for name in NINE} == NINE
    kinds = dict.fromkeys(NINE, "sql")
    kinds |= {"rs_jiuye": "rest", "sj_exchange": "rest", "wj_resident": "graphql"}
    kinds |= dict.fromkeys(("jt_xueji", "sw_gongcheng", "xczx_monitor"), "files")
    assert {name: str(sources[name].kind) for name in NINE} == kinds
    assert sources["mz_assist"].scheme is CodeScheme.CIVIL_GB10114


def test_a_source_says_how_much_it_may_be_asked(tmp_path: Path) -> None:
    limits = 'kind = "sql"\nroom = 2\nrate = 5\nquota = 300\n'
    (tmp_path / "sample.toml").write_text(SAMPLE.replace('kind = "sql"\n', limits))
    spec = load(tmp_path).sources["sample"]
    assert (spec.room, spec.rate, spec.quota, spec.limited) == (2, 5, 300, True)
    sources = load().sources
    unlimited = sources["mz_assist"]
    assert (unlimited.room, unlimited.rate, unlimited.quota, unlimited.limited) == (
        ROOM,
        None,
        None,
        False,
    )
    found = {n: (s.room, s.rate, s.quota) for n, s in sources.items() if n in LIMITED}
    assert found == LIMITED


def test_everything_is_named_and_described_in_chinese() -> None:
    for dataset in load().datasets.values():
        for text in (dataset.title, dataset.description):
            assert CHINESE.search(text), dataset.name
        for field in dataset.fields:
            assert CHINESE.search(field.title), (dataset.name, field.name)
            assert CHINESE.search(field.description), (dataset.name, field.name)


def test_graphql_names_are_unique_and_well_formed() -> None:
    datasets = load().datasets.values()
    types = [d.type for d in datasets]
    assert len(types) == len(set(types))
    for dataset in datasets:
        names = [f.name for f in dataset.fields]
        assert len(names) == len(set(names))
        assert all(re.fullmatch("[a-z][A-Za-z0-9]*", n) for n in names), dataset.name


def test_the_facets_of_a_citizen_are_the_designs() -> None:
    found = {
        container: {d.facet.field: d.facet.many for d in datasets if d.facet}
        for container, datasets in load().facets("Citizen").items()
        if container != "medicalInsurance"
    }
    assert found == {
        "education": {"enrolment": False, "dropout": False},
        "civilAffairs": {"minLiving": False, "extremePoverty": False, "tempAid": True},
        "employment": {"insurance": False, "jobWish": True, "training": True},
        "provincial": {"registration": False},
        "housing": {"house": False},
        "health": {"chronic": True, "serious": True, "appointments": True, "medications": True},
        "monitoring": {"record": False, "formerPoverty": False},
    }
    water = load().facets("Household")["water"]
    assert [d.name for d in water] == ["water_work"]
    assert water[0].key.columns == ("乡镇", "村委会")


def test_health_and_aid_status_are_hidden_not_shortened() -> None:
    for dataset in load().datasets.values():
        for field in dataset.fields:
            if dataset.object == "Citizen.health":
                assert field.mask is Mask.HIDE, (dataset.name, field.name)
            if field.sensitivity is Sensitivity.L4_SENSITIVE and dataset.source in NINE:
                assert field.mask in (Mask.HIDE, Mask.BAND), (dataset.name, field.name)


def test_amounts_of_money_are_banded_away() -> None:
    for dataset in load().datasets.values():
        if dataset.source not in NINE:
            continue
        for field in dataset.fields:
            if field.type is FieldType.MONEY:
                assert field.mask is Mask.BAND, (dataset.name, field.name)


def test_only_the_minimum_living_rows_carry_a_place_of_their_own() -> None:
    datasets = load().datasets.values()
    own = [d for d in datasets if d.region.kind is RegionKind.CODE]
    assert [d.name for d in own] == ["min_living"]
    assert own[0].region.scheme is CodeScheme.CIVIL_GB10114


def test_a_house_holds_its_appraisals_and_plans() -> None:
    house = load().datasets["house"]
    assert [(n.name, n.dataset) for n in house.nests] == [
        ("appraisals", "house_appraisal"),
        ("plans", "renovation_plan"),
    ]
    assert load().datasets["house_appraisal"].order == (("jdrq", True),)
    assert house.key.kind is KeyKind.IDENTITY


def test_no_student_number_is_shown_since_it_is_the_id_number() -> None:
    shown = [f.column for f in load().datasets["enrolment"].fields]
    assert "学籍号" not in shown
    assert "身份证件号" not in shown
