"""Where the county itself misleads, by the numbers of the design; beside scenarios.toml."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Connection, create_engine, insert, select, update

from authz.book import PolicyBook
from authz.engine import Judge
from authz.errors import RuleError
from authz.gate import Gate
from authz.lens import Lens, Mode
from authz.match import one_of
from authz.post import Asker
from authz.roles import expand, post, roles
from authz.rule import check_rule
from authz.sharing import shared_rules
from authz.start import start_rules
from catalog.grades import SharingKind
from catalog.load import AuthObject, Catalog
from catalog.states import CodeScheme
from store.cases import case_file
from store.metadata import metadata
from store.register import citizen
from tests.authz.people import BENG_E, VILLAGE, ZHELAI, columns_of, person
from tests.authz.policies import PARENTS, book_of, line

NewAsker = Callable[..., Asker]
TOWN, OTHER_TOWN = ("rev", "town", ZHELAI), ("rev", "town", BENG_E)
CIVIL = CodeScheme.CIVIL_GB10114


def test_t1_a_department_at_county_reads_no_case_of_another(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    """Had `dept` inherited `town`, water would read every department's bodies."""
    assert "town" not in expand("dept", PARENTS)
    water = asker(("wat", "dept", "532622"), purpose="aid.review", case_no="X", bound="h1")
    for obj in ("Case.basic", "Case.body", "Case.decision"):
        scope = book.scope(water, obj, "read")
        assert scope.admits(VILLAGE, "wat")
        assert [d for d in catalog.departments if scope.admits(VILLAGE, d)] == ["wat"]


@pytest.mark.parametrize("padded", ["532622205000", "532622000000", "532622000"])
def test_t2_a_padded_code_is_no_base_and_no_reach(
    catalog: Catalog, book: PolicyBook, padded: str
) -> None:
    """It would match no village at all. The tables' CHECK says so too: test_keeper.py."""
    assert not VILLAGE.startswith(padded)
    fault = check_rule(line(reach=padded, basis="例外：联合受理点"), catalog)
    assert fault is not None
    assert fault.column == "reach"
    with pytest.raises(RuleError):
        book.post("rev", "town", padded)


