"""Which answers are strict: those of which a right to unmask may have shown something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authz.lens import Mode

if TYPE_CHECKING:
    from tests.resolvers.conftest import Desk

VILLAGE, TOWN, OFFICE = "zhelai-village-01", "zhelai-town-01", "office-01"
CASE = {"case_no": "SQ1", "bound": "a household"}


def person(asked: str) -> str:
    return f"query($n: String!) {{ citizen(by: {{idNumber: $n}}) {{ {asked} }} }}"


STRICT = [
    # a column of the register, masked elsewhere
    (TOWN, "aid.file", {}, person("name"), True),
    (VILLAGE, "aid.file", {}, person("phone"), True),
    (TOWN, "aid.verify", CASE, person("idNumber"), True),
    # the same through relations, in lists, riding or not
    (TOWN, "aid.file", {}, "{ cases(first: 1) { nodes { applicant { name } } } }", True),
    (TOWN, "aid.file", {}, "{ cases(first: 1) { edges { cursor node { body } } } }", True),
    (TOWN, "aid.file", {}, person("household { members { name } }"), True),
    # a department's data, in the facet and in what hangs below it
    (TOWN, "aid.file", {}, person("civilAffairs { minLiving { monthlyAmount } }"), True),
    (TOWN, "aid.file", {}, person("housing { house { appraisals { grade } } }"), True),
    # nothing masked is asked
    (TOWN, "aid.file", {}, person("id sex birthBand division { name }"), False),
    (TOWN, "aid.file", {}, "{ cases(first: 1) { totalCount nodes { caseNo state } } }", False),
    (TOWN, "aid.file", {}, person("housing { house { village } }"), False),
    (TOWN, "aid.file", {}, person("housing { house { appraisals { appraiser } } }"), False),
    (TOWN, "aid.file", {}, "{ viewer { account } }", False),
    # he was found by his number, which is `lookup`; nothing of it is shown
    (TOWN, "aid.verify", CASE, person("id"), False),
    # it is asked, and stays masked or hidden
    (VILLAGE, "aid.file", {}, person("idNumber"), False),
    (VILLAGE, "aid.file", {}, person("civilAffairs { minLiving { monthlyAmount } }"), False),
    (VILLAGE, "aid.file", {}, person("health { chronic { disease } }"), False),
    (OFFICE, "report", {}, person("name idNumber"), False),
    (OFFICE, "supervise", {}, person("name idNumber"), False),
    (OFFICE, "supervise", CASE, person("name"), True),
    ("lab", "aid.review", {}, person("name phone housing { house { structure } }"), False),
    # nothing is answered at all
    ("auditor-01", "audit", {}, person("name"), False),
]


@pytest.mark.parametrize("json_mode", [True, False])
@pytest.mark.parametrize(("account", "purpose", "case", "text", "strict"), STRICT)
def test_an_answer_is_strict_if_unmasking_may_have_shown_something(
    desk: Desk,
    account: str,
    purpose: str,
    case: dict[str, Any],
    text: str,
    strict: bool,
    json_mode: bool,
) -> None:
    number = {"n": desk.site.shown("zhelai").id18} if "$n" in text else {}
    engine = desk.engine(json_mode)
    answer = desk.ask(engine, account, text, number, purpose=purpose, **case)
    assert answer.executed
    assert answer.strict is strict


def test_a_filter_on_a_clear_column_tells_its_values_too(desk: Desk) -> None:
    # No filter of the schema is on a masked column yet; the Lens knows of it already.
    citizens = desk.catalog.datasets["citizen"]
    lens = desk.gate(TOWN, "aid.file").lens(citizens, Mode.LIST)
    assert [lens.unmasks([name]) for name in ("phone", "idNumber", "sex", "x_raw")] == [
        True, False, False, False,
    ]  # fmt: skip


def test_what_could_not_be_answered_is_not_strict(desk: Desk) -> None:
    for text in ("{ nothing }", "{"):
        answer = desk.ask(desk.engine(True), TOWN, text)
        assert (answer.executed, answer.strict) == (False, False)
