"""``hub bulletin``: scenario (j), a month bit for bit after corrections and late files."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import insert, literal, select, text, update

from catalog.bulletin import GroupKind
from catalog.load import load
from domain.bulletin import Adjustment
from hub import bulletins
from hub.bulletins import NotFrozen
from hub.deeds import NotSigned
from hub.demo.load import load_store
from hub.demo.site import Site
from hub.found import found
from hub.settings import Settings
from store.audit import audit_event
from store.bulletins import FROZEN, inputs_of, monthly_bulletin
from store.cases import case_event, case_file
from store.complaints import complaint
from store.engine import single
from store.migrate import upgrade
from tests.hub.conftest import PROGRAM, plain
from tests.sites import copied

Hub = Callable[..., Any]
T = TypeVar("T")
DONE, REFUSED = 0, 1
OCTOBER, OFFICE = "2026-10", "office-01"
THIRD = datetime(2026, 11, 2, 16, tzinfo=UTC)  # the third begins in Beijing
LATER = datetime(2027, 2, 3, tzinfo=UTC)
WORDS = load()

LATE, HURRIED, COMPLAINED = (
    "49d363ea-5d16-8fda-a93a-4b770a2f2328",  # 找工作, 稼依镇, still open
    "e088cae5-f6d7-87fd-a2b5-f6be75a9383f",  # 饮水, 江那镇, not accepted yet
    "17a807f2-b0a0-8a3d-a87d-744136bf3841",  # 大病救助, 者腊乡
)
COUNTY = (GroupKind.COUNTY, "532622000000")


def groups(township: str, dept: str, item: str) -> tuple[tuple[GroupKind, str], ...]:
    """The four groups a case is counted in."""
    return (
        COUNTY,
        (GroupKind.TOWNSHIP, township),
        (GroupKind.DEPARTMENT, dept),
        (GroupKind.ITEM, item),
    )


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def settings(request: pytest.FixtureRequest, pristine: Site, tmp_path: Path) -> Settings:
    """A demonstration of one's own; its store in either database."""
    site = copied(pristine, tmp_path / "site")
    if request.param == "sqlite":
        return site.settings()
    url = str(request.getfixturevalue("pg_url"))
    upgrade(url)
    people = [account.principal() for account in site.accounts]
    asyncio.run(found(url, demo=True, accounts=people))
    asyncio.run(load_store(site.folder / "register.sqlite", url))
    return site.settings(**{"store.url": url})


def run(asked: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asked)


def freeze(settings: Settings, month: str = OCTOBER, now: datetime = THIRD) -> Any:
    return run(bulletins.freeze(settings, WORDS, month, by=OFFICE, now=now))


def change(settings: Settings, *statements: Any) -> None:
    async def deed() -> None:
        async with single(settings.store_url) as conn:
            for one in statements:
                await conn.execute(one)

    run(deed())


def records(settings: Settings) -> list[dict[str, Any]]:
    """What the log says of deeds on bulletins."""

    async def read() -> list[dict[str, Any]]:
        async with single(settings.store_url, readonly=True) as conn:
            asked = select(audit_event.c.body).where(audit_event.c.kind == "MUTATION")
            return [json.loads(body) for (body,) in await conn.execute(asked)]

    return run(read())


def an_event(case: str, at: datetime) -> Any:
    """An overdue acceptance by the township, of a case whose other columns it copies."""
    c = case_file.c
    names = (
        *("id", "case_id", "seq", "state", "at", "post", "overdue"),
        *("applicant_uid", "household_id", "region_path", "handling_dept"),
    )
    values = ("late-1", case, 9, "ACCEPTED", at, "rev/town/532622101", True)
    types = [case_event.c[name].type for name in names]
    told = [literal(v, t) for v, t in zip(values, types, strict=False)]
    row = select(*told, c.applicant_uid, c.household_id, c.region_path, c.handling_dept)
    return insert(case_event).from_select(names, row.where(c.id == case))


def keys(settings: Settings, asked: Any) -> list[str]:
    """The keys a statement finds, in their order."""

    async def read() -> list[str]:
        async with single(settings.store_url, readonly=True) as conn:
            return list((await conn.execute(asked)).scalars())

    return run(read())


