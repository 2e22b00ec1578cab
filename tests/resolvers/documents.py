"""Documents made at random over the real schema: valid, bounded, the same for the same seed.

What a document may hold: aliases, fragments (named, inline, nested, used again), fields that
are merged, directives, variables with and without defaults, null for each that may be null,
several operations, pages of odd sizes, cursors and division codes nobody gave out.
"""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from hub.app import DOCUMENT_LIMITS

ABSENT = object()
FIELDS = 12  # of one operation: enough for three levels; a document takes 0.1 s in all
DEEP = 7
LIST = 10  # rows of a list without pages; the county has about a hundred divisions
ROWS = 60  # a list is not asked below so many rows: each step would multiply them
ALIASES = DOCUMENT_LIMITS.aliases // 3  # a merged selection counts its aliases twice
PAGES = (0, 1, 2, 3, 5)
ODD_PAGES = (*PAGES, None, 101, -1)
HOME = "532622205000"
RARE = ("Date", "Month", "Decimal", "Int", "Boolean", "Sequence")
"""Types of few fields: asked oftener, so that each is met."""
CLOSED = ("orders", "household", "members", "department")
"""Relations whose rows travel as JSON with their parent's: asked oftener for the same reason."""
OFFICERS = (
    *("subjectAccess", "actorActivity", "accessSummary", "topSubjects", "auditAlerts"),
    *("auditHealth", "spotSample", "auditProof", "mySubjectAccess", "myActivity"),
)
"""What only the officer reads beside the events: compared with the records themselves."""
CORRECTING = (
    *("correction", "corrections", "correctionReaders"),
    *("sharingRequest", "sharingRequests", "refusedOrUnanswered"),
    *("comparisonRuns", "riskClue", "riskClues"),
)
"""The county has none of these; asked in journeys and attacks of their own."""
OF_ACCOUNTS = ("accountChange", "accountChanges", "trainingRecords", "staffingGaps")
"""Asked in journeys and attacks of their own, and whole by the oracle."""
BESIDE = (*OFFICERS, *CORRECTING, *OF_ACCOUNTS)
APART = ("auditEvents", "caseStats", "sources", "_entities", "_service", *BESIDE)
"""Roots that documents ask for when they are told to, or that have tests of their own."""
FILTERS = {
    "cases": "CaseFilter",
    "supervisionOrders": "SupervisionFilter",
    "complaints": "ComplaintFilter",
    "spotCheckItems": "SpotCheckItemFilter",
    "auditEvents": "AuditFilter",
    "bulletinFigures": "BulletinFigureFilter",
    "rankings": "RankingFilter",
}
"""Roots that take a filter."""
UNFILTERED = ("since", "until", "shown", "idx")
NULLED = 0.5  # of the conditions may be null: a quarter of these are sent as null
REQUIRED = {
    "ID!": "nobody",
    "String!": "none",
    "DivisionCode!": HOME,
}
"""A default for each required type, so that a variable of it may be null."""


@dataclass(frozen=True)
class Facts:
    """Keys that are there, by kind; taken from the store itself."""

    citizens: list[str]
    numbers: list[str]
    households: list[str]
    cases: list[str]
    orders: list[str]
    divisions: list[str]
    digests: list[str] = dataclasses.field(default_factory=list)
    doors: list[str] = dataclasses.field(default_factory=list)
    complaints: list[str] = dataclasses.field(default_factory=list)

    def keys(self) -> dict[tuple[str, str], list[str]]:
        """By type and key field, what a gateway may refer to."""
        return {
            ("Citizen", "id"): self.citizens,
            ("Citizen", "idDigest"): self.digests,
            ("Household", "id"): self.households,
            ("Household", "householdNo"): self.doors,
            ("Division", "code"): self.divisions,
            ("Case", "caseNo"): self.cases,
            ("SupervisionOrder", "orderNo"): self.orders,
        }


