"""The invented county: the same bytes from the same seed, nobody real in it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest

from adapters.identity import canonical
from catalog.load import load
from hub.demo.county import AS_OF, County, build, small_villages
from hub.demo.people import number_of

KEY = b"a county key of thirty-two bytes"
NINE = {
    "mz_assist",
    "jt_xueji",
    "rs_jiuye",
    "wfgz",
    "sw_gongcheng",
    "wj_resident",
    "yb_settle",
    "xczx_monitor",
    "sj_exchange",
}


ENROLMENT = "psn_no psn_name certno psn_cert_type insutype insu_admdvs year paid_date state"
SETTLEMENT = (
    "setl_id mdtrt_id psn_no psn_name certno setl_time med_type hospital offsite refund "
    "medfee_sumamt fulamt_ownpay_amt overlmt_selfpay preselfpay_amt inscp_scp_amt hifp_pay "
    "hifmi_pay maf_pay fund_pay_sumamt psn_part_amt"
)


def digests(folder: Path) -> dict[str, str]:
    files = [f for f in folder.rglob("*") if f.is_file()]
    return {str(f.relative_to(folder)): sha256(f.read_bytes()).hexdigest() for f in files}


def cells(county: County) -> Iterator[tuple[str, str]]:
    """Every text of every file: (where, text)."""
    for file in (county.register, *(county.source(name) for name in sorted(NINE))):
        connection = sqlite3.connect(file)
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            cursor = connection.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for row in cursor:
                for name, value in zip(names, row, strict=True):
                    if isinstance(value, str):
                        yield f"{file.name}/{table}/{name}", value
        connection.close()


def test_same_seed_and_scale_give_the_same_bytes(county: County, tmp_path: Path) -> None:
    build(tmp_path / "again", scale=0.01, key=KEY)
    again = digests(tmp_path / "again")
    assert len(again) == 11  # nine sources, the register, planted.csv
    assert again == digests(county.folder)


def test_building_over_an_older_county_leaves_nothing_of_it(county: County, tmp_path: Path) -> None:
    build(tmp_path, scale=0.01, key=KEY, seed=7)
    other = digests(tmp_path)
    assert all(other[name] != digest for name, digest in digests(county.folder).items())
    build(tmp_path, scale=0.01, key=KEY)
    assert digests(tmp_path) == digests(county.folder)


def test_the_smallest_county_is_the_first_village_of_each_township(county: County) -> None:
    assert [place.path for place in county.places] == [path for path, _, _ in small_villages()]
    assert len({place.township for place in county.places}) == 11
    assert ("532622205201", "者腊村委会", "者腊乡") in small_villages()
    assert ("532622206201", "蚌蛾村委会", "蚌峨乡") in small_villages()
    drawn = sum(place.people for place in county.places)
    assert abs(drawn - 4_800) <= 11  # each village rounds
    planted = county.counts["hub"]["citizen"] - drawn
    assert planted == 3 * 4 + 9 * 6 + 6  # families, one a rule case, the parents of R02


def test_progress_counts_the_villages(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    build(tmp_path, scale=0.01, key=KEY, progress=lambda done, all_: seen.append((done, all_)))
    assert seen == [(n, 11) for n in range(1, 12)]


def test_the_as_of_date_is_a_parameter_and_nothing_is_later(tmp_path: Path) -> None:
    older = build(tmp_path, scale=0.01, key=KEY, as_of=date(2025, 3, 1))
    connection = sqlite3.connect(older.register)
    latest = connection.execute("SELECT max(at), min(at) FROM case_event").fetchone()
    connection.close()
    assert "2025-02" <= latest[0] < "2025-03-01"
    assert latest[1] >= "2024-02-2"


def test_every_id_number_is_invented(county: County) -> None:
    numbers = 0
    for where, text in cells(county):
        for found in re.findall(r"(?<![0-9])([0-9]{17}[0-9Xx])(?![0-9])", text):
            # Keyed digests hold long runs of digits too; a person's number has its check digit.
            if canonical(found, today=date(2099, 12, 31)).id18:
                numbers += 1
                assert found.startswith("539922"), where
    assert numbers > 20_000


def test_a_health_record_has_a_number_of_its_own_of_seventeen_digits(county: County) -> None:
    records = [text for where, text in cells(county) if where.endswith("resident/ehrNo")]
    assert len(records) == county.counts["hub"]["citizen"]
    assert len(set(records)) == len(records)
    assert all(re.fullmatch(r"532622\d{11}", text) for text in records)


def test_fifteen_digit_numbers_are_invented_too(county: County) -> None:
    texts = [t for where, t in cells(county) if where.endswith("/hzzjh") and len(t) == 15]
    assert texts
    assert all(t.startswith("539922") and canonical(t).id18 for t in texts)


def test_every_number_of_the_register_is_valid_and_unique(county: County) -> None:
    connection = sqlite3.connect(county.register)
    rows = connection.execute("SELECT id18, birth, sex FROM citizen WHERE id18 IS NOT NULL")
    found = rows.fetchall()
    connection.close()
    assert len(found) == len({id18 for id18, _, _ in found})
    for id18, birth, sex in found:
        assert canonical(id18, today=AS_OF).id18 == id18
        assert id18[6:14] == birth.replace("-", "")
        assert sex == ("MALE" if int(id18[16]) % 2 else "FEMALE")


def test_nobody_can_be_called(county: County) -> None:
    phones = [t for where, t in cells(county) if re.fullmatch(r"1[0-9]{10}", t)]
    assert len(phones) > 3_000
    assert all(phone.startswith("12") for phone in phones)


def test_an_id_in_the_store_does_not_hold_the_id_number(county: County) -> None:
    connection = sqlite3.connect(county.register)
    rows = connection.execute("SELECT id, citizen_uid, id18 FROM citizen").fetchall()
    connection.close()
    assert len({row[0] for row in rows}) == len(rows)
    for id_, uid, id18 in rows:
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id_)
        assert re.fullmatch(r"1-[0-9a-f]{32}", uid)
        assert id18 is None or id18[6:17] not in id_ + uid


def test_another_key_changes_the_uids_and_nothing_else(county: County, tmp_path: Path) -> None:
    other = build(tmp_path, scale=0.01, key=b"another county key, also 32 byte")
    mine, its = digests(county.folder), digests(other.folder)
    assert {name for name in mine if mine[name] != its[name]} == {"register.sqlite"}


@pytest.mark.parametrize("source", sorted(NINE - {"yb_settle"}))
def test_each_catalogued_column_stands_in_the_sources_table(county: County, source: str) -> None:
    connection = sqlite3.connect(county.source(source))
    held = {
        f"{table}.{row[1]}"
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for row in connection.execute(f'PRAGMA table_info("{table}")')
    }
    connection.close()
    spec = load().sources[source]
    for dataset in spec.datasets:
        named = [f.column for f in dataset.fields] + list(dataset.key.columns)
        named += [column for column, _ in dataset.order]
        named += [c for c in (dataset.region.column, dataset.person_name) if c]
        named += [f"{j.table}.{j.right}" for j in dataset.joins]
        full = {c if "." in c else f"{dataset.table}.{c}" for c in named}
        assert full <= held, dataset.name


def test_the_insurers_tables_are_as_its_service_reads_them(county: County) -> None:
    connection = sqlite3.connect(county.source("yb_settle"))
    settlement = [r[1] for r in connection.execute("PRAGMA table_info(settlement)")]
    enrolment = [r[1] for r in connection.execute("PRAGMA table_info(enrolment)")]
    times = [r[0] for r in connection.execute("SELECT setl_time FROM settlement")]
    connection.close()
    assert " ".join(enrolment) == ENROLMENT
    assert " ".join(settlement) == SETTLEMENT
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", t) for t in times)


def test_a_birth_date_never_runs_out_of_numbers(larger: County) -> None:
    connection = sqlite3.connect(larger.register)
    counts = connection.execute(
        "SELECT max(n) FROM (SELECT count(*) AS n FROM citizen GROUP BY birth)"
    ).fetchone()
    connection.close()
    assert counts[0] <= 39
    assert number_of(date(1977, 4, 12), 991).startswith("53992219770412991")