def test_november_counts_appeals_and_content_by_the_stores_rows(settings: Settings) -> None:
    appealed = keys(settings, select(complaint.c.id).order_by(complaint.c.id).limit(2))
    followed = keys(
        settings,
        select(case_event.c.id)
        .where(case_event.c.state == "FOLLOWED_UP")
        .order_by(case_event.c.id)
        .limit(4),
    )
    months = [datetime(2026, 11, 5, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)]
    change(
        settings,
        *(
            update(complaint).where(complaint.c.id == key).values(kind="APPEAL", received_at=when)
            for key, when in zip(appealed, months, strict=True)
        ),
        *(
            update(case_event).where(case_event.c.id == key).values(at=when, satisfaction=score)
            for key, when, score in zip(
                followed, [*months[:1] * 3, months[1]], (5, 4, 2, 1), strict=True
            )
        ),
    )
    freeze(settings)
    kept, _ = freeze(settings, "2026-11", datetime(2026, 12, 3, tzinfo=UTC))
    assert kept.edition == "BULLETIN_2026_11"
    told = {
        one.figure: one.value or one.absent
        for one in bulletins.figures(kept.document)
        if one.kind == "COUNTY"
    }
    names = ("appeals", "surveys", "satisfied", "satisfaction", "sharing_due")
    assert [told[name] for name in names] == ["1", "3", "2", "0.6667", "NO_REGISTER"]
    for month in (OCTOBER, "2026-11"):
        assert run(bulletins.verify(settings, month)) is None
        assert run(bulletins.adjustments(settings, month, now=LATER)) == []
    change(
        settings, update(case_event).where(case_event.c.id == followed[0]).values(satisfaction=1)
    )
    found_ = run(bulletins.adjustments(settings, "2026-11", now=LATER))
    assert {one.figure for one in found_} == {"satisfied", "satisfaction"}
    county = next(one for one in found_ if (one.kind, one.figure) == ("COUNTY", "satisfied"))
    assert (county.frozen, county.now, county.difference) == ("2", "1", "-1")
    assert run(bulletins.adjustments(settings, OCTOBER, now=LATER)) == []


def test_october_is_reproduced_bit_for_bit_after_corrections_and_a_late_file(
    settings: Settings,
) -> None:
    kept, new = freeze(settings)
    assert new
    assert run(bulletins.verify(settings, OCTOBER)) is None
    assert run(bulletins.adjustments(settings, OCTOBER, now=LATER)) == []

    change(
        settings,
        # A file that came late: it was closed in October after all.
        update(case_file)
        .where(case_file.c.id == LATE)
        .values(closed_at=datetime(2026, 10, 28, tzinfo=UTC), state="CLOSED"),
        # An event nobody had entered, dated in the month.
        an_event(HURRIED, datetime(2026, 10, 30, 10, tzinfo=UTC)),
        # A row that is corrected.
        update(case_file).where(case_file.c.id == COMPLAINED).values(has_complaint=True),
        # What happened in November changes nothing of October.
        update(case_file)
        .where(case_file.c.id == HURRIED)
        .values(closed_at=datetime(2026, 11, 5, tzinfo=UTC)),
        # Nor does the register of another day.
        text("UPDATE citizen SET dq = 'DQ01'"),
    )

    assert run(bulletins.verify(settings, OCTOBER)) is None
    again, new = freeze(settings, now=LATER)
    assert (again, new) == (kept, False)
    assert again.document.encode() == kept.document.encode()

    touched: dict[tuple[GroupKind, str], dict[str, str | None]] = {}
    for group in groups("532622103000", "hrss", "JOB_SEEKING"):
        touched.setdefault(group, {}).update(closed="1", closing_rate=None, days_to_close=None)
    for group in groups("532622101000", "wat", "WATER_SAFETY"):
        touched.setdefault(group, {}).update(overdue="1", overdue_rate=None)
        touched[group].update(contacted="1", days_to_contact=None)
    for group in groups("532622205000", "med", "SERIOUS_ILLNESS_AID"):
        touched.setdefault(group, {}).update(complaints="1")
    found_ = run(bulletins.adjustments(settings, OCTOBER, now=LATER))
    assert {(a.kind, a.code, a.figure) for a in found_} == {
        (*group, figure) for group, figures in touched.items() for figure in figures
    }
    for one in found_:
        wanted = touched[one.kind, one.code][one.figure]
        assert wanted in (None, one.difference), one
    (acceptance,) = [a for a in found_ if (a.code, a.figure) == ("WATER_SAFETY", "overdue_rate")]
    assert acceptance == Adjustment(
        GroupKind.ITEM, "WATER_SAFETY", "overdue_rate", "0.0000", "1.0000", "1.0000"
    )


