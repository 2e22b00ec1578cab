"""What the fuzzer cannot know of our schema: values of its scalars, and what a refusal must say.

Loaded by schemathesis (`hooks` in schemathesis.toml), in the tools' own environment.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

CODES = ("532622000000", "532622205000", "532622206000", "532622", "999999999999", "")
PAGE = Path(os.environ["HUB_TEST_CHECKOUT"]) / "docs" / "errors" / "BAD_USER_INPUT.md"
REASONS = frozenset(re.findall(r"^\| `([A-Z_]+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
"""The closed list of BAD_USER_INPUT, as clients read it."""
DOCUMENT = frozenset({"OPERATION_TOO_COMPLEX", "GRAPHQL_VALIDATION_FAILED", "BAD_REQUEST"})
"""Refused as a whole: too large, or no document of this schema (the fuzzer tries such, too)."""

schemathesis.graphql.scalar(
    "DivisionCode", (st.sampled_from(CODES) | st.text(max_size=14)).map(nodes.String)
)
schemathesis.graphql.scalar(
    "Sequence", (st.integers(0, 200) | st.integers(-(2**70), 2**70)).map(nodes.Int)
)


@schemathesis.check
def refusals_are_told(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Every error says by code and reason what is wrong with the question."""
    for error in json.loads(response.content).get("errors", ()):
        told = error["extensions"]
        code, reason = told["code"], told.get("reason")
        if code in DOCUMENT:
            continue
        if code != "BAD_USER_INPUT" or reason not in REASONS:
            raise AssertionError(f"{code} {reason}: {error['message']}")
