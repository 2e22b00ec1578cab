"""The acceptance scenarios of 领域设计 4 as golden files: query, answer, record of each step."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from hub import bulletins
from hub.demo.department import insurance
from hub.demo.site import HTTP_SOURCE, Site
from store.accounts import NewPost, NewPrincipal, seed_accounts
from store.cases import case_file
from store.engine import single
from store.work_orders import work_order
from tests import account_changes, sharing
from tests.casework import DEPT, MANY, NEIGHBOUR, TOWN, VILLAGE, applicant, filing
from tests.comparisons import clues, compared, lifting, planted
from tests.corrections import (
    AID,
    AMOUNT,
    CORRECT,
    DISPUTED,
    NOTICES,
    STEPS,
    TEXTS,
    mended,
    request,
)
from tests.papers import code_on, sha256_on
from tests.scenes import TAGS, FixedTime, Scene
from tests.trusted import Edge, over

pytestmark = [pytest.mark.anyio]

OFFICE = "office-01"
ORDER = "... on SupervisionChanged { order { orderNo state version } }"
BOARD = """query Board($no: String!) { case(caseNo: $no) { state overdue
  timeouts { node dueAt recordedAt }
  orders { orderNo kind reason state node signedAt resultAt reportedAt closedAt } } }"""
TIMELINE = """query Timeline($no: String!) { case(caseNo: $no) { state decision closedAt
  events(first: 20) { nodes { act state at post overdue } }
  workOrders { node tier handlerRole openedAt dueAt closedAt late } } }"""
APPROVED: tuple[tuple[str, str, str, dict[str, object]], ...] = (
    ("受理", TOWN, "acceptCase", {"opinion": "材料齐全"}),
    ("入户核实", TOWN, "visitCase", {"findings": "情况属实"}),
    ("民主评议", TOWN, "deliberateCase", {"opinion": "同意", "attendance": 21, "votesFor": 19}),
    ("公示", TOWN, "publishCase", {"opinion": "村务公开栏"}),
    ("乡镇初审", TOWN, "reviewCase", {"opinion": "无异议"}),
    ("报县级审批", DEPT, "presentCase", {"opinion": "请审批"}),
    ("批准", DEPT, "approveCase", {"conclusion": "同意纳入低保"}),
    ("落实", DEPT, "deliverCase", {"measure": "次月起发放", "deliveredOn": "2026-11-12"}),
    ("办结", DEPT, "closeCase", {"result": "已发放"}),
    ("回访", VILLAGE, "followUpCase", {"result": "已收到", "satisfaction": 5}),
)
CORRECTED = "... on CorrectionChanged { correction { correctionNo state version } }"
LABELS: Mapping[str, str] = {
    "acceptCorrection": "受理",
    "flagCorrection": "标明有争议",
    "assignCorrection": "转交提供部门",
    "investigateCorrection": "核查",
    "decideCorrection": "认定有误",
    "confirmCorrection": "确认来源已更正",
    "replayCorrection": "查出并告知查看过的人",
    "notifyCorrection": "告知本人",
    "closeCorrection": "办结",
}
FOUND = """query Found($no: String!, $id: ID!) {
  case(caseNo: $no) { state applicant { id } } citizen(by: {id: $id}) { id name } }"""
NOBODY = "00000000-0000-4000-8000-000000000000"
NOTICE = """office = "者腊乡民政办"
phone = "3122105"
since = 2026-11-26
until = 2026-12-03
[[entries]]
name = "陆云山"
village = "者腊村委会"
item = "MIN_LIVING"
result = "拟纳入，每月 1556.00 元"
"""
MONTH, LATE = "2026-10", "SQ10300100003"
BULLETIN = """query Bulletin($month: String!) {
  bulletins(first: 3) { nodes { month frozenAt edition } }
  bulletinFigures(filter: {month: $month, kind: COUNTY}, first: 50) {
    nodes { figure value absent } } }"""
CLUE = """query Clue($no: String!) { riskClue(clueNo: $no) {
  rule state tier item detail case { caseNo state } } }"""
FACETS = """query Facets($id: ID!) { citizen(by: {id: $id}) { name
  medicalInsurance { enrolment { state } } civilAffairs { minLiving { status } }
  access { field state source } } }"""
CLOCK = """query Clock($no: String!) { case(caseNo: $no) { state
  workOrders { node dueAt firstDueAt late } timeouts { node } } }"""
SEEN = """query Seen($mine: String!, $theirs: String!) {
  mine: case(caseNo: $mine) { caseNo } theirs: case(caseNo: $theirs) { caseNo } }"""
CLERK = "clue-town-01"
PURPOSES = {CLERK: "aid.verify"}
LIFTED = "... on CaseChanged { case { caseNo state version channel } }"
VERIFIED: tuple[tuple[str, str, str, dict[str, object]], ...] = (
    ("受理", CLERK, "acceptCase", {"opinion": "受理"}),
    ("入户核实", CLERK, "visitCase", {"findings": "自付属实，家庭困难", "found": True}),
    ("报县级审批", CLERK, "presentCase", {"opinion": "建议救助并纳入监测"}),
    ("批准", DEPT, "approveCase", {"conclusion": "同意，建议纳入监测"}),
)
REFUSED = (
    ("合规审查", sharing.AUTHORITY, "reviewSharingRequest"),
    ("卫健以内部规定拒绝", sharing.LEAD, "refuseSharingRequest"),
    ("民政提出异议", DEPT, "disputeSharingRefusal"),
    ("办公室不认可其依据，转协调", OFFICE, "rejectSharingBasis"),
)
STAMPED: tuple[tuple[str, str, str, dict[str, object]], ...] = (
    ("签收", TOWN, "signSupervision", {}),
    ("开始办理", TOWN, "startSupervision", {}),
    ("办果", TOWN, "finishSupervision", {"result": "已受理并入户"}),
    ("回报", TOWN, "reportSupervision", {"attachments": "附-1、附-2"}),
    ("复核", OFFICE, "reviewSupervision", {}),
    ("销号", OFFICE, "closeSupervision", {}),
)


@pytest.fixture
def time() -> FixedTime:
    return FixedTime()


@pytest.fixture
async def edge(site_copy: Site, time: FixedTime) -> AsyncIterator[Edge]:
    async with single(site_copy.store_url) as conn:  # the county's own work is done
        await conn.execute(update(work_order).values(open=False))
    async with over(site_copy, MANY, clock=time) as made:
        yield made


@pytest.fixture
async def insured(site_copy: Site, time: FixedTime) -> AsyncIterator[Edge]:
    """With 医保's own system, which is closed at night."""
    with insurance(site_copy.folder / "sources" / f"{HTTP_SOURCE}.sqlite") as address:
        named = {f"sources.{HTTP_SOURCE}": address, f"source_keys.{HTTP_SOURCE}": "demo"}
        closed = {f"outages.{HTTP_SOURCE}": "23:30-05:30"}
        async with over(site_copy, {**MANY, **named, **closed}, clock=time) as made:
            yield made