def test_a_freezing_is_a_recorded_deed_of_the_office(settings: Settings) -> None:
    kept, _ = freeze(settings)
    freeze(settings)
    (told,) = records(settings)
    assert (told["actor"], told["role"], told["purpose"]) == (OFFICE, "office", "report")
    assert told["op"] == {
        "name": "bulletin.freeze",
        "type": "command",
        "vars": {"month": OCTOBER, "inputs": len(_inputs(settings))},
    }
    assert told["ref"] == f"sha256:{kept.sha256}"


def _inputs(settings: Settings) -> tuple[str, ...]:
    async def read() -> tuple[str, ...]:
        async with single(settings.store_url, readonly=True) as conn:
            return await inputs_of(conn, OCTOBER)

    return run(read())


def test_nobody_else_freezes_and_nothing_before_its_day(settings: Settings) -> None:
    early = datetime(2026, 11, 2, 15, 59, 59, tzinfo=UTC)
    with pytest.raises(NotFrozen, match="2026-10 尚不能冻结：自 2026-11-03"):
        freeze(settings, now=early)
    for wrong in ("2026-13", "10", "2022-06"):
        with pytest.raises(NotFrozen, match=r"不是月份|没有适用的通报口径"):
            freeze(settings, wrong)
    for other in ("zhelai-town-01", "mca-dept-01"):
        with pytest.raises(NotSigned, match="无权签批"):
            run(bulletins.freeze(settings, WORDS, OCTOBER, by=other, now=THIRD))
    for asked in (
        bulletins.verify(settings, OCTOBER),
        bulletins.adjustments(settings, OCTOBER, now=LATER),
        bulletins.frozen(settings, OCTOBER),
    ):
        with pytest.raises(NotFrozen, match="没有冻结的通报"):
            run(asked)
    assert records(settings) == []


def test_a_quarter_is_ranked_from_frozen_months_only(settings: Settings) -> None:
    for month in ("2026-07", "2026-09"):
        freeze(settings, month)
    with pytest.raises(NotFrozen, match="2026-08 没有冻结的通报"):
        run(bulletins.rank(settings, WORDS, "2026-Q3", by=OFFICE, now=THIRD))
    freeze(settings, "2026-08")
    made, new = run(bulletins.rank(settings, WORDS, "2026-Q3", by=OFFICE, now=THIRD))
    assert new
    # Rows may change as they like: a ranking reads none.
    change(settings, text("UPDATE case_file SET closed_at = NULL, has_complaint = true"))
    assert run(bulletins.rank(settings, WORDS, "2026-Q3", by=OFFICE, now=LATER)) == (made, False)
    named = json.loads(made.document)["bulletins"]
    assert [one["month"] for one in named] == ["2026-07", "2026-08", "2026-09"]
    assert [one["op"]["name"] for one in records(settings)][-1] == "bulletin.rank"
    for wrong in ("2026-Q5", "2026-07"):
        with pytest.raises(NotFrozen, match="不是季度"):
            run(bulletins.rank(settings, WORDS, wrong, by=OFFICE, now=THIRD))


def test_rows_are_read_where_they_are_placed(pristine: Site, tmp_path: Path) -> None:
    site = copied(pristine, tmp_path / "site")
    whole = freeze(site.settings())[0]
    apart = copied(pristine, tmp_path / "apart")
    cases = copied(pristine, tmp_path / "cases")
    placed = {f"placed.{name}": "elsewhere" for name in ("case", "case_event")}
    settings = apart.settings(**placed, **{"sources.elsewhere": cases.store_url})
    # What lies in the store beside it is nobody's any more.
    change(settings, text("UPDATE case_file SET closed_at = NULL, item = 'WATER_SAFETY'"))
    found_ = freeze(settings)[0]
    assert found_.inputs_sha256 == whole.inputs_sha256
    assert run(bulletins.adjustments(settings, OCTOBER, now=LATER)) == []


