"""The clients of examples/ against a real sandbox: `hub demo --serve`, a process of its own.

One department is left out (``--without``): an answer with a part missing is met, too.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from hub.demo.site import Site

pytestmark = pytest.mark.loopback

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CASES: list[dict[str, Any]] = json.loads((EXAMPLES / "sandbox/cases.json").read_text("utf-8"))
TOWN, WITHOUT = "zhelai-town-01", "yb_settle"
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("HUB_", "SHARING_"))}
KNOWN, NOBODY, WRONG = "539922197704129912", "539922193107079015", "539922197704129911"
STARTED_S = 60


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where it listens, and a token for each account, as it printed them."""

    address: str
    tokens: Mapping[str, str]

    def settings(self, account: str = TOWN, **more: str) -> dict[str, str]:
        """What an example is told."""
        named = {"SHARING_URL": self.address, "SHARING_TOKEN": self.tokens[account]}
        return CLEAN | named | {f"SHARING_{k.upper()}": v for k, v in more.items()}


@pytest.fixture(scope="module")
def sandbox(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A county of its own: what is looked up here counts."""
    folder = tmp_path_factory.mktemp("sandbox") / "demo"
    command = [sys.executable, "-m", "hub", "demo", "--dir", str(folder), "--serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--without", WITHOUT], env=CLEAN, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    killer = threading.Timer(STARTED_S, process.kill)
    killer.start()
    assert process.stdout is not None
    said: list[str] = []
    while not said or "按 Ctrl+C 结束" not in said[-1]:
        line = process.stdout.readline()
        assert line, "".join(said)
        said.append(line)
    killer.cancel()
    text = "".join(said)
    address = re.search(r"http://127\.0\.0\.1:\d+", text)
    assert address is not None
    assert f"未接入 {WITHOUT}" in text
    yield Sandbox(address[0], dict(re.findall(r"账号 (\S+)  用途 .*\n  令牌 (\S+)", text)))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0


# ---- every answer once -------------------------------------------------------------------------


def asked(sandbox: Sandbox, ask: Mapping[str, Any]) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    if ask["as"] is not None:
        headers["Authorization"] = f"Bearer {sandbox.tokens[ask['as']]}"
    if ask["purpose"] is not None:
        headers["X-Purpose"] = ask["purpose"]
    question = {"query": ask.get("query"), "variables": ask.get("variables", {})}
    body = ask.get("body") or json.dumps(question)
    if "bodyBytes" in ask:
        body = " " * ask["bodyBytes"]
    method, url = ask.get("method", "POST"), f"{sandbox.address}/graphql"
    given = headers | ask.get("headers", {})
    return httpx.request(method, url, content=body, headers=given, trust_env=False, timeout=30)


def lacks(whole: Any, part: Any) -> bool:
    """Does `whole` not hold `part`?"""
    if not isinstance(part, dict):
        return bool(whole != part)
    return not isinstance(whole, dict) or any(lacks(whole.get(k, ...), v) for k, v in part.items())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_answer_of_the_sandbox_is_the_one_it_says(
    sandbox: Sandbox, case: dict[str, Any]
) -> None:
    expect, answer = case["expect"], asked(sandbox, case["ask"])
    assert case["ask"].get("without", WITHOUT) == WITHOUT
    told = answer.json()
    error = (told.get("errors") or [{"extensions": {}}])[0]["extensions"]
    assert answer.status_code == expect["status"]
    assert answer.headers["X-Sandbox"] == "true"
    assert (error.get("code"), error.get("reason")) == (expect.get("code"), expect.get("reason"))
    assert not lacks(told.get("data"), expect["data"]) if "data" in expect else True
    if "state" in expect:
        states = {one["field"]: one["state"] for one in told["data"]["citizen"]["access"]}
        assert states == expect["state"]
    if "source" in expect:
        sources = {one["name"]: one["status"] for one in told["extensions"]["sources"]}
        assert not lacks(sources, expect["source"])


def test_a_sandbox_without_a_department_it_has_not_is_one_line(site: Site) -> None:
    command = [sys.executable, "-m", "hub", "demo", "--without", "nobody"]
    ran = subprocess.run(command, env=CLEAN, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (2, "--without 只用于 --serve\n")
    serve = [*command, "--serve", "--port", "0", "--dir", str(site.folder)]
    ran = subprocess.run(serve, env=CLEAN, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2
    assert ran.stderr.startswith("没有数据源 `nobody`：演示中有 jt_xueji、")


# ---- the clients -------------------------------------------------------------------------------

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _java() -> list[str]:
    if shutil.which("java") is None:
        pytest.skip("no java")
    return ["java", "--source", "11", str(EXAMPLES / "java/HubClient.java")]


COMMANDS: Mapping[str, Callable[[], list[str]]] = {
    "python": lambda: [sys.executable, str(EXAMPLES / "python/hub_client.py")],
    "curl": lambda: [str(EXAMPLES / "curl/ask.sh")],
    "java": _java,
}


@pytest.fixture(params=[*COMMANDS])
def client(request: pytest.FixtureRequest) -> Run:
    """``client(id number, settings)``: one of the examples as a process."""
    command = COMMANDS[request.param]()

    def run(number: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=dict(env), input=f"{number}\n", capture_output=True, text=True, timeout=90
        )

    return run


def test_a_client_gets_data_and_says_what_it_may_not_see(client: Run, sandbox: Sandbox) -> None:
    ran = client(KNOWN, sandbox.settings())
    assert (ran.returncode, "陆云山" in ran.stdout) == (0, True), ran.stderr
    assert "者腊村委会" in ran.stdout
    assert KNOWN not in ran.stdout + ran.stderr


def test_a_client_tells_a_wrong_number_by_its_code_and_asks_once(
    client: Run, sandbox: Sandbox
) -> None:
    ran = client(WRONG, sandbox.settings())
    assert ran.returncode == 1
    assert "BAD_USER_INPUT ID_NUMBER" in ran.stderr
    assert WRONG not in ran.stdout + ran.stderr


def test_a_client_tells_a_missing_right_by_its_code(client: Run, sandbox: Sandbox) -> None:
    ran = client(KNOWN, sandbox.settings(purpose="audit"))
    assert ran.returncode == 1
    assert "PURPOSE_REQUIRED UNKNOWN" in ran.stderr


@pytest.fixture
def busy() -> Iterator[tuple[str, list[float]]]:
    """A hub that cannot write its records: the address, and each question's time."""
    asked: list[float] = []
    told = {"code": "AUDIT_UNAVAILABLE", "reason": "WRITE", "retryable": True, "requestId": "0"}
    said = json.dumps({"errors": [{"message": "x", "extensions": told}]}, separators=(",", ":"))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            import time

            asked.append(time.monotonic())
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(503)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("name", "times"), [("python", 4), ("java", 4), ("curl", 1)])
def test_a_client_waits_as_long_as_it_is_told_and_gives_up(
    busy: tuple[str, list[float]], name: str, times: int
) -> None:
    address, asked = busy
    env = CLEAN | {"SHARING_URL": address, "SHARING_TOKEN": "x"}
    ran = subprocess.run(
        COMMANDS[name](), env=env, input=f"{KNOWN}\n", capture_output=True, text=True, timeout=90
    )
    assert ran.returncode == 75
    assert "AUDIT_UNAVAILABLE" in ran.stderr
    assert len(asked) == times
    assert all(after - before >= 1 for before, after in itertools.pairwise(asked))


