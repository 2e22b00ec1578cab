"""One page per error code; each lists exactly the reasons the program can give."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from adapters.resilience import Reason as SourceReason
from authz.reference import Reason as PolicyReason
from catalog.english import REASONS
from catalog.errors import BadRequest, HubError
from hub.edge.decoding import ENGLISH, SAID
from resolvers.scale import Limits

KINDS = {kind.__name__: kind for kind in HubError.__subclasses__()}
PACKAGES = (
    "hub",
    "console",
    "schema",
    "resolvers",
    "authz",
    "adapters",
    "audit",
    "domain",
    "store",
)
_REASON = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def _calls(root: Path) -> Iterator[ast.Call]:
    for package in PACKAGES:
        for file in (root / package).rglob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            yield from (n for n in ast.walk(tree) if isinstance(n, ast.Call))


def _text(node: ast.expr) -> str | None:
    found = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return str(node.value) if found and isinstance(node, ast.Constant) else None


def _reasons(root: Path) -> dict[str, set[str]]:
    """By code: literals in the source, and the closed lists reasons are taken from."""
    found: dict[str, set[str]] = defaultdict(set)
    for call in _calls(root):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name == "_bad":
            found["BAD_REQUEST"].add(str(_text(call.args[0])))
        if name in ("too_complex", "_at_most") and _text(call.args[0]):
            found["OPERATION_TOO_COMPLEX"].add(str(_text(call.args[0])))
        given = [k.value for k in call.keywords if k.arg == "reason"]
        if name in KINDS and given and _text(given[0]):
            found[KINDS[name].code].add(str(_text(given[0])))
    found["FORBIDDEN"] |= {r.value for r in PolicyReason}
    found["SOURCE_UNAVAILABLE"] |= {r.value for r in SourceReason}
    found["OPERATION_TOO_COMPLEX"] |= {f.name for f in fields(Limits)}
    return found


def test_every_code_has_its_page_and_no_other(root: Path) -> None:
    told = {path.stem for path in (root / "docs" / "errors").glob("*.md")} - {"index"}
    assert told == {kind.code for kind in KINDS.values()}


def test_every_error_names_its_page_and_says_whether_to_try_again(root: Path) -> None:
    told = {kind.code: kind("").extensions() for kind in KINDS.values()}
    assert [code for code, e in told.items() if not (root / e["docs"]).is_file()] == []
    again = {code for code, e in told.items() if e["retryable"]}
    assert again == {
        "SOURCE_UNAVAILABLE",
        "AUDIT_UNAVAILABLE",
        "DEADLINE_EXCEEDED",
        "RATE_LIMITED",
    }


def test_every_reason_says_in_english_what_it_means_and_no_two_the_same(root: Path) -> None:
    given = _reasons(root)
    for kind in KINDS.values():
        reasons = given.get(kind.code, set())
        told = {r: kind("", reason=r).extensions()["messageEn"] for r in reasons}
        several = {r for r in reasons if told[r] == kind.english}
        assert several == ({"VARIABLE"} if kind.code == "BAD_USER_INPUT" else set()), kind.code
        assert len({*told.values()}) == len(told)
        assert all(text.isascii() for text in told.values())
    assert set(REASONS) <= given.keys()
    assert {(c, r) for c, texts in REASONS.items() for r in texts if r not in given[c]} == set()


def test_what_is_raised_with_words_of_its_own_says_them_in_english_too() -> None:
    error = BadRequest("甲", reason="HEADER", english="one")
    assert error.extensions()["messageEn"] == "one"
    assert set(SAID) == set(ENGLISH)
    assert len({*ENGLISH.values()}) == len(ENGLISH)


def test_every_page_says_its_status_its_meaning_and_what_to_do(
    page: Callable[[str], Any],
) -> None:
    for kind in KINDS.values():
        told = page(f"docs/errors/{kind.code}.md")
        assert told.headings(1)[0].startswith(f"{kind.code} ")
        assert f"HTTP {kind.status}\n" in told.text
        assert told.headings(2) == ["含义", "怎么办", "原因 extensions.reason"]


def test_the_index_lists_every_code_with_its_status(page: Callable[[str], Any]) -> None:
    rows = re.findall(
        r"^\| \[(\w+)\]\(\1\.md\) \| (\d+) \|", page("docs/errors/index.md").text, re.M
    )
    assert dict(rows) == {kind.code: str(kind.status) for kind in KINDS.values()}
    assert len(rows) == len(KINDS)


def test_every_reason_the_program_gives_is_on_its_page_and_no_other(
    page: Callable[[str], Any], root: Path
) -> None:
    given = _reasons(root)
    assert "ID_NUMBER" in given["BAD_USER_INPUT"]  # the search finds what is there
    for kind in KINDS.values():
        told = set(_REASON.findall(page(f"docs/errors/{kind.code}.md").text))
        assert told == given.get(kind.code, set()), kind.code
