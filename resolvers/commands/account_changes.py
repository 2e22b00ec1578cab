"""账号变更与安全培训: approved at home, then the county's or the prefecture's way (第六条).

    file ─ approve ─┬ apply ──────────────┬ activate     COUNTY: townships, villages
                    └ hand over ─ confirm ┘              PREFECTURE: departments

Who leaves is suspended in the deed that files it. All other rights move with `activate` alone:
an account is opened, given its one new post, or closed; who gets rights has been trained first.
The prefecture answers on paper: the office records its confirmation with the document's number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from authz.errors import RuleError
from authz.roles import Filer, roles
from catalog.divisions import COUNTY
from catalog.errors import BadUserInput, NotFound
from catalog.procedures import ChangeRoute
from catalog.workdays import ZONE
from domain.account_change import (
    MACHINES,
    AccountChangeAct,
    AccountChangeState,
    ChangeKind,
    moves_rights,
    route_of,
    suspends,
)
from domain.machine import Fact, Why
from domain.machine import Refused as Not
from resolvers.commands.command import (
    Deed,
    Desk,
    Input,
    Refused,
    area,
    column_of,
    day,
    department,
    event,
    lies,
    new_id,
    not_from_here,
    numbered,
    same_version,
    stamps_of,
    text,
)
from resolvers.deed import Done, Told
from store.account_changes import (
    ChangeRow,
    add_account_change,
    add_account_change_event,
    add_training,
    change_account_change,
    change_to_go_on,
    is_trained,
    running_of,
    running_of_person,
)
from store.accounts import (
    CLOSED,
    NEW_NAME,
    OFFICIAL,
    WORK,
    Account,
    Hand,
    HeldPost,
    NewPost,
    NewPrincipal,
    account_of,
    close_account,
    has_account,
    is_account,
    move_account,
    open_account,
    posts_told,
    suspend,
)
from store.policy import hold

S, A, K = AccountChangeState, AccountChangeAct, ChangeKind
NUMBERED = "ZH{}-{:06d}"  # 账号变更编号: year and number within it
BASIS = "办法第六条，{}"  # with the change's number, in the history of the policy
REAL_NAME, DOCUMENT, SUBJECT = 64, 64, 200  # characters; their columns hold as many
FILING, APPOINTING = "AccountChange.filing", "AccountChange.appointing"
APPROVING, HANDLING = "AccountChange.approving", "AccountChange.handling"
RECORDING = "TrainingRecord.recording"
OBJECTS = (FILING, APPOINTING, APPROVING, HANDLING, RECORDING)
"""Objects of the acts: who may do them is for the policy's lines to say."""
PLACE = ("department", "region_path", "person_uid")
STAMPS = (Fact.APPROVED_AT, Fact.HANDED_OVER_AT, Fact.EFFECTIVE_AT)


# ---- filing ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Whom:
    """Whose account it is about, and the organisation that asks: its department and place."""

    account: str
    real_name: str
    person_uid: str | None
    employment: str
    department: str
    region_path: str
    posts: tuple[HeldPost, ...] = ()


async def file(desk: Desk, given: Input) -> tuple[Done, Told]:
    """Write down that somebody comes, moves or leaves. NotFound for an account of others."""
    kind = K(given["kind"].value)
    new = _new_post(desk, kind, given)
    # Names and persons are looked up before they are taken: one change at a time.
    await hold(desk.connection)
    if kind is K.JOINING and new is not None:
        whom = await _newcomer(desk, given, new)
    else:
        whom = await _holder(desk, given)
    key, number = new_id(), await numbered(desk.connection, desk.now, "account", NUMBERED)
    values = _row(desk, kind, whom, new) | {
        "id": key,
        "change_no": number,
        "reason": text(given, "reason", "事由"),
    }
    await add_account_change(desk.connection, values)
    filed = _event(desk, values, S.DRAFT, None, None)
    await add_account_change_event(desk.connection, key, filed)
    if suspends(kind):
        by, basis = desk.gate.asker.principal_id, BASIS.format(number)
        await suspend(desk.connection, whom.account, by=by, basis=basis)
    done = Done("AccountChangeChanged", {"accountChange": key, "event": str(filed["id"])})
    return done, Told("", number, whom.region_path, "", S.DRAFT, ("state",), whom.person_uid)