def noticed(site: Site, page: Path, text: str) -> subprocess.CompletedProcess[str]:
    """``hub print notice`` of a file, as a process of its own."""
    file = page.with_suffix(".toml")
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "hub", "print", "notice", str(file), "--out", str(page)]
    command += ["--dir", str(site.folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _aid(answer: Mapping[str, Any]) -> dict[str, Any]:
    """His 低保 in an answer."""
    found: dict[str, Any] = answer["data"]["citizen"]["civilAffairs"]["minLiving"]
    return found


async def test_a_filed_by_proxy_approved_printed_and_verified(edge: Edge, time: FixedTime) -> None:
    scene = Scene(edge, time, "(a) 他人代举的低保：入户、批准、打印、核验")
    given = filing(edge, "MIN_LIVING", body="家中无劳动力，请求低保")
    case = (await scene.do("村里代为提交", VILLAGE, "submitCase", given))["case"]
    number = case["caseNo"]
    for version, (about, account, name, more) in enumerate(APPROVED, start=1):
        if name == "reviewCase":
            time.passes(days=8)
            scene.happens("公示期满")
        time.passes(hours=2)
        done = await scene.do(about, account, name, {"caseNo": number, "version": version, **more})
        assert done["case"]["version"] == version + 1
    await scene.ask("时间线", TOWN, TIMELINE, {"no": number})
    paper = await scene.paper("打印审批决定书", TOWN, "decision", number)
    code, sha256 = code_on(paper.text), sha256_on(paper.text)
    assert (await scene.verify("核验：是真的", code, sha256))["genuine"] is True
    altered = sha256[::-1]
    assert (await scene.verify("改过一字的：不是", code, altered))["genuine"] is False
    await scene.same("a")


async def test_c_overdue_urged_stamped_and_struck_off(edge: Edge, time: FixedTime) -> None:
    scene = Scene(edge, time, "(c) 超时自动记录，催办三章，销号；迟办不抹去")
    case = (await scene.do("提交", VILLAGE, "submitCase", filing(edge)))["case"]
    number = case["caseNo"]
    time.passes(days=6)
    ran = await edge.hub.jobs.run("overdue")
    assert ran is not None
    scene.happens("定时任务 overdue", {"done": ran.done, "batches": ran.batches})
    board = await scene.ask("办公室看到超时与催办单", OFFICE, BOARD, {"no": number})
    (order,) = board["data"]["case"]["orders"]
    for version, (about, account, name, more) in enumerate(STAMPED, start=1):
        time.passes(hours=1)
        given = {"orderNo": order["orderNo"], "version": version, **more}
        done = await scene.do(about, account, name, given, ORDER)
        assert done["order"]["version"] == version + 1
    late = {"caseNo": number, "version": 1, "opinion": "现予受理"}
    await scene.do("迟到的受理", TOWN, "acceptCase", late)
    after = await scene.ask("超时记录还在", OFFICE, BOARD, {"no": number})
    assert after["data"]["case"]["timeouts"] == board["data"]["case"]["timeouts"]
    assert after["data"]["case"]["orders"][0]["state"] == "CLOSED"
    await scene.same("c")


async def test_f_disputed_corrected_at_its_source_and_told(edge: Edge, time: FixedTime) -> None:
    scene = Scene(
        edge, time, "(f) 本人反映金额有误：即时标明有争议，来源更正，告知查看过的人与本人"
    )
    citizen = {"id": applicant(edge)}
    before = await scene.ask("民政查看", DEPT, AID, citizen, CORRECT)
    given = request(edge)
    filed = await scene.do("村里代为提出", VILLAGE, "fileCorrection", given, CORRECTED, CORRECT)
    number = filed["correction"]["correctionNo"]
    for version, (account, name, state) in enumerate(STEPS, start=1):
        time.passes(hours=1)
        if name == "confirmCorrection":
            mended(edge, "812.50")
            scene.happens("民政在本部门系统中更正")
        step = {"correctionNo": number, "version": version, **TEXTS.get(name, {})}
        done = await scene.do(LABELS[name], account, name, step, CORRECTED, CORRECT)
        assert done["correction"]["state"] == state
        if name == "flagCorrection":
            shown = await scene.ask("即时标明有争议", DEPT, AID, citizen, CORRECT)
            assert _aid(shown) == {**_aid(before), "access": DISPUTED}
    after = await scene.ask("更正后的值", DEPT, AID, citizen, CORRECT)
    assert _aid(after) == {**_aid(before), "monthlyAmount": "812.50"}
    told = await scene.ask("查看过的人已被告知", OFFICE, NOTICES, {"no": number}, CORRECT)
    (reader,) = told["data"]["correction"]["readers"]["nodes"]
    assert (reader["account"], reader["coordinate"]) == (DEPT, AMOUNT)
    await scene.same("f")


async def test_h_a_neighbours_case_does_not_exist(edge: Edge, time: FixedTime) -> None:
    scene = Scene(edge, time, "(h) 者腊乡经办看不到、办不了蚌峨乡的人和件")
    theirs = edge.site.shown("bange").citizen
    given = {
        "applicant": theirs,
        "item": "EXTREME_POVERTY",
        "intake": "OFFLINE_COUNTER",
        "channel": "SELF_RAISED",
        "body": "请求特困供养",
    }
    case = (await scene.do("蚌峨乡收件", NEIGHBOUR, "submitCase", given))["case"]
    number = {"no": case["caseNo"]}
    mine = await scene.ask("蚌峨乡看得到", NEIGHBOUR, FOUND, {**number, "id": theirs})
    assert mine["data"]["case"]["applicant"]["id"] == theirs
    none = await scene.ask("者腊乡：没有此件，没有此人", TOWN, FOUND, {**number, "id": theirs})
    assert none["data"] == {"case": None, "citizen": None}
    unknown = await scene.ask("与不存在的一样", TOWN, FOUND, {"no": "SQ2026-999999", "id": NOBODY})
    assert unknown["data"] == none["data"]
    step = {"caseNo": case["caseNo"], "version": 1, "opinion": "材料齐全"}
    asked = "mutation Accept($in: AcceptCaseInput!) { acceptCase(input: $in) { __typename } }"
    refused = await scene.ask("者腊乡受理不了", TOWN, asked, {"in": step})
    assert refused["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    await scene.do("蚌峨乡受理", NEIGHBOUR, "acceptCase", step)
    await scene.same("h")


async def test_i_a_notice_says_what_it_may_and_nothing_else(
    edge: Edge, time: FixedTime, tmp_path: Path
) -> None:
    scene = Scene(edge, time, "(i) 公示：只有姓名、村、事项、结果与异议渠道")
    page = tmp_path / "notice.html"
    made = noticed(edge.site, page, NOTICE)
    assert made.returncode == 0, made.stderr
    shown = [line.strip() for line in TAGS.sub("", page.read_text(encoding="utf-8")).splitlines()]
    scene.happens("生成公示", [line for line in shown if line])
    page.unlink()
    number, name = edge.site.shown("zhelai").id18, 'result = "拟纳入'
    for about, text in (
        ("结果中写了证件号码：拒绝", f"{name}（{number}）"),
        ("写了全角的电话：拒绝", f"{name}，电话１２７９９９９００１７"),
        ("写了疾病：拒绝", f"{name}，患高血压"),
    ):
        refused = noticed(edge.site, page, NOTICE.replace(name, text))
        assert (refused.returncode, page.exists()) == (1, False)
        assert number not in refused.stderr + refused.stdout
        scene.happens(about, refused.stderr.splitlines() + refused.stdout.splitlines())
    await scene.same("i")


async def test_j_a_month_is_the_frozen_one_whatever_comes_later(
    edge: Edge, time: FixedTime
) -> None:
    scene = Scene(edge, time, "(j) 月通报三个月后逐字节重现；其后的变更列为调整")
    settings, words = edge.hub.settings, edge.hub.catalog
    time.passes(hours=15)
    kept, new = await bulletins.freeze(settings, words, MONTH, by=OFFICE, now=time.now())
    assert new
    scene.happens("三日冻结", {"month": kept.month, "edition": kept.edition})
    asked = await scene.ask("县委办看到通报", OFFICE, BULLETIN, {"month": MONTH}, "report")
    time.passes(days=92)
    async with single(settings.store_url) as conn:
        closed = {"closed_at": datetime(2026, 10, 28, tzinfo=UTC), "state": "CLOSED"}
        row = case_file.c
        await conn.execute(update(case_file).where(row.case_no == LATE).values(**closed))
    scene.happens("迟到的文件：此件其实十月已办结", {"caseNo": LATE})
    again = await scene.ask("三个月后再看", OFFICE, BULLETIN, {"month": MONTH}, "report")
    assert again["data"] == asked["data"]
    assert await bulletins.verify(settings, MONTH) is None
    found = await bulletins.adjustments(settings, MONTH, now=time.now())
    scene.happens("由留存的输入重算：逐字节相同；调整", [asdict(one) for one in found])
    assert {one.figure for one in found} == {"closed", "closing_rate", "days_to_close"}
    await scene.same("j")


async def test_b_a_hit_is_lifted_visited_and_decided(insured: Edge, time: FixedTime) -> None:
    scene = Scene(insured, time, "(b) 比对命中、一键托举、入户核实、纳入；命中本身不改变任何待遇")
    await compared(insured.hub, "R03")
    found, expected = await clues(insured.hub, "R03"), planted(insured.site, "R03")
    clue = next(found[c] for c, r in expected.items() if r == "HIT" and found[c].tier == "RED")
    payments = (insured.site.folder / "sources" / "mz_assist.sqlite").read_bytes()
    await _clerk(insured, CLERK, clue.region_path[:9])
    scene.happens("比对批次 R03", {"hits": sum(r == "HIT" for r in expected.values())})
    await scene.ask("所在乡镇看到线索", CLERK, CLUE, {"no": clue.clue_no}, "aid.verify")
    other = await scene.ask("别的乡镇看不到", _stranger(clue), CLUE, {"no": clue.clue_no})
    assert other["data"]["riskClue"] is None
    lifted = await scene.do("办公室一键托举", OFFICE, "submitCase", lifting(clue), LIFTED)
    case = lifted["case"]
    for version, (about, account, name, given) in enumerate(VERIFIED, start=1):
        time.passes(hours=1)
        step = {"caseNo": case["caseNo"], "version": version, **given}
        done = await scene.do(about, account, name, step, purpose=PURPOSES.get(account))
        assert done["case"]["version"] == version + 1
    after = await scene.ask("线索已核实", CLERK, CLUE, {"no": clue.clue_no}, "aid.verify")
    assert after["data"]["riskClue"]["state"] == "VISITED_FOUND"
    assert (insured.site.folder / "sources" / "mz_assist.sqlite").read_bytes() == payments
    await scene.same("b")


async def test_d_what_is_closed_at_night_stops_the_clerks_clock(
    insured: Edge, time: FixedTime
) -> None:
    scene = Scene(insured, time, "(d) 医保 23:40 停机：其余照答；停机不算在经办人头上")
    time.passes(hours=13, minutes=30)
    await insured.hub.outages.look()
    given = filing(insured, "TEMP_AID", urgent=True, body="突发大火，请求紧急救助")
    case = (await scene.do("22:30 紧急救助，两小时内受理", VILLAGE, "submitCase", given))["case"]
    number = {"no": case["caseNo"]}
    before = await scene.ask("到期时间", TOWN, CLOCK, number)
    time.passes(hours=1, minutes=10)
    await insured.hub.outages.look()
    await insured.hub.jobs.run("outages", now=True)
    asked = {"id": applicant(insured)}
    shown = await scene.ask("23:40 医保的一格答不了，其余照答", TOWN, FACETS, asked)
    (down,) = shown["data"]["citizen"]["access"]
    assert (down["state"], down["source"]) == ("SOURCE_DOWN", HTTP_SOURCE)
    stands = await scene.ask("钟停了", TOWN, CLOCK, number)
    assert stands["data"]["case"]["workOrders"][0]["dueAt"] is None
    time.passes(hours=6)
    await insured.hub.outages.look()
    await insured.hub.jobs.run("outages", now=True)
    await insured.hub.jobs.run("overdue", now=True)
    scene.happens("5:40 医保恢复，定时任务 outages、overdue")
    runs = await scene.ask("顺延六小时，没有超时记录", TOWN, CLOCK, number)
    (old,) = before["data"]["case"]["workOrders"]
    (new,) = runs["data"]["case"]["workOrders"]
    moved = datetime.fromisoformat(new["dueAt"]) - datetime.fromisoformat(old["dueAt"])
    assert (moved.total_seconds(), runs["data"]["case"]["timeouts"]) == (6 * 3600, [])
    await scene.same("d")


async def test_e_a_refusal_without_a_basis_is_listed_and_an_unanswered_one_too(
    edge: Edge, time: FixedTime
) -> None:
    scene = Scene(edge, time, "(e) 无依据拒绝列入清单并协调；逾期未答复同样列入，从不默认同意")
    await sharing.open_accounts(edge)
    request = await _submitted(scene)
    for about, account, name in REFUSED:
        time.passes(hours=1)
        request = await _further(scene, about, account, name, request)
    await scene.ask("清单", OFFICE, sharing.LIST, {"f": {}}, "share")
    request = await _further(scene, "裁定", OFFICE, "decideSharingRequest", request)
    again = await _further(
        scene,
        "另一件通过合规审查",
        sharing.AUTHORITY,
        "reviewSharingRequest",
        await _submitted(scene),
    )
    time.passes(days=30)
    ran = await edge.hub.jobs.run("unanswered", now=True)
    assert ran is not None
    scene.happens("定时任务 unanswered", {"done": ran.done})
    listed = await scene.ask("清单", OFFICE, sharing.LIST, {"f": {"open": True}}, "share")
    (entry,) = listed["data"]["refusedOrUnanswered"]["nodes"]
    assert (entry["requestNo"], entry["reason"]) == (again["requestNo"], "OVERDUE")
    asked = {"id": applicant(edge)}
    shown = await scene.ask("民政仍然看不到", DEPT, sharing.HEALTH, asked, "aid.review")
    assert {"field": "health.chronic", "state": "DENIED"} in shown["data"]["citizen"]["access"]
    await scene.same("e")


async def test_g_who_moves_leaves_his_scope_behind(edge: Edge, time: FixedTime) -> None:
    scene = Scene(edge, time, "(g) 经办人调乡：生效后的下一次请求，原辖区即不可见")
    mine, theirs = edge.site.shown("zhelai"), edge.site.shown("bange")
    numbers = {"mine": mine.case_no, "theirs": theirs.case_no}
    before = await scene.ask("调动前", TOWN, SEEN, numbers)
    assert [row is None for row in before["data"].values()] == [False, True]
    post = account_changes.place("rev", "town", account_changes.BANGE)
    given = account_changes.moving(TOWN, post)
    filed = await scene.do(
        "填报",
        account_changes.REV_ADMIN,
        "fileAccountChange",
        given,
        account_changes.CHANGED,
        "admin",
    )
    number = filed["accountChange"]["changeNo"]
    training = {"account": TOWN, "heldOn": "2026-11-02", "subject": "网络安全"}
    done = "... on TrainingRecorded { training { account heldOn } }"
    await scene.do("登记培训", OFFICE, "recordTraining", training, done, "admin")
    for version, (name, state) in enumerate(account_changes.COUNTY_WAY, start=1):
        time.passes(hours=1)
        head = name == "approveAccountChange"
        by = account_changes.TOWN_HEAD if head else OFFICE
        step = {"changeNo": number, "version": version, **account_changes.TEXTS.get(name, {})}
        about = "本单位同意" if head else "办公室办理" if state == "OFFICE_APPLIED" else "生效"
        moved = await scene.do(about, by, name, step, account_changes.CHANGED, "admin")
        assert moved["accountChange"]["state"] == state
    after = await scene.ask("下一次请求", TOWN, SEEN, numbers)
    assert [row is None for row in after["data"].values()] == [True, False]
    await scene.same("g")


async def _clerk(edge: Edge, name: str, path: str) -> None:
    """A township's clerk, of a township that the demonstration has no account of."""
    post = NewPost("rev", "town", path)
    async with edge.hub.store.begin() as connection:
        await seed_accounts(
            connection, [NewPrincipal(name, "official", "测试经办", "rev", (post,))]
        )
    await edge.hub.keeper.look()


def _stranger(clue: Any) -> str:
    """A clerk of another township."""
    return NEIGHBOUR if clue.region_path.startswith("532622205") else TOWN


async def _submitted(scene: Scene) -> dict[str, Any]:
    return await _further(scene, "民政申请", DEPT, "submitSharingRequest", None)


async def _further(
    scene: Scene, about: str, account: str, name: str, request: Mapping[str, Any] | None
) -> dict[str, Any]:
    """A sharing request one act further."""
    keys = {} if request is None else {key: request[key] for key in ("requestNo", "version")}
    given = {**(sharing.ASKED if request is None else sharing.TEXTS.get(name, {})), **keys}
    done = await scene.do(about, account, name, given, sharing.CHANGED, "share")
    found: dict[str, Any] = done["request"]
    return found
