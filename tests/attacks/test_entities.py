"""`_entities` as somebody asks it who is no gateway: forged, odd, endless references."""

from __future__ import annotations

import json
from time import process_time
from typing import TYPE_CHECKING, Any

import pytest

from catalog.errors import BadRequest
from hub.app import DOCUMENT_LIMITS
from hub.edge.decoding import decode_body
from tests.attacks.conftest import AUDITOR, NEIGHBOUR, TOWN, County, reasons, told
from tests.resolvers.conftest import data_of
from tests.resolvers.test_quota import counting, refused

if TYPE_CHECKING:
    from resolvers.answer import Answer
    from tests.resolvers.conftest import Desk

MOST = DOCUMENT_LIMITS.representations
CELLS = "... on Citizen { id name phone idNumber } ... on Household { id size }"
CELLS += " ... on Case { id state }"
ASK = f"query($of: [_Any!]!) {{ _entities(representations: $of) {{ __typename {CELLS} }} }}"
SERVICE = "{ _service { sdl } }"
UNFIT = ("BAD_USER_INPUT", "REPRESENTATION")


def entities(
    county: County, *sent: Any, account: str = "lab", purpose: str = "aid.review", **more: Any
) -> Answer:
    """The answer to references; the demonstration's own account may ask for all kinds."""
    return county.answer(ASK, {"of": list(sent)}, account=account, purpose=purpose, **more)


def found(answer: Answer) -> list[Any]:
    """What stands for each reference."""
    listed = data_of(answer)["_entities"]
    assert isinstance(listed, list)
    return listed


def citizen(county: County, label: str = "zhelai", **more: Any) -> dict[str, Any]:
    return {"__typename": "Citizen", "id": county.shown(label).citizen, **more}


# ---- who may come this way ---------------------------------------------------------------------


@pytest.mark.parametrize("text", [ASK, SERVICE], ids=["_entities", "_service"])
@pytest.mark.parametrize(
    "account", [TOWN, "zhelai-village-01", "mca-dept-01", "office-01", AUDITOR]
)
def test_without_the_right_to_federate_nothing_is_asked_and_nothing_told(
    desk: Desk, account: str, text: str
) -> None:
    county, before = County(desk), desk.sent()
    given = {"of": [citizen(county)]} if text == ASK else {}
    answer = county.answer(text, given, account=account, purpose=desk.accounts[account].purposes[0])
    assert (answer.data, answer.executed) == (None, False)
    assert reasons(answer) == [("FORBIDDEN", "NO_RULE")]
    assert answer.disclosure.outcome == "DENIED"
    assert desk.sent() == before


def test_the_demonstrations_own_account_may_come_this_way(desk: Desk) -> None:
    county = County(desk)
    assert found(entities(county, citizen(county)))[0]["name"] is not None
    sdl = data_of(county.answer(SERVICE, account="lab"))["_service"]["sdl"]
    assert sdl == desk.bindings.subgraph


@pytest.mark.parametrize("account", [TOWN, NEIGHBOUR, "zhelai-village-01", "mca-dept-01", AUDITOR])
def test_a_root_that_is_shut_is_no_more_open_here(county: County, account: str) -> None:
    """For each key that a root goes by, too: the same row or none, the same refusal."""
    who = county.shown()
    roots = {
        'citizen(by: {id: "%s"})': ("Citizen", "id", who.citizen),
        'household(id: "%s")': ("Household", "id", who.household),
        'case(caseNo: "%s")': ("Case", "caseNo", who.case_no),
        'supervisionOrder(orderNo: "%s")': ("SupervisionOrder", "orderNo", who.order_no),
        'division(code: "%s")': ("Division", "code", "532622205000"),
    }
    for purpose in county.desk.accounts[account].purposes:
        for root, (kind, key, value) in roots.items():
            asked = county.answer(
                f"{{ it: {root % value} {{ __typename }} }}", account=account, purpose=purpose
            )
            sent = {"__typename": kind, key: value}
            here = entities(county, sent, account=account, purpose=purpose)
            assert found(here) == [data_of(asked)["it"] and {"__typename": kind} | found(here)[0]]
            assert reasons(here) == reasons(asked), (kind, purpose)


