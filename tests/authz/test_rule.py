"""Lines that may not enter the policy (D1, D3, D11, T2, T6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authz.rule import COLUMNS, Rule, check_rule, minor_of
from catalog.load import Catalog

GOOD = Rule(
    "town",
    "*",
    "Citizen.basic",
    "read",
    "subtree",
    "any",
    "aid.file|aid.review",
    "9999-12-31",
    "allow",
    "办法第六条",
)


def fault(catalog: Catalog, demo: bool = False, /, **change: str) -> str | None:
    found = check_rule(replace(GOOD, **change), catalog, demo=demo)
    return None if found is None else found.column


def test_a_good_line_enters(catalog: Catalog) -> None:
    assert fault(catalog) is None


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("value", ["", " town", "a\nb", "a\x00b"])
def test_no_column_is_empty_padded_or_controlled(catalog: Catalog, column: str, value: str) -> None:
    assert fault(catalog, **{column: value}) == column


@pytest.mark.parametrize("effect", ["Deny", "DENY", "deny ", "reject"])
def test_effects_the_library_would_ignore_are_refused(catalog: Catalog, effect: str) -> None:
    assert fault(catalog, effect=effect) == "effect"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("action", "delete"),
        ("role", "mayor"),
        ("role", "*"),
        ("object", "Citizen.*"),
        ("object", "Citizen.nothing"),
        ("object", "Case.basic@minor"),
        ("object", "Citizen.basic@child"),
        ("dept", "mca|nobody"),
        ("dept", "!"),
        ("dept", "mca,wat"),
        ("dept", "mca)"),
        ("owner", "*"),
        ("owner", "!nobody"),
        ("purpose", "aid.file|fun"),
        ("purpose", "!fun"),
        ("reach", "532622105000"),
        ("reach", "532622105203"),
        ("reach", "530000"),
        ("until", "20261101"),
        ("until", "2026-02-30"),
        ("until", "never"),
    ],
)
def test_unknown_or_too_wide_words_are_refused(catalog: Catalog, column: str, value: str) -> None:
    assert fault(catalog, **{column: value}) == column


@pytest.mark.parametrize(
    "change",
    [
        {"dept": "!mca|wat", "owner": "self"},
        {"owner": "mca|wat"},
        {"owner": "!mca", "dept": "mca"},
        {"object": "Citizen.health@minor"},
        {"purpose": "*"},
        {"purpose": "emergency", "action": "unmask"},
        {"role": "*", "effect": "deny"},
        {"object": "Citizen.*", "effect": "deny", "reach": "532622105203"},
        {"reach": "532622105", "basis": "例外：联合受理点"},
    ],
)
def test_lines_of_the_grammar_enter(catalog: Catalog, change: dict[str, str]) -> None:
    assert fault(catalog, **change) is None


def test_a_deny_names_a_known_type(catalog: Catalog) -> None:
    assert fault(catalog, object="Citizens.*", effect="deny") == "object"


def test_emergency_never_lists(catalog: Catalog) -> None:
    assert fault(catalog, purpose="aid.file|emergency", action="list") == "purpose"
    assert fault(catalog, purpose="emergency", action="list", effect="deny") is None


def test_the_lab_is_for_demonstrations_only(catalog: Catalog) -> None:
    assert fault(catalog, role="lab") == "role"
    assert fault(catalog, True, role="lab") is None


def test_a_refusal_says_in_chinese_what_to_do(catalog: Catalog) -> None:
    found = check_rule(replace(GOOD, reach="532622105000"), catalog)
    assert str(found) == "reach：`532622105000` 不是辖区路径：请去掉末尾的 000 后填写"


def test_the_id_names_the_nine_columns_and_not_the_basis() -> None:
    assert GOOD.id == replace(GOOD, basis="别的依据").id
    assert GOOD.id != replace(GOOD, until="2026-12-31").id
    assert len(GOOD.id) == 13


def test_only_citizens_have_a_class_of_minors() -> None:
    assert minor_of("Citizen.basic") == "Citizen.basic@minor"
    assert minor_of("Case.basic") is None