# ---- the Python client by itself ---------------------------------------------------------------


@pytest.fixture(scope="module")
def hub_client() -> ModuleType:
    file = EXAMPLES / "python/hub_client.py"
    spec = importlib.util.spec_from_file_location("hub_client", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hub_client"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_pages_are_followed_to_the_end(hub_client: ModuleType, sandbox: Sandbox) -> None:
    office = sandbox.tokens["office-01"]
    with hub_client.Hub(sandbox.address, lambda: office, "supervise") as hub:
        numbers = [one["caseNo"] for one in hub.pages(hub_client.CASES, "cases")]
        counted = hub.ask("{ cases(first: 1) { totalCount } }")
    assert len(numbers) == len({*numbers}) == counted.data["cases"]["totalCount"] > 60
    assert counted.sandbox
    assert counted.receipt["idx"] > 0


def test_a_missing_part_comes_with_the_rest(hub_client: ModuleType, sandbox: Sandbox) -> None:
    query = """query($n: String!) { citizen(by: {idNumber: $n}) {
      name medicalInsurance { enrolment { state } } } }"""
    with hub_client.Hub(sandbox.address, lambda: sandbox.tokens[TOWN], "aid.file") as hub:
        answer = hub.ask(query, {"n": KNOWN})
    assert answer.data["citizen"]["name"] == "陆云山"
    (missing,) = answer.missing
    assert missing["extensions"]["code"] == "SOURCE_UNAVAILABLE"


def test_an_expired_token_is_renewed_once(hub_client: ModuleType) -> None:
    asked: list[str] = []
    told = {"code": "UNAUTHENTICATED", "reason": "TOKEN_EXPIRED", "retryable": False}

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Authorization"])
        return httpx.Response(401, json={"errors": [{"message": "x", "extensions": told}]})

    tokens = iter(["old", "new", "never"])
    transport = httpx.MockTransport(answer)
    hub = hub_client.Hub("http://hub", lambda: next(tokens), "aid.file", transport=transport)
    with hub, pytest.raises(hub_client.NotAllowed):
        hub.ask("{ viewer { account } }")
    assert asked == ["Bearer old", "Bearer new"]


def test_a_line_that_breaks_is_tried_again(hub_client: ModuleType) -> None:
    waited: list[float] = []

    def answer(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    transport = httpx.MockTransport(answer)
    hub = hub_client.Hub(
        "http://hub", lambda: "t", "aid.file", wait=waited.append, transport=transport
    )
    with hub, pytest.raises(httpx.ConnectError):
        hub.ask("{ viewer { account } }")
    assert waited == [0.5, 1.0, 2.0]


# ---- TypeScript ---------------------------------------------------------------------------------


def test_the_typescript_example_names_exact_versions_and_nothing_else() -> None:
    folder = EXAMPLES / "typescript"
    told = json.loads((folder / "package.json").read_text("utf-8"))
    versions = {**told["dependencies"], **told["devDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", v) for v in versions.values()), versions
    listed = subprocess.run(
        ["git", "ls-files", "."], cwd=folder, capture_output=True, text=True, check=False
    ).stdout.split()
    assert not [f for f in listed if "lock" in f or "node_modules" in f or f.startswith("src/gql")]
    assert json.loads((folder / "tsconfig.json").read_text("utf-8"))["compilerOptions"]["strict"]


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """``check(sdl, settings)``: the example's own script; packages come from the network."""
    if not os.environ.get("HUB_TEST_NPM") or shutil.which("npm") is None:
        pytest.skip("set HUB_TEST_NPM=1 to install the packages of examples/typescript")
    keep = tmp_path_factory.mktemp("typescript")

    def run(sdl: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(EXAMPLES / "typescript/check"), str(sdl)],
            env={**env, "KEEP": str(keep)},
            input=f"{KNOWN}\n",
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run


def test_the_typescript_client_compiles_and_asks(check: Run, sandbox: Sandbox) -> None:
    ran = check(ROOT / "schema/schema.graphql", sandbox.settings())
    assert ran.returncode == 0, ran.stderr
    assert "compiled: 2 files, 2 trusted documents" in ran.stderr
    first, *states, last = ran.stdout.splitlines()
    assert first == "陆云山 者腊村委会"
    assert states == []
    assert re.fullmatch(r"诉求件 \d+ 件；回执 \d+；沙箱", last)
    refused = check(ROOT / "schema/schema.graphql", sandbox.settings(purpose="audit"))
    assert (refused.returncode, "PURPOSE_REQUIRED UNKNOWN" in refused.stderr) == (1, True)


def test_a_contract_that_lost_a_field_does_not_compile(check: Run, tmp_path: Path) -> None:
    sdl = (ROOT / "schema/schema.graphql").read_text("utf-8")
    less = tmp_path / "less.graphql"
    less.write_text(sdl.replace("  monthlyAmount:", "  other:"), encoding="utf-8")
    ran = check(less, CLEAN)
    assert ran.returncode != 0
    assert "monthlyAmount" in ran.stdout + ran.stderr
    optional = (
        tmp_path / "optional.graphql"
    )  # one that may be null now, where the code relies on it
    optional.write_text(sdl.replace("  caseNo: String!", "  caseNo: String"), encoding="utf-8")
    ran = check(optional, CLEAN)
    assert ran.returncode != 0
    assert "TS2345" in ran.stdout + ran.stderr
