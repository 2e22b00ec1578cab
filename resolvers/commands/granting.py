"""The grant that answers a sharing request: what is given, put in force in the deed's transaction.

A grant is a row of the policy (`store.sharing`): written by who filed the request, approved by who
answers it, sealed as the policy's next version. What no book would take is not committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from authz.errors import RuleError
from authz.keeper import proved
from authz.sharing import check_grant
from catalog.divisions import COUNTY
from catalog.errors import BadUserInput, Forbidden
from catalog.grades import SharingKind
from catalog.load import Catalog
from catalog.procedures import Procedure, Step
from catalog.workdays import ZONE
from resolvers.commands.command import Desk, Input, Refused, day, new_id
from resolvers.commands.timing import owed
from store.grants import Grant
from store.policy import BrokenSeal
from store.sharing import GrantRefused, activate_grant, file_grant, revoke_grant
from store.sharing_requests import RequestRow, share_class_of

WHOLE = "county"
MINOR = "@minor"
MOMENT = timedelta(microseconds=1)
LONGEST = {"actions": 64, "purpose": 200}  # characters of a grant's columns


@dataclass(frozen=True, slots=True)
class Terms:
    """What is given: acts joined by ``|``, ``county`` or a region path, first and last day."""

    actions: str
    reach: str
    since: date
    until: date


def today(desk: Desk) -> date:
    """The Beijing day of the deed."""
    return desk.now.astimezone(ZONE).date()


def joined(words: list[str], title: str) -> str:
    """Words as a grant writes them, each once, in their order. BadUserInput if there is none."""
    if not words:
        raise BadUserInput(f"请至少写一项{title}", reason="VARIABLE")
    return "|".join(dict.fromkeys(words))


def reach_of(desk: Desk, given: Input) -> str | None:
    """The place that was given as a grant writes it; None for none. BadUserInput CODE_SCHEME."""
    code = given.get("division")
    if code is None:
        return None
    division = desk.catalog.divisions.get(str(code))
    if division is None or not division.path.startswith(COUNTY):
        said = "没有此区划代码：请用砚山县的 12 位国家统计局代码"
        raise BadUserInput(said, reason="CODE_SCHEME")
    return WHOLE if division.path == COUNTY else division.path


def fit(grant: Grant, catalog: Catalog) -> None:
    """BadUserInput VARIABLE for what no grant may be."""
    fault = check_grant(grant, catalog)
    if fault is not None:
        raise BadUserInput(fault.message, reason="VARIABLE")
    if any(len(getattr(grant, name)) > most for name, most in LONGEST.items()):
        raise BadUserInput("操作或用途过多：请分为几件申请", reason="VARIABLE")


async def share_class(desk: Desk, obj: str) -> SharingKind:
    """共享属性 as the policy has it now; the catalogue's where it does not hold the object."""
    name = obj.removesuffix(MINOR)
    found = await share_class_of(desk.connection, name)
    return desk.catalog.objects[name].sharing if found is None else SharingKind(found)


# ---- what is given -----------------------------------------------------------------------------


def whole(desk: Desk, row: RequestRow, given: Input) -> Terms:
    """All that was asked for."""
    return Terms(row.actions, row.reach, _since(desk, row, given), _until(desk, row.until))


def part(desk: Desk, row: RequestRow, given: Input) -> Terms:
    """Less than was asked for. BadUserInput VARIABLE for more, or for the same."""
    words = given.get("actions")
    actions = row.actions if words is None else joined(words, "操作")
    reach = reach_of(desk, given) or row.reach
    until = row.until if given.get("until") is None else day(given, "until")
    asked = row.actions.split("|")
    inside = row.reach in (WHOLE, reach) or reach.startswith(row.reach)
    if not {*actions.split("|")} <= {*asked} or not inside or until > row.until:
        raise BadUserInput("同意的不能多于所申请的", reason="VARIABLE")
    same = {*actions.split("|")} == {*asked} and (reach, until) == (row.reach, row.until)
    if same:
        raise BadUserInput("与所申请的相同：请办理同意", reason="VARIABLE")
    return Terms(actions, reach, _since(desk, row, given), _until(desk, until))


def _since(desk: Desk, row: RequestRow, given: Input) -> date:
    """The first day: the one asked for, or a later one within the time to provide it.

    What renews a grant takes its place on the day it is signed.
    """
    now = today(desk)
    if row.renews is not None:
        return now
    wanted = max(row.since, now)
    if given.get("since") is None:
        return wanted
    named = day(given, "since")
    last = (owed(desk, Procedure.SHARING, Step.PROVISION).at - MOMENT).astimezone(ZONE).date()
    if not wanted <= named <= max(wanted, last):
        said = f"起始日须在 {wanted} 至 {max(wanted, last)} 之间：同意后应在期限内提供"
        raise BadUserInput(said, reason="VARIABLE")
    return named


def _until(desk: Desk, until: date) -> date:
    if until < today(desk):
        raise BadUserInput("截止日已过", reason="VARIABLE")
    return until


# ---- in force ----------------------------------------------------------------------------------


async def put_in_force(desk: Desk, row: RequestRow, terms: Terms) -> tuple[str, int]:
    """File and approve the grant by two people; its id and the policy's version.

    Refused for an object that is not shared at all, BadUserInput for what no grant may be.
    """
    if await share_class(desk, row.object) is SharingKind.NOT_SHARED:
        raise Refused(
            "ObjectNotShared", message="此授权对象不予共享：请写明所依据的法律，答复不同意"
        )
    grant = Grant(
        f"g-{new_id()[:12]}",
        row.request_no,
        row.object,
        row.provider,
        row.requester,
        terms.actions,
        terms.reach,
        row.purposes,
        terms.since.isoformat(),
        terms.until.isoformat(),
    )
    fit(grant, desk.catalog)
    basis = f"共享申请 {row.request_no}"
    try:
        await file_grant(desk.connection, grant, by=row.filed_by, basis=basis)
        signer = desk.gate.asker.principal_id
        version = await activate_grant(desk.connection, grant.id, by=signer, basis=basis)
        await _proved(desk)
    except (BrokenSeal, RuleError):
        raise _unfit() from None
    return grant.id, version


async def end(desk: Desk, row: RequestRow, why: str) -> int | None:
    """Revoke the request's grant; the policy's version, None if it had been ended elsewhere."""
    try:
        version = await revoke_grant(
            desk.connection,
            str(row.grant_id),
            by=desk.gate.asker.principal_id,
            basis=f"共享申请 {row.request_no} {why}",
        )
        await _proved(desk)
    except GrantRefused:
        return None
    except (BrokenSeal, RuleError):
        raise _unfit() from None
    return version


async def _proved(desk: Desk) -> None:
    # Demonstration roles were let in, or not, when the policy in force was made; a grant has none.
    await proved(desk.connection, desk.catalog, demo=True)


def _unfit() -> Forbidden:
    return Forbidden("权限策略现不能变更：请先由安全管理员查明", reason="STALE_POLICY")
