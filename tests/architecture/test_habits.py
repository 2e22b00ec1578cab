"""Habits the linters do not know, each with a planted breach that it must see."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

Check = Callable[[str, ast.AST], Iterator[ast.AST]]
"""(path, tree) -> the nodes that break the habit."""

ENVIRONMENT = {"environ", "environb", "getenv", "putenv"}
RESPONSES = {
    "Response",
    "JSONResponse",
    "PlainTextResponse",
    "HTMLResponse",
    "StreamingResponse",
    "FileResponse",
    "RedirectResponse",
}
STATUS = ("status", "code", "sources", "placed")
"""The last two: source names and words of health.State and of BreakerState."""
MESSAGES = {"http.response.start", "http.response.body", "http.response.pathsend"}
UNSAFE_LIMITS = {
    "QueryDepthLimiter",
    "MaxAliasesLimiter",
    "MaxTokensLimiter",
    "graphql_complexity",
}
UNSAFE_CASBIN = {
    "enable_enforce",
    "get_allowed_object_conditions",
    "regexMatch",
    "regex_match",
    "keyMatch",
    "key_match",
    "AsyncEnforcer",
    "FastEnforcer",
    "SyncedEnforcer",
    "batch_enforce",
    "load_policy",
    "casbin_sqlalchemy_adapter",
    "casbin_async_sqlalchemy_adapter",
}
IMPURE = {
    "asyncio",
    "glob",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "uuid",
}
CLOCKS = {"now", "today", "utcnow"}
ASYNC = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)


def named(node: ast.AST) -> str | None:
    """The last word of a name: ``os.environ`` -> ``environ``."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def imported(node: ast.AST) -> set[str]:
    """The names an import statement brings in, modules with their parents."""
    if isinstance(node, ast.Import):
        return {part for alias in node.names for part in alias.name.split(".")}
    if isinstance(node, ast.ImportFrom):
        return {*(node.module or "").split("."), *(alias.name for alias in node.names)}
    return set()


def modules(node: ast.AST) -> set[str]:
    """The top-level modules an import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    return {(node.module or "").split(".")[0]} if isinstance(node, ast.ImportFrom) else set()


def called(node: ast.AST) -> str | None:
    return named(node.func) if isinstance(node, ast.Call) else None


def reads_environment(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT) or (
            modules(node) == {"os"} and imported(node) & ENVIRONMENT
        ):
            yield node


def imports_casbin(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(tree) if "casbin" in modules(node))


def imports_authlib(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(tree) if "authlib" in modules(node))


def imports_engine(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    data = {"resolvers", "adapters", "schema", "authz"}
    yield from (node for node in ast.walk(tree) if modules(node) & data)


def awaits_read(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Await) and called(node.value) == "read":
            yield node


def makes_sent(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(tree) if called(node) == "Sent")


def makes_response(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        message = isinstance(node, ast.Constant) and node.value in MESSAGES
        if message or called(node) in RESPONSES:
            yield node


def responds_with_more_than_sent(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    """In the endpoint status, headers and body are those release.py made."""
    for node in ast.walk(tree):
        if called(node) in RESPONSES:
            yield node
        for key, value in _items(node):
            if key in ("status", "headers", "body") and ast.unparse(value) != f"sent.{key}":
                yield value


def _items(node: ast.AST) -> Iterator[tuple[object, ast.expr]]:
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            yield (key.value if isinstance(key, ast.Constant) else None), value


def responds_with_data(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    """In app.py a response says how the process is, and the breakers of what is placed."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or called(node) not in RESPONSES:
            continue
        body = node.args[0] if node.args else None
        keys = body.keys if isinstance(body, ast.Dict) else [None]
        if any(not isinstance(k, ast.Constant) or k.value not in STATUS for k in keys):
            yield node