@pytest.mark.parametrize(
    ("table", "spoilt", "fault"),
    [
        (
            "monthly_bulletin",
            "document = replace(document, '\"closed\":', '\"close\":')",
            "正文与所记 sha256 不符",
        ),
        ("bulletin_input", "line = replace(line, 'mca', 'hea')", "冻结的输入与所记摘要不符"),
        (
            "monthly_bulletin",
            "parameters = replace(parameters, '\"rate_decimals\"\\:4', '\"rate_decimals\"\\:3')",
            "由冻结的输入重算与正文不同，首处在 COUNTY 532622000000 closing_rate",
        ),
        ("monthly_bulletin", "parameters = '{}'", "冻结的输入或参数不能读取"),
        (
            "bulletin_figure",
            "value = '99' WHERE figure = 'closed' AND kind = 'COUNTY'",
            "供查询的指标与正文不同，首处在 COUNTY 532622000000 closed",
        ),
    ],
)
def test_what_somebody_changed_past_the_triggers_is_named(
    pristine: Site, tmp_path: Path, table: str, spoilt: str, fault: str
) -> None:
    settings = copied(pristine, tmp_path / "site").settings()
    freeze(settings)
    names = [n for n in FROZEN.trigger_names("sqlite") if n.startswith(f"{table}_no_")]
    change(settings, *(text(f"DROP TRIGGER {name}") for name in names))
    change(settings, text(f"UPDATE {table} SET {spoilt}"))
    assert run(bulletins.verify(settings, OCTOBER)) == fault


# ---- the verbs


@pytest.fixture
def folder(county: Path, tmp_path: Path) -> Path:
    """A demonstration of one's own."""
    return shutil.copytree(county, tmp_path / "county")


def test_a_month_and_its_quarter_from_the_command_line(hub: Hub, folder: Path) -> None:
    at = ("--dir", folder)
    signed = ("--by", OFFICE, *at)
    made = hub("bulletin", "freeze", "2026-07", *signed, "--json")
    assert (made.code, made.err) == (DONE, "")
    told = json.loads(made.out)
    assert (told["month"], told["edition"], told["new"]) == ("2026-07", "BULLETIN_2022", True)
    again = hub("bulletin", "freeze", "2026-07", *signed)
    assert again.out == f"2026-07 通报此前已冻结，未作改动，sha256 {told['sha256']}\n"

    shown = hub("bulletin", "show", "2026-07", *at).out.splitlines()
    assert shown[1] == f"口径 BULLETIN_2022，sha256 {told['sha256']}"
    assert shown[2].split() == ["指标", "砚山县"]
    assert "— 中枢尚无此类登记：申诉量、回访量、满意量" in "\n".join(shown)
    towns = hub("bulletin", "show", "2026-07", "--group", "TOWNSHIP", *at).out.splitlines()
    assert towns[2].split()[:3] == ["指标", "县级", "江那镇"]
    whole = json.loads(hub("bulletin", "show", "2026-07", "--json", *at).out)
    assert whole["document"]["month"] == "2026-07"
    assert len(whole["document"]["groups"]) == 1 + 12 + 7 + 16

    same = hub("bulletin", "verify", "2026-07", *at)
    assert (same.code, same.out) == (DONE, "2026-07 通报与冻结时逐字节相同\n")
    assert hub("bulletin", "adjustments", "2026-07", *at).out == "2026-07 调整 0 项\n"
    missing = hub("bulletin", "rank", "2026-Q3", *signed)
    assert (missing.code, missing.out) == (REFUSED, "")
    assert "2026-08 没有冻结的通报" in missing.err
    for month in ("2026-08", "2026-09"):
        assert hub("bulletin", "freeze", month, *signed).code == DONE
    ranked = hub("bulletin", "rank", "2026-Q3", *signed)
    assert ranked.code == DONE
    assert ranked.out.splitlines()[2].split() == ["分组", "名次", "得分", "件数", "榜", "说明"]
    assert ranked.out.count("件数不足") == 18
    assert hub("bulletin", "show", "2026-Q3", *at).out == ranked.out


ASKED = """
{
  bulletins { nodes { month edition sha256 inputsSha256 } }
  bulletinFigures(first: 100, filter: {month: "2026-09", kind: COUNTY}) {
    totalCount nodes { code figure value absent }
  }
  rankings(first: 100, filter: {quarter: "2026-Q3", kind: DEPARTMENT}) {
    totalCount nodes { code rank score list cases reason missing }
  }
}
"""


