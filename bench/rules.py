"""A policy of so many rules that says the same of the township's officer.

A county's policy grows by departments, places and purposes that are not the asker's. `small`
keeps the lines of his own chain of roles; `grown` adds lines for other departments, other
villages and other purposes, all of them valid and none of them his.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product

from authz.rule import EXCEPTION, NO_END, Rule, check_rule
from catalog.load import Catalog

CHAIN = ("town", "village", "helper")  # 经办 inherit from below
OTHER_PURPOSES = ("supervise", "report", "correct", "compare")
ACTS = ("read", "list", "unmask")
OBJECTS = ("Case.basic", "Case.body", "Citizen.basic", "Citizen.contact", "Household.basic")
BASIS = f"{EXCEPTION}压力测试"


def of_size(start: Sequence[Rule], size: int, catalog: Catalog) -> tuple[Rule, ...]:
    """`size` rules: those of the officer first, then the other start rules, then made ones."""
    own = [rule for rule in start if rule.role in CHAIN or rule.role == "*"]
    others = [rule for rule in start if rule not in own]
    have = {rule.line for rule in start}
    made = (rule for rule in foreign(catalog) if rule.line not in have)
    chosen = (*own, *others)[:size]
    grown = (*chosen, *islice(made, size - len(chosen)))
    if len(grown) != size or size < len(own):
        raise ValueError(f"no policy of {size} rules can be made")
    return grown


def foreign(catalog: Catalog) -> Iterator[Rule]:
    """Valid lines that never admit an officer of rev/town for aid.review."""
    departments = [code for code in catalog.departments if code != "rev"]
    places = [path for path in catalog.divisions.by_path if len(path) > 6]
    for place, obj, act, purpose, dept in product(
        places, OBJECTS, ACTS, OTHER_PURPOSES, _some(departments)
    ):
        rule = Rule("town", dept, obj, act, place, "any", purpose, NO_END, "allow", BASIS)
        fault = check_rule(rule, catalog)
        if fault is not None:
            raise ValueError(str(fault))
        yield rule


def _some(departments: Iterable[str]) -> list[str]:
    return sorted(departments)[:4]