def responds_with_more_than_metrics(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    """Who collects metrics gets the registry's text, everybody else what an absent path tells."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in RESPONSES:
            body = node.args[0] if node.args else None
            if body is None or ast.unparse(body) not in ("text", "'Not Found'"):
                yield node
        text = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "text"
        if text and "generate_latest" not in ast.unparse(node):
            yield node


def holds_number(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    """Any number but nought and one; of a length of time, any number."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            if node.value not in (0, 1):
                yield node
        elif called(node) in {"timedelta", "relativedelta"}:
            yield from (
                part
                for part in ast.walk(node)
                if isinstance(part, ast.Constant) and part.value in (0, 1)
            )


def is_impure(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if (
            modules(node) & IMPURE
            or isinstance(node, ASYNC)
            or called(node) in {*CLOCKS, "open", "read_text", "write_text"}
        ):
            yield node


def prints(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if called(node) == "print" or (isinstance(node, ast.Call) and _writes(node.func)):
            yield node


def _writes(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and ast.unparse(function) in (
        "sys.stdout.write",
        "sys.stderr.write",
    )


def uses(words: set[str]) -> Check:
    def check(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) else None
            if named(node) in words or imported(node) & words or text in words:
                yield node

    return check


def imports_store(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(tree) if "store" in modules(node))


def evaluates(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        plain = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if plain and called(node) in ("eval", "exec", "compile", "__import__"):
            yield node


@dataclass(frozen=True, slots=True)
class Habit:
    """A rule: what breaks it, where it does not hold, and a breach (path, text) to be seen."""

    name: str
    check: Check
    breach: tuple[str, str]
    within: tuple[str, ...] = ("",)
    but: tuple[str, ...] = ()

    def broken(self, sources: dict[str, str]) -> list[str]:
        """``path:line`` of every breach."""
        return [
            f"{path}:{getattr(node, 'lineno', 0)}"
            for path, text in sources.items()
            if path.startswith(self.within) and not (self.but and path.startswith(self.but))
            for node in self.check(path, ast.parse(text))
        ]


ARITHMETIC = (
    *("domain/tally.py", "domain/clock.py", "domain/bulletin.py", "domain/ranking.py"),
    "domain/notice.py",
)
"""Of the office's rules, what reckons: numbers there are no limits."""

HABITS = [
    Habit(
        "the environment is read by the settings alone",
        reads_environment,
        ("hub/app.py", "import os\nx = os.environ['HOME']"),
        but=("hub/settings.py",),
    ),
    Habit(
        "the environment is not taken in by name either",
        reads_environment,
        ("store/engine.py", "from os import getenv"),
        but=("hub/settings.py",),
    ),
    Habit(
        "casbin stays behind its typed wrapper",
        imports_casbin,
        ("authz/gate.py", "from casbin.util import key_match"),
        but=("authz/engine.py",),
    ),
    Habit(
        "Authlib stays behind the one file that is imported when somebody asks for a token",
        imports_authlib,
        ("hub/identity/oauth.py", "from authlib.oauth2.rfc6749 import ClientMixin"),
        but=("hub/identity/oauth_server.py",),
    ),
    Habit(
        "what issues tokens reaches no data",
        imports_engine,
        ("hub/identity/oauth.py", "from resolvers.answer import Engine"),
        within=("hub/identity/oauth",),
    ),
    Habit(
        "sources are read by the executor alone",
        awaits_read,
        ("resolvers/compile.py", "async def f(s):\n    return await s.read(1, 2)"),
        but=("resolvers/execute.py",),
    ),
    Habit(
        "what may leave is made by the one door",
        makes_sent,
        ("hub/edge/endpoint.py", "x = Sent(200, {}, b'')"),
        but=("hub/release.py",),
    ),
    Habit(
        "nobody else answers",
        makes_response,
        ("hub/identity/asking.py", "x = JSONResponse({})"),
        but=(
            "hub/edge/endpoint.py",
            "hub/edge/elsewhere.py",
            "hub/telemetry/exporting.py",
            "hub/app.py",
            "hub/witness/service.py",
        ),
    ),
    Habit(
        "nobody else answers past the framework either",
        makes_response,
        ("hub/identity/asking.py", "x = {'type': 'http.response.body'}"),
        but=(
            "hub/edge/endpoint.py",
            "hub/edge/elsewhere.py",
            "hub/telemetry/exporting.py",
            "hub/app.py",
            "hub/witness/service.py",
        ),
    ),
    Habit(
        "nobody else speaks on a WebSocket",
        uses({"websocket.send"}),
        ("hub/edge/stream.py", "x = {'type': 'websocket.send', 'text': '{}'}"),
        but=("hub/edge/websocket.py",),
    ),
    Habit(
        "the endpoint sends what the door made",
        responds_with_more_than_sent,
        ("hub/edge/endpoint.py", "x = {'type': 'http.response.body', 'body': answer.data}"),
        within=("hub/edge/endpoint.py", "hub/edge/elsewhere.py"),
    ),
    Habit(
        "the endpoint makes no response of its own",
        responds_with_more_than_sent,
        ("hub/edge/endpoint.py", "x = Response(sent.body, 200)"),
        within=("hub/edge/endpoint.py", "hub/edge/elsewhere.py"),
    ),
    Habit(
        "the status pages say nothing else",
        responds_with_data,
        ("hub/app.py", "x = JSONResponse({'status': 'ok', 'rows': rows})"),
        within=("hub/app.py",),
    ),
    Habit(
        "who collects metrics gets nothing else",
        responds_with_more_than_metrics,
        ("hub/telemetry/exporting.py", "x = PlainTextResponse(str(hub.catalog))"),
        within=("hub/telemetry/exporting.py",),
    ),
    Habit(
        "the office's rules know no clock, file, chance or waiting",
        is_impure,
        ("domain/case.py", "from datetime import datetime\nx = datetime.now()"),
        within=("domain/",),
    ),
    Habit(
        "no limit is a literal in the office's rules: limits are rows",
        holds_number,
        ("domain/case.py", "DAYS = 7"),
        within=("domain/",),
        # What may be published is arithmetic of tables and months; its limits are `tally_rule`.
        # A clock knows how long a day is, a bulletin what it rounds to, a notice how long a number
        # is that names somebody; what the office limits is a row for each of them.
        but=ARITHMETIC,
    ),
    Habit(
        "no length of time is a literal in the office's rules, not even one day",
        holds_number,
        ("domain/case.py", "late = timedelta(days=1)"),
        within=("domain/",),
        but=ARITHMETIC,
    ),
    Habit(
        "the office's rules do not wait",
        is_impure,
        ("domain/case.py", "async def f() -> None: ..."),
        within=("domain/",),
    ),
    Habit(
        "people are spoken to by the command line alone",
        prints,
        ("audit/log.py", "print('x')"),
        but=("hub/cli/", "audit/audit_verify.py"),
    ),
    Habit(
        "limits that do not hold are not used",
        uses(UNSAFE_LIMITS),
        ("schema/build.py", "from strawberry.extensions import QueryDepthLimiter"),
    ),
    Habit(
        "no function of casbin that answers wrongly",
        uses(UNSAFE_CASBIN),
        ("authz/engine.py", "def f(e):\n    e.enable_enforce(False)"),
    ),
    Habit(
        "resolvers know no table: what is read goes through a Lens",
        imports_store,
        ("resolvers/execute.py", "from store.register import citizen"),
        within=("resolvers/",),
        but=("resolvers/commands/",),
    ),
    Habit(
        "no text is run as a program",
        evaluates,
        ("authz/book.py", "x = eval('1')"),
    ),
]


@pytest.mark.parametrize("habit", HABITS, ids=lambda h: h.name)
def test_our_code_keeps_the_habit(habit: Habit, sources: dict[str, str]) -> None:
    assert habit.broken(sources) == []
    exceptions = [path for path in habit.but if not path.endswith("/")]
    assert [path for path in exceptions if path not in sources] == []


@pytest.mark.parametrize("habit", HABITS, ids=lambda h: h.name)
def test_a_planted_breach_is_seen(habit: Habit) -> None:
    path, text = habit.breach
    assert len(habit.broken({path: text})) == 1


def test_an_exception_is_still_needed(sources: dict[str, str]) -> None:
    """Each place a habit leaves out does what the habit speaks of."""
    for habit in HABITS:
        for place in habit.but:
            there = {p: t for p, t in sources.items() if p.startswith(place)}
            bare = Habit(habit.name, habit.check, habit.breach)
            assert bare.broken(there) or not there or place == "hub/cli/", (habit.name, place)


def test_the_model_matches_with_our_functions_only(root: Path) -> None:
    model = (root / "authz/model.conf").read_text(encoding="utf-8")
    matcher = next(line for line in model.splitlines() if line.startswith("m ="))
    assert [
        word for word in UNSAFE_CASBIN | {"eval", "globMatch", "ipMatch"} if word in matcher
    ] == []
    assert [word for word in ("held", "one_of", "covers") if f"{word}(" not in matcher] == []