def _row(desk: Desk, kind: ChangeKind, whom: Whom, new: NewPost | None) -> dict[str, Any]:
    reached = [new.region_path] if new is not None else []
    return {
        "kind": kind,
        "route": _route(desk, [whom.region_path, *reached]),
        "version": 1,
        "state": S.DRAFT,
        "account": whom.account,
        "real_name": whom.real_name,
        "person_uid": whom.person_uid,
        "employment": whom.employment,
        "old_posts": posts_told(whom.posts),
        "new_dept": new and new.dept,
        "new_role": new and new.role,
        "new_path": new and new.region_path,
        "filed_by": desk.gate.asker.principal_id,
        "filed_at": desk.now,
        "department": whom.department,
        "region_path": whom.region_path,
    }


def _route(desk: Desk, paths: Iterable[str]) -> ChangeRoute:
    places, today = desk.catalog.divisions.by_path, _today(desk)
    return route_of(desk.catalog.procedures.route(places[path].level, today) for path in paths)


def _new_post(desk: Desk, kind: ChangeKind, given: Input) -> NewPost | None:
    """The post that is asked for; None for who leaves. BadUserInput VARIABLE, CODE_SCHEME."""
    asked, person = given.get("post"), given.get("person")
    if (asked is None) is not (kind is K.LEAVING):
        raise BadUserInput("新增与调岗须写明岗位，离岗不写", reason="VARIABLE")
    if (person is None) is (kind is K.JOINING):
        raise BadUserInput("新增须写明本人，调岗与离岗不写", reason="VARIABLE")
    if asked is None:
        return None
    dept, role = department(desk, asked["department"]), roles().get(asked["role"])
    if role is None or role.filed_by is None or (role.depts and dept not in role.depts):
        raise BadUserInput("此角色不存在、不属于此部门，或不经账号变更任免", reason="VARIABLE")
    path = area(desk, asked["division"])
    try:
        desk.gate.book.post(dept, role.code, path)
    except RuleError as fault:
        raise BadUserInput(fault.message, reason="VARIABLE") from None
    _demand(desk, dept, path, [role.code])
    return NewPost(dept, role.code, path, _today(desk))


def _demand(desk: Desk, dept: str, path: str, held: Iterable[str]) -> None:
    """Forbidden, unless the asker may file about these roles there."""
    desk.demand(FILING, path, dept)
    if any(roles()[role].filed_by is Filer.OFFICE for role in held):
        desk.demand(APPOINTING, path, dept)


async def _newcomer(desk: Desk, given: Input, new: NewPost) -> Whom:
    """A person without an account, under a name nobody has had. Refused."""
    account, person = given["account"], given["person"]
    if not NEW_NAME.match(account):
        said = "账号为 3 到 40 个小写字母、数字、点、横线或下划线，以字母或数字开头"
        raise BadUserInput(said, reason="VARIABLE")
    named = text(person, "realName", "实名", REAL_NAME)
    uid = desk.person(person["idNumber"])
    connection = desk.connection
    if await is_account(connection, account) or await running_of(connection, account):
        raise Refused("AccountTaken", message="此账号已被使用，或已拟给他人：请另取")
    if await has_account(connection, uid) or await running_of_person(connection, uid):
        raise Refused("PersonHasAccount", message="此人已有账号，或有办理中的变更：一人一个账号")
    return Whom(account, named, uid, person["employment"].value, new.dept, new.region_path)


