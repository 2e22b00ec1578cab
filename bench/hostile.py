"""Documents of somebody who means the server no good, each with the refusal it must get.

For tests/attacks and for ``make bench-edge``, which measures what each costs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

HONEST = "query Honest { viewer { account posts { role division } purpose } }"


def fragments(doublings: int, on: str = "Viewer", leaf: str = "account") -> str:
    """Fragments that hold 2^`doublings` leaves in a text that grows by a line a doubling."""
    links = [f"fragment F{n} on {on} {{ ...F{n + 1} ...F{n + 1} }}" for n in range(doublings)]
    return " ".join([*links, f"fragment F{doublings} on {on} {{ {leaf} }}"])


def bomb(doublings: int) -> str:
    """A fragment bomb of 2^`doublings` fields."""
    return f"{{ viewer {{ ...F0 }} }} {fragments(doublings)}"


def deep_bomb(doublings: int) -> str:
    """A bomb whose fragments go a level down each."""
    links = [
        f"fragment F{n} on Division {{ a: parent {{ ...F{n + 1} }} b: parent {{ ...F{n + 1} }} }}"
        for n in range(doublings)
    ]
    last = f"fragment F{doublings} on Division {{ code }}"
    return " ".join(["{ divisions { ...F0 } }", *links, last])


def aliases(count: int, field_: str) -> str:
    """One field under `count` names."""
    return "{ " + " ".join(f"a{n}: {field_}" for n in range(count)) + " }"


def cycle(depth: int) -> str:
    """Citizen to household to member and back, `depth` levels of fields."""
    inside = "name"
    for level in range(depth - 3):
        inside = f"{('members', 'household')[level % 2]} {{ {inside} }}"
    if (depth - 3) % 2:  # the last step made was to members, whom a household has
        inside = f"household {{ {inside} }}"
    return f"{{ citizens {{ nodes {{ {inside} }} }} }}"


def nested(levels: int) -> str:
    """Introspection that goes round `levels` times."""
    inside = "name"
    for _ in range(levels):
        inside = f"fields {{ type {{ {inside} }} }}"
    return f"{{ __schema {{ types {{ {inside} }} }} }}"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A document, and the refusal it must get: status of either media type, code, reason."""

    text: str
    code: str
    reason: str | None = None
    status: int = 400
    plain: int = 200  # the status where plain JSON is asked for
    variables: Mapping[str, object] = field(default_factory=dict)

    def body(self) -> bytes:
        """The request's body."""
        return json.dumps({"query": self.text, "variables": dict(self.variables)}).encode()


TOO = "OPERATION_TOO_COMPLEX"
INVALID = "GRAPHQL_VALIDATION_FAILED"
NODE_FLOOD = " ".join(["@include(if: true)"] * 11)

