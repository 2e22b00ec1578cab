"""The runner's own faults: which it plants, and that it does not plant them in the checkout."""

from __future__ import annotations

import ast

import pytest

from tests.mutation.__main__ import ROOT, TESTS, faults
from tests.mutation.mutants import mutants


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a = b == c", ["pass", "a = b != c"]),
        ("a = b < c", ["pass", "a = b <= c"]),
        ("a = b in c", ["pass", "a = b not in c"]),
        ("a = b and c", ["pass", "a = b or c"]),
        ("a = not b", ["pass", "a = b"]),
        ("a = b + 1", ["pass", "a = b - 1", "a = b + 2", "a = b + 0"]),
        ("a = b if c else d", ["pass", "a = d if c else b"]),
        ("a = 'b'", ["pass", "a = 'bx'"]),
        ("a = True", ["pass", "a = False"]),
        ("a = [b for b in c if d]", ["pass", "a = [b for b in c if not d]", "a = [b for b in c]"]),
        ("if a:\n    b()", ["if not a:\n    b()", "if a:\n    pass"]),
        ("def f(a: 'x' = 1) -> 'y':\n    '''Says.'''\n    return a", 3),
        ("def f():\n    raise ValueError('no')", ["def f():\n    pass"]),
        ("x: int\n'''Says what x is.'''", []),
        ("class A(B):\n    ...", []),
    ],
)
def test_a_fault_is_one_slip(text: str, wrong: list[str] | int) -> None:
    found = [mutant.text for mutant in mutants(text)]
    if isinstance(wrong, int):
        assert len(found) == wrong
    else:
        assert found == wrong


def test_no_fault_is_planted_twice_and_each_can_be_read() -> None:
    planted = faults(None)
    for module in TESTS:
        own = [one.mutant.text for one in planted if one.module == module]
        right = (ROOT / "authz" / f"{module}.py").read_text(encoding="utf-8")
        assert len(own) == len(set(own)) > 30
        assert ast.unparse(ast.parse(right)) not in own
        for text in own:
            compile(text, module, "exec")


def test_parts_of_a_run_are_the_run() -> None:
    whole, parts = faults("match"), [faults("match", 3, first) for first in range(3)]
    assert sum(map(len, parts)) == len(whole)
    assert [part[0] for part in parts] == whole[:3]


def test_the_files_that_are_asked_are_there() -> None:
    named = {name for names in TESTS.values() for name in names}
    assert [n for n in named if not (ROOT / "tests/authz" / f"test_{n}.py").is_file()] == []
