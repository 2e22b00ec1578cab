"""Gate: lenses, facets, and why not; the five posts of the demonstration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from authz.book import PolicyBook
from authz.facet import FacetLens
from authz.gate import Gate
from authz.lens import CellState, Mode
from authz.post import Asker
from authz.reference import Reason
from catalog.datasets import (
    Dataset,
    Decode,
    Facet,
    Field,
    FieldType,
    Key,
    KeyKind,
    Region,
    RegionKind,
    Sharing,
)
from catalog.grades import Mask, Sensitivity, SharingKind, UpdateCycle
from catalog.load import Catalog
from catalog.states import CodeScheme

NewAsker = Callable[..., Asker]
ZHELAI, VILLAGE, OTHER = "532622205", "532622205203", "532622206206"
CLEAR, MASKED, HIDDEN = CellState.CLEAR, CellState.MASKED, CellState.HIDDEN


def aid_field(name: str, obj: str, mask: Mask) -> Field:
    return Field(
        name, name, "字段", "字段", FieldType.STRING, obj, Sensitivity.L4_SENSITIVE, mask,
        True, Decode.PLAIN, None, {}, True,
    )  # fmt: skip


AID = Dataset(
    name="aid", type="Aid", title="低保", description="低保", source="mz", provider="mca",
    auth="Citizen", object="Citizen.civil_affairs",
    sharing=Sharing(SharingKind.CONDITIONAL, "按岗位", "MEASURES_ART_11"),
    legal_basis="MEASURES_ART_11", update_cycle=UpdateCycle.MONTHLY, table="db", joins=(),
    key=Key(KeyKind.IDENTITY, ("sfzh",), ("id18",), CodeScheme.NBS_STAT),
    region=Region(RegionKind.CITIZEN, None, CodeScheme.NBS_STAT), owner=None, subject=None,
    birth=None, bound=None, person_name=None, order=(),
    facet=Facet("Citizen", "civilAffairs", "aid", False), nests=(),
    fields=(
        aid_field("kind", "Citizen.civil_affairs", Mask.NONE),
        aid_field("amount", "Citizen.civil_affairs", Mask.HIDE),
        aid_field("illness", "Citizen.health", Mask.HIDE),
    ),
)  # fmt: skip


def facet(book: PolicyBook, catalog: Catalog, who: Asker) -> FacetLens:
    return Gate(book, who, catalog).facet(AID)


def test_a_village_reads_a_facet_masked_in_its_own_place(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    lens = facet(book, catalog, asker(("rev", "village", VILLAGE), purpose="aid.file"))
    assert lens.cells(VILLAGE) == (("kind", CLEAR), ("amount", MASKED), ("illness", HIDDEN))
    assert lens.cells(OTHER) is None
    assert lens.cells(VILLAGE, minor=True) is None
    assert lens.cells(VILLAGE) is lens.cells(VILLAGE)


def test_a_town_reads_it_clear_with_a_case(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    town = ("rev", "town", ZHELAI)
    without = facet(book, catalog, asker(town, purpose="aid.review"))
    with_case = facet(book, catalog, asker(town, purpose="aid.review", case_no="YS1", bound="h1"))
    assert without.cells(VILLAGE) == (("kind", CLEAR), ("amount", MASKED), ("illness", HIDDEN))
    assert with_case.cells(VILLAGE) == (("kind", CLEAR), ("amount", CLEAR), ("illness", HIDDEN))
    assert without.digest != with_case.digest
    assert set(without.rules) < set(with_case.rules)


def test_a_department_reads_its_own_facet_and_no_other(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    mca = facet(book, catalog, asker(("mca", "dept", "532622"), purpose="aid.file"))
    wat = facet(book, catalog, asker(("wat", "dept", "532622"), purpose="aid.file"))
    assert mca.cells(OTHER) == (("kind", CLEAR), ("amount", CLEAR), ("illness", CLEAR))
    assert wat.cells(OTHER) is None
    assert wat.see.empty


def test_own_codes_bound_what_a_source_is_asked(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    village = facet(book, catalog, asker(("rev", "village", VILLAGE), purpose="aid.file"))
    county = facet(book, catalog, asker(("mca", "dept", "532622"), purpose="aid.file"))
    assert village.own_codes(catalog.divisions) == frozenset({VILLAGE})
    assert county.own_codes(catalog.divisions) is None


def test_two_townships_share_a_facets_pattern(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    one = facet(book, catalog, asker(("rev", "town", ZHELAI)))
    two = facet(book, catalog, asker(("rev", "town", "532622206")))
    assert one.pattern == two.pattern
    assert one.digest != two.digest


def test_purchased_staff_see_no_sensitive_group_whatever_their_post(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    town = ("rev", "town", ZHELAI)
    with_case = {"purpose": "aid.review", "case_no": "YS1", "bound": "h1"}
    own = Gate(book, asker(town, **with_case), catalog)
    bought = Gate(book, asker(town, **with_case, purchased=True), catalog)
    people = catalog.datasets["citizen"]
    assert {"Citizen.identity", "Case.body"} <= catalog.sensitive_objects
    assert "Citizen.basic" not in catalog.sensitive_objects
    assert own.lens(people, Mode.KEY).cell("idNumber").state is not HIDDEN
    lens = bought.lens(people, Mode.KEY)
    assert lens.cell("idNumber").state is HIDDEN
    assert lens.cell("birthBand").state is CLEAR  # what is not sensitive stays his work
    assert bought.refusal(people, Mode.LOOKUP, "idNumber").reason == "DENIED"
    assert bought.demand("Case.body", "read", VILLAGE, "rev").reason == "DENIED"
    assert bought.facet(AID).cells(VILLAGE) is None
    # Both were made from one book: what it keeps for the one is not the other's.
    assert own.lens(people, Mode.KEY).digest != lens.digest


def test_lenses_are_made_once(book: PolicyBook, catalog: Catalog, asker: NewAsker) -> None:
    gate = Gate(book, asker(("rev", "town", ZHELAI)), catalog)
    citizen = catalog.datasets["citizen"]
    assert gate.lens(citizen, Mode.LIST) is gate.lens(citizen, Mode.LIST)
    assert gate.lens(citizen, Mode.LIST) is not gate.lens(citizen, Mode.KEY)
    assert gate.facet(AID) is gate.facet(AID)


def test_key_holds_list_holds_more_than_lookup(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    gate = Gate(book, asker(("rev", "village", VILLAGE)), catalog)
    citizen = catalog.datasets["citizen"]
    key, listed = gate.lens(citizen, Mode.KEY), gate.lens(citizen, Mode.LIST)
    looked = gate.lens(citizen, Mode.LOOKUP, "idNumber")
    assert key.rows.contains(listed.rows)
    assert key.rows.contains(looked.rows)
    assert len({key.digest, listed.digest, looked.digest}) == 3
    assert len({key.pattern, listed.pattern, looked.pattern}) == 3


def test_a_lookup_names_its_identifier(book: PolicyBook, catalog: Catalog, asker: NewAsker) -> None:
    gate = Gate(book, asker(("rev", "village", VILLAGE)), catalog)
    with pytest.raises(ValueError, match="identifier"):
        gate.lens(catalog.datasets["citizen"], Mode.LOOKUP)


def states(gate: Gate, dataset: Dataset, mode: Mode, *names: str) -> list[CellState]:
    lens = gate.lens(dataset, mode)
    return [lens.cell(name).state for name in names]


def test_five_posts_get_five_answers(
    demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    citizen, case = catalog.datasets["citizen"], catalog.datasets["case"]
    audit = catalog.datasets["audit_event"]

    def gate(role: str, base: str, purpose: str, dept: str = "rev") -> Gate:
        return Gate(demo_book, asker((dept, role, base), purpose=purpose), catalog)

    village = gate("village", VILLAGE, "aid.file")
    town = gate("town", ZHELAI, "aid.file")
    dept = gate("dept", "532622", "aid.file", "mca")
    office = gate("office", "532622", "report")
    auditor = gate("auditor", "532622", "audit")

    assert village.lens(citizen, Mode.LIST).rows.admits(VILLAGE, None)
    assert not village.lens(citizen, Mode.LIST).rows.admits(ZHELAI, None)
    assert village.lens(citizen, Mode.LIST).cell("phone").clear.admits(VILLAGE, None)
    assert states(village, case, Mode.LIST, "caseNo", "body") == [CLEAR, HIDDEN]

    assert town.lens(citizen, Mode.LIST).rows.admits(ZHELAI, None)
    assert not town.lens(citizen, Mode.LIST).rows.admits(OTHER, None)
    assert states(town, case, Mode.LIST, "caseNo", "body", "decision") == [CLEAR, CLEAR, CLEAR]

    assert dept.lens(citizen, Mode.LIST).rows.empty
    assert dept.lens(citizen, Mode.KEY).rows.admits(OTHER, None)
    assert dept.lens(case, Mode.LIST).rows.admits(OTHER, "mca")
    assert not dept.lens(case, Mode.LIST).rows.admits(OTHER, "wat")

    assert states(office, citizen, Mode.LIST, "name", "phone") == [MASKED, HIDDEN]
    assert office.lens(case, Mode.LIST).rows.admits(OTHER, "wat")

    assert auditor.lens(citizen, Mode.KEY).rows.empty
    assert auditor.lens(case, Mode.KEY).rows.empty
    assert auditor.lens(audit, Mode.LIST).rows.whole
    assert states(auditor, audit, Mode.LIST, "actor", "body") == [CLEAR, CLEAR]


@pytest.mark.parametrize(
    ("post", "purpose", "mode", "reason"),
    [
        (("rev", "town", ZHELAI), "aid.file", Mode.LIST, None),
        (("mca", "dept", "532622"), "aid.file", Mode.LIST, Reason.NO_RULE),
        (("rev", "auditor", "532622"), "audit", Mode.KEY, Reason.DENIED),
        (("rev", "town", ZHELAI), "audit", Mode.KEY, Reason.PURPOSE),
        (("rev", "town", ZHELAI), "emergency", Mode.LIST, Reason.PURPOSE),
    ],
)
def test_an_empty_lens_says_why_and_whom_to_ask(
    book: PolicyBook,
    catalog: Catalog,
    asker: NewAsker,
    post: tuple[str, str, str],
    purpose: str,
    mode: Mode,
    reason: Reason | None,
) -> None:
    gate = Gate(book, asker(post, purpose=purpose), catalog)
    verdict = gate.refusal(catalog.datasets["citizen"], mode)
    assert (verdict.allowed, verdict.reason) == (reason is None, reason)
    assert gate.lens(catalog.datasets["citizen"], mode).rows.empty is (reason is not None)
    if reason is not None:
        assert verdict.ask == "砚山县政府救助平台领导小组办公室"


def test_self_service_without_a_household_sees_nobody(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    portal = ("rev", "portal", "532622")
    citizen, case = catalog.datasets["citizen"], catalog.datasets["case"]
    loose = Gate(book, asker(portal, purpose="self"), catalog)
    assert loose.lens(citizen, Mode.KEY).rows.empty
    assert loose.refusal(citizen, Mode.KEY).reason is Reason.CASE
    bound = Gate(book, asker(portal, purpose="self", bound="h1"), catalog)
    assert not bound.lens(citizen, Mode.KEY).rows.empty
    assert not bound.lens(case, Mode.KEY).rows.empty


def test_personal_rows_that_cannot_be_bound_are_shut_to_the_bound(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    unbindable = replace(catalog.datasets["citizen"], name="loose", bound=None)
    town = ("rev", "town", ZHELAI)
    free = Gate(book, asker(town, purpose="aid.file"), catalog)
    bound = Gate(book, asker(town, purpose="aid.file", case_no="YS1", bound="h1"), catalog)
    assert not free.lens(unbindable, Mode.KEY).rows.empty
    assert bound.lens(unbindable, Mode.KEY).rows.empty
    assert bound.refusal(unbindable, Mode.KEY).reason is Reason.CASE


def test_rows_of_another_provider_are_refused_by_owner(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    # The line allows own data only, and this row object's provider is the leading office.
    rules = [r for r in book.rules if r.object == "Citizen.basic" and r.action == "read"]
    own = [replace(r, owner="self") for r in rules if r.role == "dept"]
    small = PolicyBook(1, own, {"dept": ("staff",), "staff": ()}, catalog)
    gate = Gate(small, asker(("mca", "dept", "532622"), purpose="aid.file"), catalog)
    verdict = gate.refusal(catalog.datasets["citizen"], Mode.KEY)
    assert (verdict.allowed, verdict.reason) == (False, Reason.OWNER)


def test_a_case_number_without_household_opens_nothing(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    clerk = asker(("rev", "town", ZHELAI), purpose="aid.verify", case_no="YS1")
    verdict = Gate(book, clerk, catalog).demand("Citizen.identity", "unmask", VILLAGE, "rev")
    assert (verdict.allowed, verdict.reason) == (False, Reason.CASE)


def test_day_and_version_are_in_the_digest(
    book: PolicyBook, demo_book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    town, citizen = ("rev", "town", ZHELAI), catalog.datasets["citizen"]
    lenses = [
        Gate(book, asker(town), catalog).lens(citizen, Mode.LIST),
        Gate(book, asker(town, day=date(2026, 11, 2)), catalog).lens(citizen, Mode.LIST),
        Gate(demo_book, asker(town), catalog).lens(citizen, Mode.LIST),
    ]
    assert len({lens.digest for lens in lenses}) == 3
    assert len({lens.pattern for lens in lenses}) == 1


def test_cold_lenses_stay_within_the_bound_of_casbin_calls(
    catalog: Catalog, book: PolicyBook, asker: NewAsker
) -> None:
    from authz.roles import pairs, parents_of, roles

    fresh = PolicyBook(7, book.rules, parents_of(pairs(roles())), catalog)
    gate = Gate(fresh, asker(("rev", "town", ZHELAI)), catalog)
    for name in ("citizen", "case", "case_event", "household", "supervision_order"):
        gate.lens(catalog.datasets[name], Mode.KEY)
    gate.facet(AID)
    assert 0 < fresh.casbin_calls <= 200
    before = fresh.casbin_calls
    warm = Gate(fresh, asker(("rev", "town", ZHELAI)), catalog)
    warm.lens(catalog.datasets["citizen"], Mode.KEY)
    assert fresh.casbin_calls == before


def test_what_the_book_keeps_names_no_household(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    town, citizen = ("rev", "town", ZHELAI), catalog.datasets["citizen"]
    clerks = [asker(town, purpose="aid.verify", case_no="YS1", bound=h) for h in ("h81", "h82")]
    lenses = [Gate(book, clerk, catalog).lens(citizen, Mode.KEY) for clerk in clerks]
    assert [lens.binds("r")["r_bound"] for lens in lenses] == ["h81", "h82"]
    assert lenses[0].digest == lenses[1].digest
    assert lenses[0].pattern == lenses[1].pattern
    free = Gate(book, asker(town, purpose="aid.verify"), catalog).lens(citizen, Mode.KEY)
    assert free.digest != lenses[0].digest
    assert "r_bound" not in free.binds("r")
    kept = repr(list(book._lenses.items()))
    assert "h81" not in kept
    assert "h82" not in kept


def test_a_warm_lens_is_the_kept_one(book: PolicyBook, catalog: Catalog, asker: NewAsker) -> None:
    town, citizen = ("rev", "town", ZHELAI), catalog.datasets["citizen"]
    first = Gate(book, asker(town), catalog).lens(citizen, Mode.LIST)
    assert Gate(book, asker(town), catalog).lens(citizen, Mode.LIST) is first
    assert Gate(book, asker(town, purpose="correct"), catalog).lens(citizen, Mode.LIST) is not first


def test_the_asker_keeps_the_name_out_of_its_repr(asker: NewAsker) -> None:
    assert "张三" not in repr(asker(("rev", "town", ZHELAI)))


# ---- counting ----------------------------------------------------------------------------------

AUTHORITY = ("mca", "authority", "532622")


def test_who_may_list_counts_under_that_lens(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    gate, case = Gate(book, asker(("rev", "town", ZHELAI)), catalog), catalog.datasets["case"]
    assert gate.lens(case, Mode.COUNT) is gate.lens(case, Mode.LIST)
    assert gate.refusal(case, Mode.COUNT).allowed


def test_who_may_only_tally_counts_the_whole_county_or_nothing(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    case = catalog.datasets["case"]
    lens = Gate(book, asker(AUTHORITY, purpose="report"), catalog).lens(case, Mode.COUNT)
    assert (lens.mode, lens.rows.whole, lens.bound) == (Mode.TALLY, True, None)
    shown = [f.name for f in case.fields if lens.cell(f.name).state is CLEAR]
    plain = [f.name for f in case.fields if f.object == "Case.basic" and f.mask is Mask.NONE]
    assert shown == plain
    assert {lens.cell(name).state for name in ("body", "decision")} == {HIDDEN}
    assert set(lens.rules) == {
        r.id for r in book.rules if r.action == "tally" and r.role == "authority"
    }
    # One township kept back, and the difference would tell of it: then nothing is published.
    kept_back = replace(
        next(r for r in book.rules if r.action == "tally"),
        role="*", reach="532622205", effect="deny", basis="保护",
    )  # fmt: skip
    narrow = PolicyBook(2, (*book.rules, kept_back), {"authority": ()}, catalog)
    gate = Gate(narrow, asker(AUTHORITY, purpose="report"), catalog)
    assert gate.lens(case, Mode.COUNT).rows.empty
    assert gate.refusal(case, Mode.COUNT).reason is Reason.REACH


def test_a_masked_column_is_not_tallied(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    case = catalog.datasets["case"]
    fields = tuple(replace(f, mask=Mask.HIDE) if f.name == "item" else f for f in case.fields)
    gate = Gate(PolicyBook(3, book.rules, {"authority": ()}, catalog),
                asker(AUTHORITY, purpose="report"), catalog)  # fmt: skip
    lens = gate.lens(replace(case, fields=fields), Mode.COUNT)
    assert lens.cell("item").state is HIDDEN
    assert lens.cell("state").state is CLEAR


def test_a_data_set_without_published_counts_is_never_tallied(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    order = catalog.datasets["supervision_order"]
    gate = Gate(book, asker(AUTHORITY, purpose="report"), catalog)
    assert order.tally is None
    assert gate.lens(order, Mode.COUNT).rows.empty
    assert gate.refusal(order, Mode.COUNT).reason is Reason.NO_RULE


def test_counting_is_no_emergency(book: PolicyBook, catalog: Catalog, asker: NewAsker) -> None:
    case = catalog.datasets["case"]
    gate = Gate(book, asker(("rev", "town", ZHELAI), purpose="emergency"), catalog)
    assert gate.lens(case, Mode.COUNT).rows.empty
    assert not gate.refusal(case, Mode.COUNT).allowed
    bound = asker(AUTHORITY, purpose="report", case_no="YS1", bound="h1")
    assert Gate(book, bound, catalog).lens(case, Mode.COUNT).rows.empty
    assert Gate(book, bound, catalog).refusal(case, Mode.COUNT).reason is Reason.CASE
