"""政府托举: a clue of a comparison becomes a case, and the visit says of it whether it is so.

submitCase     OPEN → LIFTED, with the case, in one transaction (第二条第三项)
visitCase      → VISITED_FOUND or VISITED_NOT_FOUND, as the visitor writes
a case's end   without a visit: the clue is open again, for nobody has looked
"""

from __future__ import annotations

from catalog.errors import BadUserInput
from domain.comparison import MOVES, ClueAct, ClueState
from resolvers.commands.command import Desk, Input, Refused
from store.cases import CaseRow
from store.comparisons import ClueRow, change_clue, clue_of_case, clue_to_change
from store.register import Person


async def clue_given(desk: Desk, person: Person, given: Input) -> ClueRow | None:
    """The clue that is lifted, locked; None for another channel. Refused unless it is open."""
    number = given.get("clue")
    if not number:
        return None
    clue = await clue_to_change(desk.connection, number)
    # One that he may not read, or that is about somebody else, is to him as if it were not there.
    if clue is None or clue.applicant_id != person.id or not desk.sees("risk_clue", *_lying(clue)):
        raise Refused(
            "ClueNotOpen", message="没有关于此人的这条风险线索：请核对线索编号", state=None
        )
    desk.demand("RiskClue.lifting", clue.region_path, clue.handling_dept)
    if (ClueState(clue.state), ClueAct.LIFT) not in MOVES:
        said = "这条风险线索不在待托举状态，不能再次托举"
        raise Refused("ClueNotOpen", message=said, state=clue.state)
    return clue


async def lift(desk: Desk, clue: ClueRow, case_id: str) -> None:
    """An open clue becomes a case."""
    values = {"state": MOVES[ClueState.OPEN, ClueAct.LIFT], "lifted_at": desk.now}
    await change_clue(desk.connection, clue, values | {"case_id": case_id})


async def visited(desk: Desk, case: CaseRow, given: Input) -> None:
    """What the visit says of the clue the case was lifted from. BadUserInput VARIABLE."""
    clue, found = await clue_of_case(desk.connection, case.id), given.get("found")
    if clue is None:
        if found is not None:
            raise BadUserInput("此件不是由风险线索托举的：不必写明是否属实", reason="VARIABLE")
        return
    if found is None:
        raise BadUserInput("此件由风险线索托举：请写明核实是否属实", reason="VARIABLE")
    act = ClueAct.CONFIRM if found else ClueAct.REFUTE
    after = MOVES[ClueState(clue.state), act]
    await change_clue(desk.connection, clue, {"state": after, "visited_at": desk.now})


async def released(desk: Desk, case_id: str) -> None:
    """A case that ends without a visit leaves its clue to be lifted again."""
    clue = await clue_of_case(desk.connection, case_id)
    if clue is not None and (ClueState(clue.state), ClueAct.RELEASE) in MOVES:
        after = MOVES[ClueState(clue.state), ClueAct.RELEASE]
        await change_clue(desk.connection, clue, {"state": after, "case_id": None})


def _lying(clue: ClueRow) -> tuple[str, str, str | None]:
    return clue.region_path, clue.handling_dept, clue.household_id