DOCUMENTS: Mapping[str, Hostile] = {
    "bomb of 2^18": Hostile(bomb(18), TOO, "fields"),
    "bomb of 2^25": Hostile(bomb(25), TOO, "fields"),
    "bomb of 2^60": Hostile(bomb(60), TOO, "fields"),
    "deep bomb of 2^60": Hostile(deep_bomb(60), TOO, "fields"),
    "bomb in the unused": Hostile(f"{{ viewer {{ account }} }} {fragments(60)}", TOO, "fields"),
    "1,000 aliases": Hostile(aliases(1_000, "__typename"), TOO, "aliases"),
    "100 aliases on a list": Hostile(
        aliases(100, "citizens(first: 100) { nodes { name } }"), TOO, "aliases"
    ),
    "100 aliases in a list": Hostile(
        "{ citizens { nodes " + aliases(100, "household { householdNo }") + " } }", TOO, "aliases"
    ),
    "11 directives on a node": Hostile(
        f"{{ viewer {NODE_FLOOD} {{ account }} }}", TOO, "node_directives"
    ),
    "560 directives on a node": Hostile(
        "{ viewer " + "@include(if: true) " * 560 + "{ account } }", TOO, "node_directives"
    ),
    "1,300 unknown directives": Hostile(
        "{ viewer " + "@a " * 1_300 + "{ account } }", TOO, "node_directives"
    ),
    "directives in all": Hostile(
        "{ viewer { " + ("account " + "@include(if: true) " * 6) * 20 + "} }", TOO, "directives"
    ),
    "directives multiplied by fragments": Hostile(
        "{ viewer { "
        + "...F0 " * 30
        + "} } fragment F0 on Viewer { "
        + ("account " + "@include(if: true) ") * 4
        + "}",
        TOO,
        "directives",
    ),
    "100,000 tokens": Hostile("{ viewer { " + "a " * 100_000 + "} }", TOO, "characters"),
    "4,003 tokens": Hostile("{ viewer { " + "account " * 3_998 + "} }", TOO, "tokens"),
    "comments and tokens": Hostile(
        "#\n" * 30_000 + "{ viewer { " + "account " * 4_001 + "} }", TOO, "tokens"
    ),
    "1 MB of commas": Hostile("," * 1_000_000 + HONEST, TOO, "characters"),
    "a name of 900 kB": Hostile("{ " + "a" * 900_000 + " }", TOO, "characters"),
    "790 operations": Hostile(
        " ".join(f"query Q{n} {{ a }}" for n in range(790)), TOO, "operations"
    ),
    "2,000 operations": Hostile(
        " ".join(f"query Q{n} {{ viewer {{ account }} }}" for n in range(2_000)), TOO, "tokens"
    ),
    "500 fragments": Hostile(
        "{ viewer { account } } "
        + " ".join(f"fragment F{n} on Viewer {{ account }}" for n in range(500)),
        TOO,
        "fragments",
    ),
    "type cycle 15 deep": Hostile(cycle(15), TOO, "depth"),
    "type cycle 50 deep": Hostile(cycle(50), TOO, "depth"),
    "5,000 brackets": Hostile("{ a" * 5_000, TOO, "depth"),
    "1,900 brackets": Hostile("{ a" * 1_900, TOO, "depth"),
    "deep value": Hostile(
        "{ cases(filter: " + "{a: " * 900 + "1" + "}" * 900 + ") { totalCount } }", TOO, "depth"
    ),
    "deep list": Hostile(
        "{ cases(filter: " + "[" * 1_500 + "]" * 1_500 + ") { totalCount } }", TOO, "depth"
    ),
    "deep type": Hostile(
        "query($a: " + "[" * 1_500 + "Int" + "]" * 1_500 + ") { viewer { account } }", TOO, "depth"
    ),
    "ring of fragments": Hostile(
        "{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }", INVALID
    ),
    "500 fields of one key": Hostile(
        "{ " + "viewer { posts { role } } " * 490 + "}", TOO, "repeats"
    ),
    "introspection 60 deep": Hostile(nested(30), TOO, "introspection_depth"),
    "wide introspection": Hostile(
        "{ __schema { types " + aliases(210, "fields { name }") + " } }",
        TOO,
        "introspection_fields",
    ),
    "introspection": Hostile(
        "{ __schema { types { name } } }", "FORBIDDEN", "NO_RULE", status=403, plain=403
    ),
    "__type": Hostile(
        '{ __type(name: "Citizen") { fields { name } } }',
        "FORBIDDEN",
        "NO_RULE",
        status=403,
        plain=403,
    ),
    "a nest of pages": Hostile(
        "{ citizens(first: 100) { nodes { cases(first: 100) { nodes {"
        " events(first: 100) { nodes { state } } } } } } }",
        TOO,
        "cost",
    ),
    "no GraphQL": Hostile("\x7f\u2028{", "GRAPHQL_PARSE_FAILED"),
    "a string of 900 kB": Hostile(
        '{ division(code: "' + "x" * 900_000 + '") { name } }', TOO, "characters"
    ),
    "a string of 90 kB": Hostile(
        '{ division(code: "' + "x" * 90_000 + '") { name } }', "BAD_USER_INPUT", "CODE_SCHEME"
    ),
    "one leaf 1,900 times": Hostile("{ viewer { " + "account " * 1_900 + "} }", TOO, "overlaps"),
    "one leaf in 600 inline fragments": Hostile(
        "{ viewer { " + "... on Viewer { account } " * 600 + "} }", TOO, "overlaps"
    ),
    "a nest 100 times": Hostile(
        "{ " + "citizens { nodes { household { members { name } } } } " * 100 + "}", TOO, "overlaps"
    ),
    "99 fragments side by side": Hostile(
        "{ viewer { "
        + " ".join(f"...F{n}" for n in range(99))
        + " } } "
        + " ".join(f"fragment F{n} on Viewer {{ account posts {{ role }} }}" for n in range(99)),
        TOO,
        "overlaps",
    ),
    "1,900 unknown fields": Hostile(
        "{ viewer { " + " ".join(f"f{n}" for n in range(1_900)) + " } }", INVALID
    ),
    "1,200 unknown keys": Hostile(
        "{ cases(filter: {" + " ".join(f"k{n}: 1" for n in range(1_200)) + "}) { totalCount } }",
        TOO,
        "values",
    ),
    "500 unknown keys": Hostile(
        "{ cases(filter: {" + " ".join(f"k{n}: 1" for n in range(500)) + "}) { totalCount } }",
        INVALID,
    ),
    "900 wrong values": Hostile(
        "{ caseStats(by: [" + "NOTHING " * 900 + "]) { count } }", TOO, "values"
    ),
    "1,300 variables": Hostile(
        "query(" + " ".join(f"$v{n}: Int" for n in range(1_300)) + ") { viewer { account } }",
        TOO,
        "tokens",
    ),
    "900 variables": Hostile(
        "query(" + " ".join(f"$v{n}: Int" for n in range(900)) + ") { viewer { account } }",
        INVALID,
    ),
}

BODIES: Mapping[str, bytes] = {
    "300,000 members": b'{"query": "a", "variables": {"x": [' + b"1," * 300_000 + b"1]}}",
    "500,000 brackets": b"[" * 500_000,
    "a number of 900,000 digits": b'{"query": "a", "variables": {"x": ' + b"9" * 900_000 + b"}}",
    "a string never closed": b'{"' + b'\\"' * 500_000,
}
"""Bodies that are no question, of nearly a megabyte."""
