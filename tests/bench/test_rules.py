"""A policy of any size that says the same of the township's officer."""

from __future__ import annotations

import pytest

from authz.rule import check_rule
from authz.start import start_rules
from bench.rules import foreign, of_size
from catalog.load import Catalog, load


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


@pytest.mark.parametrize("size", [100, 1_000, 3_000])
def test_a_policy_of_the_size_holds_valid_lines_and_none_twice(catalog: Catalog, size: int) -> None:
    made = of_size(start_rules(catalog, demo=True), size, catalog)
    assert len({rule.line for rule in made}) == len(made) == size
    assert [f for rule in made if (f := check_rule(rule, catalog, demo=True))] == []


def test_the_officers_own_lines_are_in_the_smallest(catalog: Catalog) -> None:
    start = start_rules(catalog, demo=True)
    own = {rule.line for rule in start if rule.role in ("town", "village", "helper", "*")}
    assert own <= {rule.line for rule in of_size(start, 100, catalog)}
    assert len(own) > 50


def test_no_made_line_is_for_the_officer_or_his_purpose(catalog: Catalog) -> None:
    made = list(foreign(catalog))
    assert len(made) > 3_000
    assert [rule for rule in made if rule.dept == "rev" or rule.purpose == "aid.review"] == []


def test_a_policy_smaller_than_the_officers_own_is_not_made(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="no policy of 10 rules"):
        of_size(start_rules(catalog, demo=True), 10, catalog)