@dataclass(frozen=True)
class Made:
    """A document, the operation to run and sets of variables to ask it with.

    The second set has the signature of the first with other values: it is answered by the
    statements that the first one made.
    """

    text: str
    name: str | None
    variables: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Choice:
    """What a document may hold beside the ordinary.

    `facets`: departments' data. `nulls`: null for a variable that has a default where null is
    not allowed. `audit`: the access log. `gateway`: ``_entities``, for whom may ask it.
    """

    facets: bool = True
    nulls: bool = False
    audit: bool = False
    gateway: bool = False


class Maker:
    """Writes one document from a seed."""

    def __init__(
        self, schema: GraphQLSchema, facts: Facts, seed: int, choice: Choice | None = None
    ) -> None:
        self._schema, self._facts, self._rng = schema, facts, random.Random(seed)
        self._choice = choice or Choice()
        self._budget, self._aliases, self._named, self._spread = FIELDS, 0, 0, 0
        self._barred: frozenset[str] = frozenset()
        self._variables: dict[str, tuple[str, list[Any]]] = {}
        self._fragments: dict[str, tuple[str, str]] = {}

    def made(self) -> Made:
        """The document: mostly one operation, sometimes one of two."""
        parts = [self._operation("Made")]
        variables = self._sets()
        several = self._rng.random() < 0.1
        if several:
            self._budget, self._aliases = FIELDS // 2, 0
            self._variables.clear()
            kept = dict(self._fragments)
            self._fragments.clear()
            parts.insert(self._rng.randint(0, 1), self._operation("Other"))
            self._fragments = kept | self._fragments
        parts += [f"fragment {n} on {t} {{ {b} }}" for n, (t, b) in self._fragments.items()]
        named = several or self._rng.random() < 0.2
        return Made("\n".join(parts), "Made" if named else None, variables)

    def _operation(self, name: str) -> str:
        query = self._schema.query_type
        assert query is not None
        roots = [self._root(query) for _ in range(self._rng.choice([1, 1, 1, 2, 3]))]
        body = " ".join(roots)
        used = body + " ".join(b for _, b in self._fragments.values())
        self._variables = {n: v for n, v in self._variables.items() if re.search(rf"\${n}\b", used)}
        heads = ", ".join(f"${n}: {t}" for n, (t, _) in self._variables.items())
        return f"query {name}{f'({heads})' if heads else ''} {{ {body} }}"

    # -- variables

    def _sets(self) -> tuple[Mapping[str, Any], ...]:
        first = {n: self._rng.choice(values) for n, (_, values) in self._variables.items()}
        second = {n: self._rng.choice(self._alike(n, v)) for n, v in first.items()}
        third = {n: self._rng.choice(values) for n, (_, values) in self._variables.items()}
        return tuple(
            {n: v for n, v in one.items() if v is not ABSENT} for one in (first, second, third)
        )

    def _alike(self, name: str, value: Any) -> list[Any]:
        """Values that ask the same statement."""
        if value is None or value is ABSENT or isinstance(value, bool | dict):
            return [value]
        values = self._variables[name][1]
        return [v for v in values if isinstance(v, type(value)) and not isinstance(v, bool)]

    def _var(self, kind: str, values: list[Any], default: str = "") -> str:
        if not kind.endswith("!"):
            values = [*values, ABSENT, None]
        elif self._choice.nulls and not default and kind in REQUIRED and self._rng.random() < 0.1:
            # A default makes the variable nullable, and null then fails where it is used.
            kind, default = kind[:-1], json.dumps(REQUIRED[kind])
            values = [*values, ABSENT, None]
        name = f"v{self._named}_{len(self._variables)}"
        self._variables[name] = (kind + (f" = {default}" if default else ""), values)
        return f"${name}"

    # -- roots and their arguments

    def _root(self, query: GraphQLObjectType) -> str:
        names = ["citizen"] * 12 + ["citizens", "cases"] * 4 + ["supervisionOrders"] * 2
        names += ["household", "case"] * 3
        names += [n for n in query.fields if n not in APART]
        if self._choice.audit:  # who reads the log reads little else
            names = ["auditEvents"] * 3 * len(names) + names
        if self._choice.gateway:
            names += ["_entities"] * 6
        name = self._rng.choice(names)
        args = self._root_args(name)
        if name == "_entities":
            return self._entities()
        self._aliases -= 1  # a root always has its alias: two of them may differ in arguments
        rows = 10 * LIST if name in ("divisions", "datasets") else 1
        return self._written(query, name, args, 1, rows, always_alias=True)

    def _entities(self) -> str:
        """References of several kinds, some to nothing and some to no purpose; fragments on each.

        A union has no field of its own but its type's name, which stands in front or behind.
        """
        rng, known = self._rng, self._facts.keys()
        sent = self._var("[_Any!]!", [self._references(known) for _ in range(3)])
        kinds = rng.sample(sorted({kind for kind, _ in known}), rng.randint(1, 3))
        self._barred = self._unlike(kinds)
        parts = [self._on(self._schema.type_map[kind]) for kind in kinds]
        self._barred = frozenset()
        if rng.random() < 0.5:
            parts.insert(rng.choice([0, len(parts)]), "__typename")
        self._aliases -= 1
        return f"{self._alias('e')}_entities(representations: {sent}) {{ {' '.join(parts)} }}"

    def _unlike(self, kinds: Sequence[str]) -> frozenset[str]:
        """Fields that some of these types have of different types: no document may ask both."""
        told: dict[str, set[str]] = {}
        for kind in kinds:
            made = self._schema.type_map[kind]
            assert isinstance(made, GraphQLObjectType)
            for name, field in made.fields.items():
                told.setdefault(name, set()).add(str(field.type))
        return frozenset(name for name, types in told.items() if len(types) > 1)

    def _on(self, kind: Any) -> str:
        """A fragment on one type, named or inline, asked or not."""
        body = self._selection(kind, 2, 1)
        if self._rng.random() < 0.3:
            self._spread += 1
            self._fragments[f"F{self._spread}"] = (kind.name, body)
            return f"...F{self._spread}"
        return f"... on {kind.name}{self._directive()} {{ {body} }}"

    def _references(self, known: Mapping[tuple[str, str], list[str]]) -> list[dict[str, Any]]:
        rng = self._rng
        found: list[dict[str, Any]] = []
        for _ in range(rng.randint(0, 6)):
            (kind, field), values = rng.choice(list(known.items()))
            key: Any = rng.choice([*rng.choices(values or ["none"], k=4), "nobody"])
            found.append({"__typename": kind, field: key})
        if rng.random() < 0.2:
            odd: list[dict[str, Any]] = [
                {}, {"__typename": "Query"}, {"__typename": "Case"}, {"id": "nobody"},
                {"__typename": "Citizen", "id": 7}, {"__typename": "Household", "id": None},
            ]  # fmt: skip
            found.insert(rng.randint(0, len(found)), rng.choice(odd))
        return found

    def _root_args(self, name: str) -> dict[str, str]:
        facts, rng = self._facts, self._rng
        if name == "citizen":
            kinds = [("id", "ID!", facts.citizens), ("idNumber", "String!", facts.numbers)]
            key, kind, known = rng.choice(kinds)
            return {"by": f"{{{key}: {self._key(kind, [*rng.choices(known, k=4), 'nobody'])}}}"}
        if name == "citizens":
            return self._some({"division": self._place()}) | self._page()
        if name == "household":
            return {"id": self._var("ID!", rng.choices(facts.households, k=4))}
        if name == "division":
            return {"code": self._var("DivisionCode!", self._codes())}
        if name == "divisions":
            return self._some({"level": self._enum("Level"), "parent": self._place()})
        if name in ("department", "dataset"):
            key = {"department": "code", "dataset": "name"}[name]
            values = {"code": ["rev", "mca", "none"], "name": ["citizen", "house", "none"]}[key]
            return {key: self._var("String!", values)}
        if name == "datasets":
            return self._some({"provider": self._var("String", ["rev", "mca"])})
        if name in ("case", "supervisionOrder"):
            key, known = {"case": ("caseNo", facts.cases)}.get(name, ("orderNo", facts.orders))
            return {key: self._var("String!", rng.choices(known or ["none"], k=4))}
        if name == "complaint":
            return {"complaintNo": self._var("String!", [*facts.complaints, "none"])}
        if name == "bulletin":
            return {"month": self._var("String!", ["2026-10", "none"])}
        if name in ("bulletins", "spotChecks"):
            return self._page()
        if name in FILTERS:
            return self._some({"filter": self._filter(name)}) | self._page()
        return {}

    def _key(self, kind: str, values: list[Any]) -> str:
        """A member of a one-of input: no default may stand for it."""
        nulls, self._choice = self._choice, Choice()
        found = self._var(kind, values)
        self._choice = nulls
        return found

    def _some(self, args: dict[str, str]) -> dict[str, str]:
        return {n: v for n, v in args.items() if self._rng.random() < 0.6}

    def _codes(self) -> list[str]:
        codes = self._rng.sample(self._facts.divisions, 3)
        bad = ["999", "999999"] if self._rng.random() < 0.1 else []
        return [*codes, "532622000000", HOME, *bad]

    def _place(self) -> str:
        return self._var("DivisionCode", self._codes(), self._rng.choice(["", "", f'"{HOME}"']))

    def _enum(self, name: str) -> str:
        kind = self._schema.type_map[name]
        assert isinstance(kind, GraphQLEnumType)
        values: list[str] = list(kind.values)
        if self._rng.random() < 0.5:
            return self._rng.choice(values)
        return self._var(name, self._rng.sample(values, min(3, len(values))))

    def _filter(self, root: str) -> str:
        name = FILTERS[root]
        kind = self._schema.type_map[name]
        assert isinstance(kind, GraphQLInputObjectType)
        if root in ("cases", "supervisionOrders") and self._rng.random() < 0.3:
            wholes: list[Any] = [{}, {"division": HOME}, {"state": None}]
            wholes += [{"state": "CLOSED"}, {"division": HOME, "state": None}]
            return self._var(name, wholes)
        known = [n for n in kind.fields if n not in UNFILTERED]
        chosen = [n for n in known if self._rng.random() < 0.3]
        made = {n: self._condition(n, get_named_type(kind.fields[n].type).name) for n in chosen}
        return f"{{{', '.join(f'{n}: {v}' for n, v in made.items())}}}"

    def _condition(self, name: str, kind: str) -> str:
        if name == "division":
            return self._place()
        if kind == "Boolean":
            return self._var(kind, [True, False], self._rng.choice(["", "true"]))
        if kind == "String":
            words = {
                "actor": ["lab", "office-01"],
                "purpose": ["report", "audit"],
                "month": ["2026-08", "2026-09"],
                "quarter": ["2026-Q3", "2026-Q4"],
            }
            return self._var(kind, words.get(name, ["mca", "hou", "rev"]))
        return self._enum(kind)

    def _page(self) -> dict[str, str]:
        size = "last" if self._rng.random() < 0.3 else "first"
        odd = self._rng.random() < 0.1
        pages = ODD_PAGES if odd else PAGES
        value: Any = self._rng.choice(pages)
        default = self._rng.choice(["", "", "4"])
        text = json.dumps(value)
        if self._rng.random() < 0.5:
            text = self._var("Int", list(pages), default)
        found = {size: text}
        if self._rng.random() < 0.05:
            found["after" if size == "first" else "before"] = self._var("String", ["no cursor"])
        return found

    # -- selections

    def _selection(self, kind: GraphQLObjectType, depth: int, rows: int) -> str:
        names = self._choosable(kind, depth, rows)
        chosen = [self._rng.choice(names) for _ in range(self._rng.randint(1, 4))]
        parts = [self._field(kind, n, depth, rows) for n in dict.fromkeys(chosen)]
        if self._rng.random() < 0.2:
            parts.append(f"{self._alias('t')}__typename")
        return " ".join(self._wrapped(kind, p) for p in parts) + self._again(kind)

    def _choosable(self, kind: GraphQLObjectType, depth: int, rows: int) -> list[str]:
        """Names of fields, the likelier the more often they stand here."""
        leaves: list[str] = []
        others: list[str] = []
        for name, field in kind.fields.items():
            if name in self._barred:
                continue
            named = get_named_type(field.type)
            facet = named.name.endswith("Facet")
            if (facet or name in ("access", "water")) and not self._choice.facets:
                continue
            if is_leaf_type(named):
                leaves += [name] * (4 if named.name in RARE else 1)
            elif rows <= ROWS or _one(field.type):
                others += [name] * (3 if facet or name in CLOSED else 2)
        self._budget -= 1
        if depth >= DEEP or self._budget <= 0 or not others:
            return leaves or ["__typename"]
        return leaves + others if leaves else others

    def _field(self, kind: GraphQLObjectType, name: str, depth: int, rows: int) -> str:
        if name == "__typename":
            return name
        field = kind.fields[name]
        paged, free = "first" in field.args, self._aliases < ALIASES
        args = self._page() if paged and free and self._rng.random() < 0.8 else {}
        more = 1 if _one(field.type) else LIST
        return self._written(kind, name, args, depth, rows * more, always_alias=bool(args))

    def _written(
        self,
        kind: GraphQLObjectType,
        name: str,
        args: Mapping[str, str],
        depth: int,
        rows: int,
        *,
        always_alias: bool = False,
    ) -> str:
        named = get_named_type(kind.fields[name].type)
        alias = self._alias(name[0]) if always_alias or self._rng.random() < 0.15 else ""
        given = f"({', '.join(f'{n}: {v}' for n, v in args.items())})" if args else ""
        text = f"{alias}{name}{given}{self._directive()}"
        if isinstance(named, GraphQLObjectType):
            body = self._selection(named, depth + 1, rows)
            text += f" {{ {body} }}"
            if self._rng.random() < 0.1 and not args:  # overlapping selections are merged
                text += f" {alias}{name} {{ {self._selection(named, depth + 1, rows)} }}"
        return text

    def _alias(self, first: str) -> str:
        if self._aliases >= ALIASES:
            return ""
        self._aliases += 1
        self._named += 1
        return f"{first}{self._named}: "

    def _directive(self) -> str:
        if self._rng.random() > 0.08:
            return ""
        kind = self._rng.choice(["Boolean!", "Boolean!", "Boolean! = true"])
        if self._choice.nulls and self._rng.random() < NULLED:
            kind = "Boolean = true"  # may be null, and null then fails each object it is asked of
        flag = self._var(kind.partition(" ")[0], [True, False], kind.partition("= ")[2])
        return f" @{self._rng.choice(['skip', 'include'])}(if: {flag})"

    def _wrapped(self, kind: GraphQLObjectType, part: str) -> str:
        draw = self._rng.random()
        if draw < 0.1:
            return f"... on {kind.name} {{ {part} }}"
        if draw < 0.15:
            return f"...{self._directive()} {{ {part} }}"
        if draw < 0.25:
            self._spread += 1
            name = f"F{self._spread}"
            self._fragments[name] = (kind.name, part)
            return f"...{name}"
        return part

    def _again(self, kind: GraphQLObjectType) -> str:
        """A fragment of this operation used once more."""
        if self._barred:
            return ""  # what it asks may be barred here
        known = [n for n, (on, body) in self._fragments.items() if on == kind.name and _flat(body)]
        return f" ...{self._rng.choice(known)}" if known and self._rng.random() < 0.3 else ""


def _flat(body: str) -> bool:
    """Without selections of its own: used again it does not grow the answer."""
    return "{" not in body


def _one(kind: Any) -> bool:
    """At most one row; the rows of a connection are counted where its nodes are asked."""
    return not is_list_type(kind.of_type if is_non_null_type(kind) else kind)
