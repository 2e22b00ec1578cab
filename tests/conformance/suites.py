"""The suites of the public, one a line: what it is called, what is demanded, its file, its time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class By(Enum):
    """Who runs a suite's file: Node, the Python of the tools, the Python of the checkout."""

    NODE = "node"
    TOOLS = "tools"
    CHECKOUT = "checkout"


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite; `limit_s` seconds after which it is ended and has missed."""

    name: str
    threshold: str
    by: By
    file: str
    limit_s: float = 60.0


SUITES = (
    Suite("graphql-http", "61 audits: 0 MUST, 0 SHOULD missed", By.NODE, "graphql_http.mjs"),
    Suite("graphql-eslint", "0 errors", By.NODE, "graphql_eslint.mjs"),
    Suite(
        "graphql-inspector", "valid, no break since the release", By.NODE, "graphql_inspector.mjs"
    ),
    Suite(
        "graphql-codegen",
        "clean, strict, manifest registers",
        By.NODE,
        "graphql_codegen.mjs",
        180.0,
    ),
    Suite("relay-compiler", "clean, manifest registers", By.NODE, "relay_compiler.mjs", 120.0),
    Suite("apollo-client", "all pass", By.NODE, "apollo_client.mjs", 120.0),
    Suite("urql", "all pass", By.NODE, "urql.mjs"),
    Suite("graphql-ws", "all pass", By.NODE, "graphql_ws.mjs", 120.0),
    Suite("graphql-sse", "all pass, urql beside it", By.NODE, "graphql_sse.mjs", 120.0),
    Suite("gql", "all pass", By.TOOLS, "gql_client.py", 120.0),
    Suite("composers", "no error, no hint", By.NODE, "composers.mjs"),
    Suite("apollo-gateway", "answers equal", By.NODE, "apollo_gateway.mjs", 90.0),
    Suite("hive-gateway", "answers equal, both planners", By.NODE, "hive_gateway.mjs", 90.0),
    Suite("schemathesis", "0 failures in 5000 cases", By.TOOLS, "fuzzing.py", 420.0),
    Suite("random-queries", "10 min: no 5xx, no INTERNAL", By.CHECKOUT, "random_queries.py", 720.0),
)
"""In the order they run: the short ones first."""
