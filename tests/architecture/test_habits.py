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
 A clock knows how long a day is and how many months a year has; its limits are rows.return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def imported(node: ast.AST) -> set[str]:
    """The names an import statement brings in, modules with their parents."""
    if isinstance(node, ast.Import):
 A clock knows how long a day is and how many months a year has; its limits are rows.return {part for alias in node.names for part in alias.name.split(".")}
    if isinstance(node, ast.ImportFrom):
 A clock knows how long a day is and how many months a year has; its limits are rows.return {*(node.module or "").split("."), *(alias.name for alias in node.names)}
    return set()


def modules(node: ast.AST) -> set[str]:
    """The top-level modules an import statement names."""
    if isinstance(node, ast.Import):
 A clock knows how long a day is and how many months a year has; its limits are rows.return {alias.name.split(".")[0] for alias in node.names}
    return {(node.module or "").split(".")[0]} if isinstance(node, ast.ImportFrom) else set()


def called(node: ast.AST) -> str | None:
    return named(node.func) if isinstance(node, ast.Call) else None


def reads_environment(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
 A clock knows how long a day is and how many months a year has; its limits are rows.if (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT) or (
 A clock knows how long a day is and how many months a year has; its limits are rows.    modules(node) == {"os"} and imported(node) & ENVIRONMENT
 A clock knows how long a day is and how many months a year has; its limits are rows.):
 A clock knows how long a day is and how many months a year has; its limits are rows.    yield node


def imports_casbin(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(tree) if "casbin" in modules(node))


def imports_authlib(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(tree) if "authlib" in modules(node))


def imports_engine(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    data = {"resolvers", "adapters", "schema", "authz"}
    yield from (node for node in ast.walk(tree) if modules(node) & data)


def awaits_read(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
 A clock knows how long a day is and how many months a year has; its limits are rows.if isinstance(node, ast.Await) and called(node.value) == "read":
 A clock knows how long a day is and how many months a year has; its limits are rows.    yield node


def makes_sent(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(tree) if called(node) == "Sent")


def makes_response(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
 A clock knows how long a day is and how many months a year has; its limits are rows.message = isinstance(node, ast.Constant) and node.value in MESSAGES
 A clock knows how long a day is and how many months a year has; its limits are rows.if message or called(node) in RESPONSES:
 A clock knows how long a day is and how many months a year has; its limits are rows.    yield node


def responds_with_more_than_sent(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    """In the endpoint status, headers and body are those release.py made."""
    for node in ast.walk(tree):
 A clock knows how long a day is and how many months a year has; its limits are rows.if called(node) in RESPONSES:
 A clock knows how long a day is and how many months a year has; its limits are rows.    yield node
 A clock knows how long a day is and how many months a year has; its limits are rows.for key, value in _items(node):
 A clock knows how long a day is and how many months a year has; its limits are rows.    if key in ("status", "headers", "body") and ast.unparse(value) != f"sent.{key}":
 A clock knows how long a day is and how many months a year has; its limits are rows.        yield value


def _items(node: ast.AST) -> Iterator[tuple[object, ast.expr]]:
    if isinstance(node, ast.Dict):
 A clock knows how long a day is and how many months a year has; its limits are rows.for key, value in zip(node.keys, node.values, strict=True):
 A clock knows how long a day is and how many months a year has; its limits are rows.    yield (key.value if isinstance(key, ast.Constant) else None), value


def responds_with_data(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    """In app.py a response says how the process is, and the breakers of what is placed."""
    for node in ast.walk(tree):
 A clock knows how long a day is and how many months a year has; its limits are rows.if not isinstance(node, ast.Call) or called(node) not in RESPONSES:
 A clock knows how long a day is and how many months a year has; its limits are rows.    continue
 A clock knows how long a day is and how many months a year has; its limits are rows.body = node.args[0] if node.args else None
 A clock knows how long a day is and how many months a year has; its limits are rows.keys = body.keys if isinstance(body, ast.Dict) else [None]
 A clock knows how long a day is and how many months a year has; its limits are rows.if any(not isinstance(k, ast.Constant) or k.value not in STATUS for k in keys):
 A clock knows how long a day is and how many months a year has; its limits are rows.    yield node


def responds_with_more_than_metrics(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    """Who collects metrics gets the registry's text, everybody else what an absent path tells."""
    for node in ast.walk(tree):
 A clock knows how long a day is and how many months a year has; its limits are rows.if isinstance(node, ast.Call) and called(node) in RESPONSES:
 A clock knows how long a day is and how many months a year has; its limits are rows.    body = node.args[0] if node.args else None
 A clock knows how long a day is and how many months a year has; its limits are rows.    if body is None or ast.unparse(body) not in ("text", "'Not Found'"):
 A clock knows how long a day is and how many months a year has; its limits are rows.        yield node
 A clock knows how long a day is and how many months a year has; its limits are rows.text = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "text"
 A clock knows how long a day is and how many months a year has; its limits are rows.if text and "generate_latest" not in ast.unparse(node):
 A clock knows how long a day is and how many months a year has; its limits are rows.    yield node


def holds_number(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    """Any number but nought and one; of a length of time, any number."""
    for node in ast.walk(tree):
 A clock knows how long a day is and how many months a year has; its limits are rows.if isinstance(node, ast.Constant) and type(node.value) in (int, float):
 A clock knows how long a day is and how many months a year has; its limits are rows.    if node.value not in (0, 1):
 A clock knows how long a day is and how many months a year has; its limits are rows.        yield node
 A clock knows how long a day is and how many months a year has; its limits are rows.elif called(node) in {"timedelta", "relativedelta"}:
 A clock knows how long a day is and how many months a year has; its limits are rows.    yield from (
 A clock knows how long a day is and how many months a year has; its limits are rows.        part
 A clock knows how long a day is and how many months a year has; its limits are rows.        for part in ast.walk(node)
 A clock knows how long a day is and how many months a year has; its limits are rows.        if isinstance(part, ast.Constant) and part.value in (0, 1)
 A clock knows how long a day is and how many months a year has; its limits are rows.    )


def is_impure(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
 A clock knows how long a day is and how many months a year has; its limits are rows.if (
 A clock knows how long a day is and how many months a year has; its limits are rows.    modules(node) & IMPURE
 A clock knows how long a day is and how many months a year has; its limits are rows.    or isinstance(node, ASYNC)
 A clock knows how long a day is and how many months a year has; its limits are rows.    or called(node) in {*CLOCKS, "open", "read_text", "write_text"}
 A clock knows how long a day is and how many months a year has; its limits are rows.):
 A clock knows how long a day is and how many months a year has; its limits are rows.    yield node


def prints(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
 A clock knows how long a day is and how many months a year has; its limits are rows.if called(node) == "print" or (isinstance(node, ast.Call) and _writes(node.func)):
 A clock knows how long a day is and how many months a year has; its limits are rows.    yield node


def _writes(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and ast.unparse(function) in (
 A clock knows how long a day is and how many months a year has; its limits are rows."sys.stdout.write",
 A clock knows how long a day is and how many months a year has; its limits are rows."sys.stderr.write",
    )


def uses(words: set[str]) -> Check:
    def check(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
 A clock knows how long a day is and how many months a year has; its limits are rows.for node in ast.walk(tree):
 A clock knows how long a day is and how many months a year has; its limits are rows.    text = node.value if isinstance(node, ast.Constant) else None
 A clock knows how long a day is and how many months a year has; its limits are rows.    if named(node) in words or imported(node) & words or text in words:
 A clock knows how long a day is and how many months a year has; its limits are rows.        yield node

    return check


def imports_store(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(tree) if "store" in modules(node))


def evaluates(_path: str, tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
 A clock knows how long a day is and how many months a year has; its limits are rows.plain = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
 A clock knows how long a day is and how many months a year has; its limits are rows.if plain and called(node) in ("eval", "exec", "compile", "__import__"):
 A clock knows how long a day is and how many months a year has; its limits are rows.    yield node


@dataclass(frozen=True, slots=True)
class Habit:
    """A rule: what breaks it, where it does not hold, and a breach (path, text) to be seen."""

    name: str
    check: Check
    breach: tuple[str, str]
    within: tuple[str, ...] = ("",)
    but: tuple[str, ...] = ()

    def broken(self, sources: dict[str, str]) -> list[str]:
 A clock knows how long a day is and how many months a year has; its limits are rows."""``path:line`` of every breach."""
 A clock knows how long a day is and how many months a year has; its limits are rows.return [
 A clock knows how long a day is and how many months a year has; its limits are rows.    f"{path}:{getattr(node, 'lineno', 0)}"
 A clock knows how long a day is and how many months a year has; its limits are rows.    for path, text in sources.items()
 A clock knows how long a day is and how many months a year has; its limits are rows.    if path.startswith(self.within) and not (self.but and path.startswith(self.but))
 A clock knows how long a day is and how many months a year has; its limits are rows.    for node in self.check(path, ast.parse(text))
 A clock knows how long a day is and how many months a year has; its limits are rows.]


HABITS = [
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."the environment is read by the settings alone",
 A clock knows how long a day is and how many months a year has; its limits are rows.reads_environment,
 A clock knows how long a day is and how many months a year has; its limits are rows.("hub/app.py", "import os\nx = os.environ['HOME']"),
 A clock knows how long a day is and how many months a year has; its limits are rows.but=("hub/settings.py",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."the environment is not taken in by name either",
 A clock knows how long a day is and how many months a year has; its limits are rows.reads_environment,
 A clock knows how long a day is and how many months a year has; its limits are rows.("store/engine.py", "from os import getenv"),
 A clock knows how long a day is and how many months a year has; its limits are rows.but=("hub/settings.py",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."casbin stays behind its typed wrapper",
 A clock knows how long a day is and how many months a year has; its limits are rows.imports_casbin,
 A clock knows how long a day is and how many months a year has; its limits are rows.("authz/gate.py", "from casbin.util import key_match"),
 A clock knows how long a day is and how many months a year has; its limits are rows.but=("authz/engine.py",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."Authlib stays behind the one file that is imported when somebody asks for a token",
 A clock knows how long a day is and how many months a year has; its limits are rows.imports_authlib,
 A clock knows how long a day is and how many months a year has; its limits are rows.("hub/identity/oauth.py", "from authlib.oauth2.rfc6749 import ClientMixin"),
 A clock knows how long a day is and how many months a year has; its limits are rows.but=("hub/identity/oauth_server.py",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."what issues tokens reaches no data",
 A clock knows how long a day is and how many months a year has; its limits are rows.imports_engine,
 A clock knows how long a day is and how many months a year has; its limits are rows.("hub/identity/oauth.py", "from resolvers.answer import Engine"),
 A clock knows how long a day is and how many months a year has; its limits are rows.within=("hub/identity/oauth",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."sources are read by the executor alone",
 A clock knows how long a day is and how many months a year has; its limits are rows.awaits_read,
 A clock knows how long a day is and how many months a year has; its limits are rows.("resolvers/compile.py", "async def f(s):\n    return await s.read(1, 2)"),
 A clock knows how long a day is and how many months a year has; its limits are rows.but=("resolvers/execute.py",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."what may leave is made by the one door",
 A clock knows how long a day is and how many months a year has; its limits are rows.makes_sent,
 A clock knows how long a day is and how many months a year has; its limits are rows.("hub/edge/endpoint.py", "x = Sent(200, {}, b'')"),
 A clock knows how long a day is and how many months a year has; its limits are rows.but=("hub/release.py",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."nobody else answers",
 A clock knows how long a day is and how many months a year has; its limits are rows.makes_response,
 A clock knows how long a day is and how many months a year has; its limits are rows.("hub/identity/asking.py", "x = JSONResponse({})"),
 A clock knows how long a day is and how many months a year has; its limits are rows.but=(
 A clock knows how long a day is and how many months a year has; its limits are rows.    "hub/edge/endpoint.py",
 A clock knows how long a day is and how many months a year has; its limits are rows.    "hub/edge/elsewhere.py",
 A clock knows how long a day is and how many months a year has; its limits are rows.    "hub/telemetry/exporting.py",
 A clock knows how long a day is and how many months a year has; its limits are rows.    "hub/app.py",
 A clock knows how long a day is and how many months a year has; its limits are rows.    "hub/witness/service.py",
 A clock knows how long a day is and how many months a year has; its limits are rows.),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."nobody else answers past the framework either",
 A clock knows how long a day is and how many months a year has; its limits are rows.makes_response,
 A clock knows how long a day is and how many months a year has; its limits are rows.("hub/identity/asking.py", "x = {'type': 'http.response.body'}"),
 A clock knows how long a day is and how many months a year has; its limits are rows.but=(
 A clock knows how long a day is and how many months a year has; its limits are rows.    "hub/edge/endpoint.py",
 A clock knows how long a day is and how many months a year has; its limits are rows.    "hub/edge/elsewhere.py",
 A clock knows how long a day is and how many months a year has; its limits are rows.    "hub/telemetry/exporting.py",
 A clock knows how long a day is and how many months a year has; its limits are rows.    "hub/app.py",
 A clock knows how long a day is and how many months a year has; its limits are rows.    "hub/witness/service.py",
 A clock knows how long a day is and how many months a year has; its limits are rows.),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."nobody else speaks on a WebSocket",
 A clock knows how long a day is and how many months a year has; its limits are rows.uses({"websocket.send"}),
 A clock knows how long a day is and how many months a year has; its limits are rows.("hub/edge/stream.py", "x = {'type': 'websocket.send', 'text': '{}'}"),
 A clock knows how long a day is and how many months a year has; its limits are rows.but=("hub/edge/websocket.py",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."the endpoint sends what the door made",
 A clock knows how long a day is and how many months a year has; its limits are rows.responds_with_more_than_sent,
 A clock knows how long a day is and how many months a year has; its limits are rows.("hub/edge/endpoint.py", "x = {'type': 'http.response.body', 'body': answer.data}"),
 A clock knows how long a day is and how many months a year has; its limits are rows.within=("hub/edge/endpoint.py", "hub/edge/elsewhere.py"),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."the endpoint makes no response of its own",
 A clock knows how long a day is and how many months a year has; its limits are rows.responds_with_more_than_sent,
 A clock knows how long a day is and how many months a year has; its limits are rows.("hub/edge/endpoint.py", "x = Response(sent.body, 200)"),
 A clock knows how long a day is and how many months a year has; its limits are rows.within=("hub/edge/endpoint.py", "hub/edge/elsewhere.py"),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."the status pages say nothing else",
 A clock knows how long a day is and how many months a year has; its limits are rows.responds_with_data,
 A clock knows how long a day is and how many months a year has; its limits are rows.("hub/app.py", "x = JSONResponse({'status': 'ok', 'rows': rows})"),
 A clock knows how long a day is and how many months a year has; its limits are rows.within=("hub/app.py",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."who collects metrics gets nothing else",
 A clock knows how long a day is and how many months a year has; its limits are rows.responds_with_more_than_metrics,
 A clock knows how long a day is and how many months a year has; its limits are rows.("hub/telemetry/exporting.py", "x = PlainTextResponse(str(hub.catalog))"),
 A clock knows how long a day is and how many months a year has; its limits are rows.within=("hub/telemetry/exporting.py",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."the office's rules know no clock, file, chance or waiting",
 A clock knows how long a day is and how many months a year has; its limits are rows.is_impure,
 A clock knows how long a day is and how many months a year has; its limits are rows.("domain/case.py", "from datetime import datetime\nx = datetime.now()"),
 A clock knows how long a day is and how many months a year has; its limits are rows.within=("domain/",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."no limit is a literal in the office's rules: limits are rows",
 A clock knows how long a day is and how many months a year has; its limits are rows.holds_number,
 A clock knows how long a day is and how many months a year has; its limits are rows.("domain/case.py", "DAYS = 7"),
 A clock knows how long a day is and how many months a year has; its limits are rows.within=("domain/",),
 A clock knows how long a day is and how many months a year has; its limits are rows.# What may be published is arithmetic of tables and months; its limits are `tally_rule`.
 A clock knows how long a day is and how many months a year has; its limits are rows.# A clock knows how long a day is and how many months a year has; its limits are rows.
 A clock knows how long a day is and how many months a year has; its limits are rows.but=("domain/tally.py", "domain/clock.py", "domain/bulletin.py"),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."no length of time is a literal in the office's rules, not even one day",
 A clock knows how long a day is and how many months a year has; its limits are rows.holds_number,
 A clock knows how long a day is and how many months a year has; its limits are rows.("domain/case.py", "late = timedelta(days=1)"),
 A clock knows how long a day is and how many months a year has; its limits are rows.within=("domain/",),
 A clock knows how long a day is and how many months a year has; its limits are rows.but=("domain/tally.py", "domain/clock.py", "domain/bulletin.py"),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."the office's rules do not wait",
 A clock knows how long a day is and how many months a year has; its limits are rows.is_impure,
 A clock knows how long a day is and how many months a year has; its limits are rows.("domain/case.py", "async def f() -> None: ..."),
 A clock knows how long a day is and how many months a year has; its limits are rows.within=("domain/",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."people are spoken to by the command line alone",
 A clock knows how long a day is and how many months a year has; its limits are rows.prints,
 A clock knows how long a day is and how many months a year has; its limits are rows.("audit/log.py", "print('x')"),
 A clock knows how long a day is and how many months a year has; its limits are rows.but=("hub/cli/", "audit/audit_verify.py"),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."limits that do not hold are not used",
 A clock knows how long a day is and how many months a year has; its limits are rows.uses(UNSAFE_LIMITS),
 A clock knows how long a day is and how many months a year has; its limits are rows.("schema/build.py", "from strawberry.extensions import QueryDepthLimiter"),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."no function of casbin that answers wrongly",
 A clock knows how long a day is and how many months a year has; its limits are rows.uses(UNSAFE_CASBIN),
 A clock knows how long a day is and how many months a year has; its limits are rows.("authz/engine.py", "def f(e):\n    e.enable_enforce(False)"),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."resolvers know no table: what is read goes through a Lens",
 A clock knows how long a day is and how many months a year has; its limits are rows.imports_store,
 A clock knows how long a day is and how many months a year has; its limits are rows.("resolvers/execute.py", "from store.register import citizen"),
 A clock knows how long a day is and how many months a year has; its limits are rows.within=("resolvers/",),
 A clock knows how long a day is and how many months a year has; its limits are rows.but=("resolvers/commands/",),
    ),
    Habit(
 A clock knows how long a day is and how many months a year has; its limits are rows."no text is run as a program",
 A clock knows how long a day is and how many months a year has; its limits are rows.evaluates,
 A clock knows how long a day is and how many months a year has; its limits are rows.("authz/book.py", "x = eval('1')"),
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
 A clock knows how long a day is and how many months a year has; its limits are rows.for place in habit.but:
 A clock knows how long a day is and how many months a year has; its limits are rows.    there = {p: t for p, t in sources.items() if p.startswith(place)}
 A clock knows how long a day is and how many months a year has; its limits are rows.    bare = Habit(habit.name, habit.check, habit.breach)
 A clock knows how long a day is and how many months a year has; its limits are rows.    assert bare.broken(there) or not there or place == "hub/cli/", (habit.name, place)


def test_the_model_matches_with_our_functions_only(root: Path) -> None:
    model = (root / "authz/model.conf").read_text(encoding="utf-8")
    matcher = next(line for line in model.splitlines() if line.startswith("m ="))
    assert [
 A clock knows how long a day is and how many months a year has; its limits are rows.word for word in UNSAFE_CASBIN | {"eval", "globMatch", "ipMatch"} if word in matcher
    ] == []
    assert [word for word in ("held", "one_of", "covers") if f"{word}(" not in matcher] == []