def test_who_may_not_look_up_by_number_may_not_by_digest(county: County) -> None:
    who, met = county.shown(), set()
    for account, held in county.desk.accounts.items():
        for purpose in held.purposes:
            number = county.answer(
                "query($n: String!) { citizen(by: {idNumber: $n}) { id } }",
                {"n": who.id18},
                account=account,
                purpose=purpose,
            )
            sent = {"__typename": "Citizen", "idDigest": who.digest}
            digest = entities(county, sent, account=account, purpose=purpose)
            assert reasons(digest) == reasons(number), (account, purpose)
            person = data_of(number)["citizen"]
            assert (found(digest)[0] or {}).get("id") == (person or {}).get("id")
            met.add((bool(number.errors), person is not None))
    assert met == {(True, False), (False, False), (False, True)}


# ---- what is sent ------------------------------------------------------------------------------


def test_nothing_but_the_key_is_believed(county: County) -> None:
    """What a client says of a row beside its key is neither answered nor looked at."""
    plain = entities(county, citizen(county))
    forged = citizen(
        county,
        name="张三",
        phone="12000000000",
        secretLevel=9,
        access=[],
        idNumber={"a": [1, None]},
    )
    assert told(entities(county, forged)) == told(plain)
    other = citizen(county, idDigest=county.shown("bange").digest)
    assert told(entities(county, other)) == told(plain)
    case = {"__typename": "Case", "caseNo": county.shown().case_no, "state": "CLOSED"}
    (row,) = found(entities(county, case))
    ((state,),) = county.rows("SELECT state FROM case_file WHERE case_no = ?", case["caseNo"])
    assert (row["state"], state == "CLOSED") == (state, False)


ODD: dict[str, Any] = {
    "nothing": {},
    "no type": {"id": "x"},
    "a root": {"__typename": "Query", "id": "x"},
    "a scalar": {"__typename": "String", "id": "x"},
    "the union": {"__typename": "_Entity", "id": "x"},
    "introspection": {"__typename": "__Schema", "id": "x"},
    "no entity": {"__typename": "CaseEvent", "id": "x"},
    "no such type": {"__typename": "Secret", "id": "x"},
    "a number for a type": {"__typename": 7, "id": "x"},
    "a list for a type": {"__typename": ["Citizen"], "id": "x"},
    "no key": {"__typename": "Citizen"},
    "another's key": {"__typename": "Citizen", "caseNo": "x"},
    "a column that is no key": {"__typename": "Citizen", "idNumber": "x"},
    "a number for a key": {"__typename": "Citizen", "id": 7},
    "null for a key": {"__typename": "Citizen", "id": None},
    "a list of keys": {"__typename": "Citizen", "id": ["x", "y"]},
    "an object for a key": {"__typename": "Household", "householdNo": {"ne": ""}},
    "a text": "Citizen:x",
    "a number": 7,
    "a list": [{"__typename": "Citizen", "id": "x"}],
    "a truth": True,
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_reference_is_null_with_its_place_and_the_others_are_answered(
    county: County, odd: str
) -> None:
    before = county.desk.sent()
    alone = entities(county, ODD[odd])
    assert (found(alone), reasons(alone)) == ([None], [UNFIT])
    assert alone.errors[0]["path"] == ["_entities", 0]
    assert alone.disclosure.outcome == "INVALID"
    assert county.desk.sent() == before
    beside = entities(county, citizen(county), ODD[odd], citizen(county))
    first, second, third = found(beside)
    assert (first["id"], second, third) == (county.shown().citizen, None, first)
    assert [e["path"] for e in beside.errors] == [["_entities", 1]]
    assert beside.disclosure.outcome == "PARTIAL"


def test_a_refusal_does_not_say_again_what_was_sent(county: County) -> None:
    number = county.shown().id18
    answer = entities(
        county, {"__typename": number, number: number}, {"__typename": "Citizen", number: 1}
    )
    assert reasons(answer) == [UNFIT, UNFIT]
    assert number not in told(answer).decode()


def test_odd_references_make_no_statement_and_no_shape_anew(county: County) -> None:
    """Names and numbers of what is sent are the client's: no cache may grow by them."""
    engine = county.engine()
    entities(county, citizen(county), engine=engine)
    shaped, planned = engine.shaped, engine.planned
    for n in range(20):
        sent = [citizen(county) | {f"more{n}": n}] * n + [{"__typename": f"T{n}", "x": [n]}]
        entities(county, *sent, engine=engine)
    assert (engine.shaped, engine.planned, shaped, planned) == (1, 1, 1, 1)


def test_unseen_and_unknown_stand_in_their_places_alike(county: County) -> None:
    ours, theirs = citizen(county), citizen(county, "bange")
    nobody = {"__typename": "Citizen", "id": "nobody"}
    case = {"__typename": "Case", "caseNo": county.shown().case_no}
    sent = [theirs, case, ours, nobody, theirs, ours]
    asked = {"account": TOWN, "purpose": "correct"}
    answer = entities(county, *sent, **asked)
    assert [one and one["__typename"] for one in found(answer)] == [
        *(None, "Case", "Citizen", None, None, "Citizen")
    ]
    assert found(answer)[2] == found(answer)[5]
    other = {"__typename": "Citizen", "id": "no one"}
    swapped = entities(county, *[other if one is theirs else one for one in sent], **asked)
    assert (answer.errors, told(swapped)) == ((), told(answer))
    reads = {read.dataset: (read.rows, read.states) for read in answer.disclosure.reads}
    assert reads == {"citizen": (1, {"NO_RECORD": 2}), "case": (1, {})}


# ---- fragments on the union --------------------------------------------------------------------


@pytest.mark.parametrize(
    "below",
    [
        "... on _Entity { ... on Citizen { idNumber phone } }",
        "...E } } fragment E on _Entity { ... on Citizen { idNumber ... on _Entity { ...C } } }"
        " fragment C on Citizen { phone",
        "... on Citizen { a: idNumber } ... on Citizen { b: phone a: idNumber }",
        "... { ... on Citizen { household { members { idNumber phone } } } }",
    ],
)
def test_no_fragment_leads_past_the_rights_of_its_type(county: County, below: str) -> None:
    text = f"query($of: [_Any!]!) {{ _entities(representations: $of) {{ {below}"
    text += " }" if "fragment" in below else " } }"
    answer = county.answer(text, {"of": [citizen(county)]})
    assert answer.errors == ()
    said = told(answer).decode()
    assert [secret for secret in county.secrets(county.shown()) if secret in said] == []
    assert "household" in said or "null" in said


def test_a_field_of_one_type_is_not_asked_of_another(county: County) -> None:
    text = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Case { caseNo } } }"
    sent = [{"__typename": "Case", "caseNo": county.shown().case_no}, citizen(county)]
    answer = county.answer(text, {"of": [*sent, citizen(county, "bange")]})
    assert found(answer) == [{"caseNo": county.shown().case_no}, {}, None]
    refused_ = county.answer(text.replace("... on Case { caseNo }", "caseNo"), {"of": sent})
    assert {code for code, _ in reasons(refused_)} == {"GRAPHQL_VALIDATION_FAILED"}