async def _holder(desk: Desk, given: Input) -> Whom:
    """Who holds an account of the asker's organisation, with no change running. Refused."""
    found = await _account(desk, given["account"])
    if found is None or not _may(desk, FILING, found.home_dept, _place_of(found)):
        raise _no_account(desk, FILING)
    held = {post.role for post in found.posts}
    if found.duty != WORK or any(roles()[role].filed_by is None for role in held):
        raise BadUserInput("此账号的岗位不经账号变更任免", reason="VARIABLE")
    _demand(desk, found.home_dept, _place_of(found), held)
    running = await running_of(desk.connection, found.id)
    if running is not None:
        said = "此账号已有办理中的变更"
        raise Refused("ChangeRunning", message=said, changeNo=running.change_no)
    employment, place = found.employment.upper(), (found.home_dept, _place_of(found))
    return Whom(found.id, found.real_name, found.person_uid, employment, *place, found.posts)


async def _account(desk: Desk, name: str) -> Account | None:
    """An official's account that is not closed; suspended ones, too."""
    found = await account_of(desk.connection, name, _today(desk))
    return None if found is None or found.kind != OFFICIAL or found.state == CLOSED else found


def _place_of(found: Account) -> str:
    """Where he serves: by his first post in his own department, else the county."""
    own = (post.region_path for post in found.posts if post.dept == found.home_dept)
    return next(own, COUNTY)


def _may(desk: Desk, obj: str, dept: str, path: str) -> bool:
    return desk.gate.demand(obj, "write", path, dept).allowed


def _no_account(desk: Desk, obj: str) -> NotFound:
    """None, or none of his organisation: alike. Forbidden for who has no such right anywhere."""
    first = desk.gate.asker.posts[0]
    desk.demand(obj, first.base, first.dept)
    return NotFound("本单位没有此账号：请核对")


# ---- going on ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """One act on a change: the object to be written, the text it needs, its facts."""

    act: AccountChangeAct
    object: str
    text: tuple[str, str] | None = None
    facts: tuple[Fact, ...] = ()


OPINION = ("opinion", "意见")
MOVES: Mapping[str, Move] = {
    "approveAccountChange": Move(A.APPROVE, APPROVING, OPINION, (Fact.APPROVER,)),
    "applyAccountChange": Move(A.APPLY, HANDLING, OPINION),
    "handOverAccountChange": Move(A.HAND_OVER, HANDLING, OPINION),
    "confirmAccountChange": Move(A.CONFIRM, HANDLING, None, (Fact.CONFIRMATION,)),
    "activateAccountChange": Move(A.PUT_IN_FORCE, HANDLING),
}
"""Mutation -> its act."""


async def move(what: Move, desk: Desk, given: Input) -> tuple[Done, Told]:
    """One act: NotFound, Forbidden, Conflict VERSION or STATE, Refused."""
    row = await change_to_go_on(desk.connection, given["changeNo"])
    if row is None or not desk.sees("account_change", row.region_path, row.department, None):
        raise NotFound("没有此账号变更：请核对编号")
    desk.demand(what.object, row.region_path, row.department)
    same_version(given, row.version)
    values = await _taken(desk, row, what)
    note = None if what.text is None else text(given, *what.text)
    asker = desk.gate.asker.principal_id
    if what.act is A.APPROVE:
        if asker in (row.filed_by, row.account):
            raise Refused("OwnFiling", message="填报人与本人不得同意：请另一位负责人办理")
        values["approved_by"] = asker
    if what.act is A.CONFIRM:
        values["document_no"] = text(given, "documentNo", "州级确认文号", DOCUMENT)
    if moves_rights(values["state"]):
        await _in_force(desk, row)
    await change_account_change(desk.connection, row, values)
    done = _event(desk, lies(row, PLACE), values["state"], what.act, note)
    await add_account_change_event(desk.connection, row.id, done)
    about = (row.change_no, row.region_path, row.state, values["state"])
    rows = {"accountChange": row.id, "event": str(done["id"])}
    return Done("AccountChangeChanged", rows), Told("", *about, tuple(values), row.person_uid)