def test_what_was_frozen_is_read_by_the_office_and_nobody_below(hub: Hub, folder: Path) -> None:
    at = ("--dir", folder)
    for month in ("2026-07", "2026-08", "2026-09"):
        assert hub("bulletin", "freeze", month, "--by", OFFICE, *at).code == DONE
    assert hub("bulletin", "rank", "2026-Q3", "--by", OFFICE, *at).code == DONE
    kept = json.loads(hub("bulletin", "show", "2026-09", "--json", *at).out)
    question = folder.parent / "asked.graphql"
    question.write_text(ASKED, encoding="utf-8")

    def ask(account: str, purpose: str) -> Any:
        words = ("demo", "--once", question, "--as", account, "--purpose", purpose, *at)
        return json.loads(hub(*words).out)

    told = ask(OFFICE, "report")["data"]
    assert [one["month"] for one in told["bulletins"]["nodes"]] == ["2026-09", "2026-08", "2026-07"]
    assert told["bulletins"]["nodes"][0]["sha256"] == kept["sha256"]
    county = kept["document"]["groups"][0]
    figures = {one["figure"]: one for one in told["bulletinFigures"]["nodes"]}
    assert told["bulletinFigures"]["totalCount"] == len(figures) == 24
    for code, one in figures.items():
        shown = county["figures"].get(code), county["absent"].get(code)
        assert (one["code"], one["value"], one["absent"]) == ("532622000000", *shown)
    places = told["rankings"]["nodes"]
    assert told["rankings"]["totalCount"] == len(places) == 7
    assert {one["reason"] for one in places} == {"TOO_FEW"}
    for other, purpose in (("authority-01", "report"), ("lab", "aid.review")):
        assert ask(other, purpose)["data"] == told
    for below, purpose in (("zhelai-town-01", "aid.file"), ("mca-dept-01", "aid.review")):
        refused = ask(below, purpose)
        assert refused["data"] == {"bulletins": None, "bulletinFigures": None, "rankings": None}
        assert {e["extensions"]["code"] for e in refused["errors"]} == {"FORBIDDEN"}


def test_a_changed_case_is_listed_and_a_changed_bulletin_fails(hub: Hub, folder: Path) -> None:
    at = ("--dir", folder)
    assert hub("bulletin", "freeze", "2026-09", "--by", OFFICE, *at).code == DONE
    url = f"sqlite+aiosqlite:///{folder / 'store.sqlite'}"

    async def change_one(statement: str) -> None:
        async with single(url) as conn:
            await conn.execute(text(statement))

    run(
        change_one(
            "UPDATE case_file SET has_complaint = 1 WHERE id = (SELECT id FROM case_file WHERE "
            "filed_at >= '2026-09-01' AND filed_at < '2026-09-30' ORDER BY id LIMIT 1)"
        )
    )
    found_ = hub("bulletin", "adjustments", "2026-09", *at).out.splitlines()
    assert found_[0].split() == ["分组", "指标", "冻结", "现在", "差"]
    assert found_[1].split() == ["砚山县", "投诉量", "0", "1", "1"]
    assert found_[-1] == "2026-09 调整 4 项"
    as_json = json.loads(hub("bulletin", "adjustments", "2026-09", "--json", *at).out)
    assert {one["figure"] for one in as_json} == {"complaints"}
    run(change_one("DROP TRIGGER monthly_bulletin_no_update"))
    run(change_one("UPDATE monthly_bulletin SET document = document || ' '"))
    broken = hub("bulletin", "verify", "2026-09", *at)
    assert (broken.code, broken.out) == (REFUSED, "")
    assert broken.err == "2026-09 通报核验不符：正文与所记 sha256 不符\n"


def test_two_processes_at_once_freeze_one_bulletin(folder: Path) -> None:
    words = [PROGRAM, "bulletin", "freeze", "2026-09", "--by", OFFICE, "--json", "--dir", folder]
    both = [
        subprocess.Popen(
            [*map(str, words)], env=plain(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [DONE, DONE], said
    told = [json.loads(out) for out, _ in said]
    assert told[0]["sha256"] == told[1]["sha256"]
    assert sorted(one["new"] for one in told) == [False, True]

    async def counted() -> tuple[int, int]:
        url = f"sqlite+aiosqlite:///{folder / 'store.sqlite'}"
        async with single(url, readonly=True) as conn:
            kept = len((await conn.execute(select(monthly_bulletin.c.month))).all())
            done = select(audit_event.c.body).where(audit_event.c.kind == "MUTATION")
            return kept, len((await conn.execute(done)).all())

    assert run(counted()) == (1, 1)