# ---- how much ----------------------------------------------------------------------------------


def test_more_references_than_a_request_may_have_are_refused_whole(county: County) -> None:
    before, one = county.desk.sent(), citizen(county)
    answer = entities(county, *[one] * (MOST + 1))
    assert (answer.data, answer.executed) == (None, False)
    assert reasons(answer) == [("OPERATION_TOO_COMPLEX", "representations")]
    limits = {n: answer.errors[0]["extensions"][n] for n in ("allowed", "actual")}
    assert limits == {"allowed": 500, "actual": 501}
    assert county.desk.sent() == before


def test_several_fields_do_not_have_the_limit_each(county: County) -> None:
    part = "_entities(representations: $of) { __typename }"
    text = f"query($of: [_Any!]!) {{ a: {part} b: {part} }}"
    sent = [citizen(county)] * (MOST // 2)
    assert len(data_of(county.answer(text, {"of": sent}))["b"]) == MOST // 2
    answer = county.answer(text, {"of": [*sent, citizen(county)]})
    assert reasons(answer) == [("OPERATION_TOO_COMPLEX", "representations")]


def test_fifty_thousand_references_are_refused_before_they_are_read(county: County) -> None:
    sent = [citizen(county)] * 50_000
    body = json.dumps({"query": ASK, "variables": {"of": sent}}).encode()
    began = process_time()
    with pytest.raises(BadRequest):
        decode_body(body)
    assert process_time() - began < 1
    before, began = county.desk.sent(), process_time()
    answer = entities(county, *sent)
    assert process_time() - began < 2  # and were the edge to let them pass, no row is asked for
    assert reasons(answer) == [("OPERATION_TOO_COMPLEX", "representations")]
    assert county.desk.sent() == before


@pytest.mark.parametrize("json_mode", [True, False], ids=["json mode", "row mode"])
def test_five_hundred_references_are_one_statement_a_key(county: County, json_mode: bool) -> None:
    people = county.rows("SELECT id FROM citizen ORDER BY id LIMIT 300")
    cases = county.rows("SELECT case_no FROM case_file ORDER BY id LIMIT 100")
    sent = [{"__typename": "Citizen", "id": one} for (one,) in people]
    sent += [{"__typename": "Case", "caseNo": number} for (number,) in cases]
    sent += [{"__typename": "Household", "id": f"nobody {n}"} for n in range(100)]
    assert len(sent) == MOST
    text = ASK.replace("id state", "id state division { name }").replace(
        "phone", "division { code }"
    )
    engine = county.engine(json_mode)
    county.answer(text, {"of": sent}, account="lab", engine=engine)
    took = []
    for _ in range(3):
        before, began = county.desk.sent(), process_time()
        answer = county.answer(text, {"of": sent}, account="lab", engine=engine)
        took.append(process_time() - began)
        assert county.desk.sent() - before == (3 if json_mode else 5)
        assert sum(one is not None for one in found(answer)) == 400
    assert min(took) < 0.1  # seconds of this process; 8 ms on a machine that does nothing else


def test_a_cost_is_counted_for_each_reference(county: County) -> None:
    text = "query($of: [_Any!]!) { _entities(representations: $of) { ... on Household { members {"
    text += " cases(first: 50) { nodes { id } } } } } }"
    one = {"__typename": "Household", "id": county.shown().household}
    assert county.answer(text, {"of": [one]}).extensions["cost"] == 1 + 10 + 10 * 50
    answer = county.answer(text, {"of": [one] * 40})
    assert answer.extensions["cost"] == 511  # one household forty times is one household
    many = [{"__typename": "Household", "id": f"h{n}"} for n in range(40)]
    assert reasons(county.answer(text, {"of": many})) == [("OPERATION_TOO_COMPLEX", "cost")]


# ---- trying digests out ------------------------------------------------------------------------


def test_each_digest_is_a_look_up_of_its_own_and_stands_in_the_record(county: County) -> None:
    engine, counted = counting(county.desk, 5)
    who = county.shown()
    unknown = [f"1-{n:032x}" for n in range(3)]
    sent = [{"__typename": "Citizen", "idDigest": d} for d in (who.digest, *unknown, who.digest)]
    answer = entities(
        county, *sent, citizen(county), account=TOWN, purpose="correct", engine=engine
    )
    assert [one is not None for one in found(answer)] == [True, False, False, False, True, True]
    assert counted.asked == [(TOWN, 4)]
    assert counted.missed_ == 3
    assert answer.disclosure.sought == (who.digest, *unknown)
    looked = {r.by: (r.how, r.rows, len(r.subjects)) for r in answer.disclosure.reads}
    assert looked == {
        ("Citizen.id",): ("row", 1, 1),
        ("Citizen.citizen_uid",): ("key", 1, 1),
    }
    too_many = entities(county, *sent, account=TOWN, purpose="correct", engine=engine)
    assert refused(too_many)
    assert too_many.disclosure.sought == (who.digest, *unknown)


def test_whoever_is_found_by_nobody_is_told_in_the_record_alone(county: County) -> None:
    stranger = {"__typename": "Citizen", "idDigest": county.shown("bange").digest}
    nobody = {"__typename": "Citizen", "idDigest": "1-" + "0" * 32}
    asked = [entities(county, one, account=TOWN, purpose="correct") for one in (stranger, nobody)]
    assert told(asked[0]) == told(asked[1])
    assert [a.disclosure.code for a in asked] == ["NO_RECORD", "NO_RECORD"]
    assert asked[0].disclosure.sought == (stranger["idDigest"],)


def test_a_case_narrows_what_a_gateway_gets(county: County) -> None:
    """`X-Case-No` binds the references, too: another household is not there."""
    who = county.shown()
    other = county.rows(
        "SELECT id FROM citizen WHERE household_id <> ? AND region_path LIKE '532622205%' LIMIT 1",
        who.household,
    )
    sent = [citizen(county), {"__typename": "Citizen", "id": other[0][0]}]
    bound = {"case_no": "X", "bound": who.household}
    answer = entities(county, *sent, account=TOWN, purpose="aid.review", **bound)
    assert [one is not None for one in found(answer)] == [True, False]
    free = entities(county, *sent, account=TOWN, purpose="correct")
    assert [one is not None for one in found(free)] == [True, True]