async def _taken(desk: Desk, row: ChangeRow, what: Move) -> dict[str, Any]:
    """What the act changes. Conflict STATE; Refused TrainingMissing."""
    machine, state = MACHINES[ChangeRoute(row.route), K(row.kind)], S(row.state)
    facts = {*what.facts}
    if what.act is A.PUT_IN_FORCE and await is_trained(desk.connection, row.account):
        facts.add(Fact.SECURITY_TRAINING)
    step = machine.take(state, what.act, facts, stamps_of(row, STAMPS))
    if isinstance(step, Not):
        if step.why is Why.FACTS_MISSING:
            said = "此账号没有安全培训记录，不能启用：请先登记培训"
            raise Refused("TrainingMissing", message=said, account=row.account)
        raise not_from_here(state, machine.open_to(state))
    stamped = {} if step.stamps is None else {column_of(step.stamps): desk.now}
    return {"state": step.after, **stamped}


async def _in_force(desk: Desk, row: ChangeRow) -> None:
    """The rights move: from the next request on, and no earlier."""
    by, today = desk.gate.asker.principal_id, _today(desk)
    hand = Hand(by, row.approved_by or by, BASIS.format(row.change_no), today)
    if row.kind == K.JOINING:
        one = NewPrincipal(
            *(row.account, OFFICIAL, row.real_name, str(row.new_dept), (_post_of(row, today),)),
            employment=row.employment.lower(),
            person_uid=row.person_uid,
        )
        await open_account(desk.connection, one, hand)
        return
    account = await account_of(desk.connection, row.account, today)
    assert account is not None  # noqa: S101  it was there when the change was filed
    if row.kind == K.LEAVING:
        await close_account(desk.connection, account, hand)
    else:
        await move_account(desk.connection, account, _post_of(row, today), hand)


def _post_of(row: ChangeRow, today: date) -> NewPost:
    return NewPost(str(row.new_dept), str(row.new_role), str(row.new_path), today)


def _event(
    desk: Desk, row: Mapping[str, Any], state: str, act: str | None, note: str | None
) -> dict[str, Any]:
    place = {name: row[name] for name in PLACE}
    return event(desk, place, state, act, note) | {"by_account": desk.gate.asker.principal_id}


def _today(desk: Desk) -> date:
    return desk.now.astimezone(ZONE).date()


# ---- training ----------------------------------------------------------------------------------


async def record_training(desk: Desk, given: Input) -> tuple[Done, Told]:
    """Who holds an account, or is to be given one, was trained. NotFound for those of others."""
    name = given["account"]
    place = await _trainee(desk, name)
    if place is None or not _may(desk, RECORDING, *place):
        raise _no_account(desk, RECORDING)
    held_on = day(given, "heldOn")
    if held_on > _today(desk):
        raise BadUserInput("培训日期不能在将来", reason="VARIABLE")
    key, (dept, path) = new_id(), place
    await add_training(
        desk.connection,
        {
            "id": key,
            "account": name,
            "held_on": held_on,
            "subject": text(given, "subject", "培训内容", SUBJECT),
            "recorded_at": desk.now,
            "post": desk.post,
            "by_account": desk.gate.asker.principal_id,
            "department": dept,
            "region_path": path,
        },
    )
    return Done("TrainingRecorded", {"training": key}), Told("", name, path)


async def _trainee(desk: Desk, name: str) -> tuple[str, str] | None:
    """Department and place of an account, or of the change that is to open it."""
    found = await _account(desk, name)
    if found is not None:
        return found.home_dept, _place_of(found)
    coming = await running_of(desk.connection, name)
    if coming is None or coming.kind != K.JOINING:
        return None
    return coming.department, coming.region_path


# ---- the table ---------------------------------------------------------------------------------


def announced(name: str, given: Input) -> bool:
    """Does this deed give or take rights, so that no worker may go on by what it knew?"""
    if name == "fileAccountChange":
        return suspends(K(given["kind"].value))
    return name == "activateAccountChange"


ACCOUNT_COMMANDS: Mapping[str, Deed] = {
    "fileAccountChange": file,
    **{name: partial(move, what) for name, what in MOVES.items()},
    "recordTraining": record_training,
}