def test_t3_a_code_of_another_scheme_never_stands_for_our_township(
    book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    """Eight of eleven civil-affairs township codes are another township's code of ours."""
    divisions, twins = catalog.divisions, 0
    for town in divisions.townships():
        clerk = asker(("rev", "town", town.path), purpose="aid.review")
        codes = book.scope(clerk, "Citizen.civil_affairs", "read").codes(divisions)
        assert codes == {town.code} | {v.code for v in divisions.villages(town.path)}
        told = {divisions.foreign(CIVIL, code) for code in codes} - {None}
        assert {divisions.canonical(CIVIL, str(code)) for code in told} <= codes
        twins += any(divisions.get(str(code)) and str(code) not in codes for code in told)
    assert twins == 8


def test_t4_a_row_that_lies_nowhere_is_held_by_county_wide_rights_alone(
    book: PolicyBook, asker: NewAsker
) -> None:
    """It carries the county's path; place and owner of a row are never NULL."""
    for table, column in (
        (citizen, "region_path"), (case_file, "region_path"), (case_file, "handling_dept"),
    ):  # fmt: skip
        assert not table.c[column].nullable
    town, office = asker(TOWN), asker(("rev", "office", "532622"), purpose="report")
    assert not book.scope(town, "Citizen.basic", "read").admits("532622", "rev")
    assert book.scope(office, "Citizen.basic", "read").admits("532622", "rev")


def test_t5_a_townships_own_case_is_not_its_villages(catalog: Catalog, asker: NewAsker) -> None:
    """Its path has nine digits: `here` of a village never holds it, `subtree` of the town does."""
    lines = [
        line(role="village", object="Case.basic", reach="here"),
        line(role="town", object="Case.basic", reach="subtree"),
    ]
    book = book_of(catalog, *lines)
    village = book.scope(asker(("rev", "village", VILLAGE)), "Case.basic", "read")
    town = book.scope(asker(TOWN), "Case.basic", "read")
    assert village.admits(VILLAGE, "mca")
    assert not village.admits(ZHELAI, "mca")
    assert town.admits(ZHELAI, "mca")
    assert town.admits(VILLAGE, "mca")


def test_t6_an_allow_with_a_place_opens_it_to_every_post_of_the_role(
    catalog: Catalog, asker: NewAsker
) -> None:
    """Wherever based: right for denies, for allows an exception that has to be argued."""
    named = line(reach=VILLAGE)
    fault = check_rule(named, catalog)
    assert fault is not None
    assert fault.column == "reach"
    assert check_rule(replace(named, basis="例外：联合受理点"), catalog) is None
    assert check_rule(line(reach=VILLAGE, effect="deny"), catalog) is None
    scope = book_of(catalog, named).scope(asker(OTHER_TOWN), "Citizen.basic", "read")
    assert scope.admits(VILLAGE, "rev")
    assert not scope.admits(BENG_E, "rev")


def test_t7_closed_data_is_closed_to_a_person_with_a_second_post_elsewhere(
    catalog: Catalog, asker: NewAsker
) -> None:
    """The deny hits the person as a whole: intended."""
    closed = AuthObject("Citizen.health", "健康服务", "hea", SharingKind.NOT_SHARED)
    changed = replace(catalog, objects={**catalog.objects, closed.name: closed})
    rules = (*start_rules(catalog), *shared_rules(changed))
    book = PolicyBook(1, rules, PARENTS, changed)
    health, water = ("hea", "dept", "532622"), ("wat", "dept", "532622")
    assert book.scope(asker(health), "Citizen.health", "read").admits(VILLAGE, "hea")
    assert book.scope(asker(health, water), "Citizen.health", "read").empty


@pytest.fixture
def conn() -> Iterator[Connection]:
    """A register of two people and one old case of the first."""
    engine = create_engine("sqlite://")
    names = ("household", "citizen", "division", "case_file")
    with engine.connect() as connection:
        metadata.create_all(connection, [metadata.tables[n] for n in names])
        people = [
            person("a", "李甲", "539922196001010017", date(1960, 1, 1), None, VILLAGE),
            person("d", "李丁", None, date(2012, 11, 2), None, VILLAGE),
        ]
        connection.execute(insert(citizen), people)
        connection.execute(insert(case_file), {
            "id": "k1", "case_no": "k1", "item": "MIN_LIVING", "state": "CLOSED",
            "channel": "SELF_RAISED", "intake": "ONLINE", "applicant_id": "a",
            "applicant_uid": "ua", "region_path": VILLAGE, "handling_dept": "mca",
            "filed_at": datetime(2026, 1, 1, tzinfo=UTC), "overdue": False,
            "has_complaint": False, "body": "诉求", "decision": None,
        })  # fmt: skip
        yield connection
    engine.dispose()


def ids(conn: Connection, lens: Lens) -> list[str]:
    table = citizen if lens.dataset.name == "citizen" else case_file
    rows = lens.source(columns_of(lens.dataset, table), ["id"], [], "r").subquery()
    return [row[0] for row in conn.execute(select(rows).order_by("id"), lens.binds("r"))]


def test_t8_who_moves_is_seen_by_the_new_township_and_his_old_cases_stay(
    conn: Connection, book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    gates = [Gate(book, asker(town, purpose="aid.file"), catalog) for town in (TOWN, OTHER_TOWN)]
    people, cases = catalog.datasets["citizen"], catalog.datasets["case"]

    def seen(name: str) -> list[list[str]]:
        dataset = catalog.datasets[name]
        return [ids(conn, gate.lens(dataset, Mode.KEY)) for gate in gates]

    assert (people.region.column, cases.region.column) == ("region_path", "region_path")
    assert seen("citizen") == [["a", "d"], []]
    assert seen("case") == [["k1"], []]
    moved = update(citizen).where(citizen.c.id == "a").values(region_path=f"{BENG_E}206")
    conn.execute(moved)
    assert seen("citizen") == [["d"], ["a"]]
    assert seen("case") == [["k1"], []]


def test_t9_the_fourteenth_birthday_counts_from_midnight_without_a_new_policy(
    conn: Connection, book: PolicyBook, catalog: Catalog, asker: NewAsker
) -> None:
    dataset, seen = catalog.datasets["citizen"], []
    for day in (date(2026, 11, 1), date(2026, 11, 2)):
        clerk = asker(("rev", "helper", VILLAGE), purpose="aid.file", day=day)
        seen.append(ids(conn, Gate(book, clerk, catalog).lens(dataset, Mode.KEY)))
    # Whoever may see adults only sees one more; a helper has no line for children.
    assert seen == [["a"], ["a", "d"]]


def test_t10_casbin_is_asked_about_posts_and_places_and_never_about_a_person() -> None:
    """URLs, cursors, spans and records: tests/hub, tests/attacks and tests/journeys."""
    asked = list(inspect.signature(Judge.allows).parameters)
    assert asked == ["self", "posts", "obj", "act", "purpose", "day", "row", "owner"]


def test_t11_a_comparison_unmasks_nothing(book: PolicyBook, asker: NewAsker) -> None:
    """The program alone reads clear values, and is no post; of whom it finds no more is shown."""
    opened = {
        (rule.role, rule.object, rule.action)
        for rule in book.rules
        if rule.allows and rule.purpose != "*" and one_of(rule.purpose, "compare")
    }
    assert ("office", "Citizen.civil_affairs", "read") in opened
    assert {act for role, _, act in opened if role != "comparison"} == {"read", "list", "lookup"}
    assert [(one.code, one.bases) for one in roles().values() if one.program] == [
        ("comparison", ())
    ]
    assert {obj for role, obj, act in opened if (role, act) == ("comparison", "unmask")} == {
        f"Citizen.{group}{age}"
        for group in ("civil_affairs", "housing", "medical_insurance", "monitoring")
        for age in ("", "@minor")
    }
    with pytest.raises(RuleError, match="不适用于角色"):
        post("rev", "comparison", "532622", PARENTS)
    office = asker(("rev", "office", "532622"), purpose="compare")
    for obj in ("Citizen.basic", "Citizen.identity", "Citizen.civil_affairs", "Case.body"):
        assert book.scope(office, obj, "unmask").empty
    for obj in ("Citizen.contact", "Citizen.address", "Citizen.health", "Citizen.income"):
        assert book.scope(office, obj, "read").empty


def test_t12_roles_are_few_and_flat() -> None:
    assert len(roles()) == 16
    assert max(len(expand(role, PARENTS)) for role in roles()) == 4
    assert all(len(role.parents) <= 1 for role in roles().values())
