"""The SDL in git is the one we build, it is described in Chinese, and it breaks nobody unsaid."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    is_introspection_type,
    is_specified_scalar_type,
)

from resolvers.binding import Bindings
from schema.build import sdl

ROOT = Path(__file__).parents[2]
FILE = "schema/schema.graphql"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def described(schema: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """(coordinate, description) of every element of our own."""
    for name, kind in schema.type_map.items():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        yield name, kind.description or ""
        if isinstance(kind, GraphQLEnumType):
            yield from ((f"{name}.{v}", e.description or "") for v, e in kind.values.items())
        if isinstance(kind, GraphQLInputObjectType):
            yield from ((f"{name}.{f}", i.description or "") for f, i in kind.fields.items())
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field, made in kind.fields.items():
                yield f"{name}.{field}", made.description or ""
                for argument, taken in made.args.items():
                    yield f"{name}.{field}({argument}:)", taken.description or ""


def undescribed(schema: GraphQLSchema) -> list[str]:
    return [where for where, text in described(schema) if not CHINESE.search(text)]


def unsaid(old: str, new: str, said: str) -> list[str]:
    """Changes from `old` to `new` that break a client and whose subject `said` does not name."""
    changes = find_breaking_changes(build_schema(old), build_schema(new))
    subjects = [(re.findall(r"[A-Z]\w*(?:\.\w+)?", c.description), c.description) for c in changes]
    return [text for named, text in subjects if not any(f"`{n}`" in said for n in named)]


def from_git(*names: str) -> str:
    """A git command's output; the test is skipped where there is no checkout."""
    try:
        ran = subprocess.run(["git", *names], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git history: nothing to compare with")
    return ran.stdout.decode("utf-8")


def baseline() -> str:
    """The newest release that this commit grew from; before the first one, the last commit."""
    tags = from_git("tag", "--list", "v*", "--merged", "HEAD", "--sort=-v:refname").split()
    return next(iter(tags), "HEAD")


def test_the_sdl_in_git_is_the_one_we_build(built: Bindings) -> None:
    # `make schema` writes it anew.
    assert (ROOT / FILE).read_text(encoding="utf-8") == sdl(built)


def test_the_sdl_reads_back_as_the_same_schema(built: Bindings) -> None:
    again = build_schema(sdl(built))
    assert dict(described(again)) == dict(described(built.schema))
    assert find_breaking_changes(built.schema, again) == []


def test_every_element_is_described_in_chinese(built: Bindings) -> None:
    assert undescribed(built.schema) == []
    assert len(list(described(built.schema))) > 400


def test_an_undescribed_element_is_seen() -> None:
    planted = build_schema(
        '"""人员""" type Query { """姓名""" name("""种类""" a: Int, b: Kind): String  plain: Int }'
        '"""种类""" enum Kind { """甲""" A B }'
        '"""筛选""" input Filter { """英文 only""" a: Int, "english only" b: Int }'
    )
    assert undescribed(planted) == ["Query.name(b:)", "Query.plain", "Kind.B", "Filter.b"]


def test_nothing_breaks_a_client_without_a_word() -> None:
    # A breaking change is named in CHANGELOG.md by its type or field in backticks.
    log = ROOT / "CHANGELOG.md"
    said = log.read_text(encoding="utf-8") if log.is_file() else ""
    old = from_git("show", f"{baseline()}:{FILE}")
    assert unsaid(old, (ROOT / FILE).read_text(encoding="utf-8"), said) == []


@pytest.mark.parametrize(
    ("old", "new", "subject"),
    [
        ("  phone: String\n", "", "Citizen.phone"),
        ("phone: String", "phone: Int", "Citizen.phone"),
        ("phone: String", "phone(short: Boolean!): String", "Citizen.phone"),
        ("enum Sex { MALE FEMALE }", "enum Sex { MALE }", "Sex.FEMALE"),
        ("input Key { id: ID }", "input Key { id: ID! }", "Key.id"),
    ],
)
def test_a_breaking_change_is_seen_until_it_is_named(old: str, new: str, subject: str) -> None:
    before = (
        "type Query { citizen(by: Key): Citizen }\ntype Citizen {\n  sex: Sex\n  phone: String\n}\n"
        "enum Sex { MALE FEMALE }\ninput Key { id: ID }"
    )
    after = before.replace(old, new)
    assert after != before
    (found,) = unsaid(before, after, "")
    assert subject.partition(".")[0] in found
    assert unsaid(before, after, f"- breaking: `{subject}`") == []


def test_growing_breaks_nobody() -> None:
    before = "type Query { a: Int }"
    assert unsaid(before, "type Query { a: Int! b(c: Int): Int }", "") == []
