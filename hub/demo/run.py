"""The main job: the county is asked as several posts through the real HTTP endpoint.

`show` asks one query as three posts and verifies the log; `serve` stays up; `once` answers
one query file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import uvicorn

import hub
from audit import verify
from audit.note import Checkpoint
from audit.signer import newest_note
from authz.gate import Gate
from catalog.errors import Readable
from console.page import ROOT as CONSOLE
from hub.app import assemble, create_app, running
from hub.demo.accounts import CLIENT
from hub.demo.department import departments
from hub.demo.documents import LABEL
from hub.demo.site import HTTP_SOURCES, Site
from hub.demo.table import table
from hub.server import config
from hub.settings import Settings
from hub.start import ready
from hub.verdict import said
from hub.worker import Hub
from resolvers import answer as engine
from resolvers.explain import explain
from resolvers.plan import Plan, Shape
from store.accounts import holder_only
from store.engine import single

Echo = Callable[[str], None]
SHOWN_AS = ("zhelai-village-01", "zhelai-town-01", "office-01")
LOOPBACK = "127.0.0.1"
SERVED_S = 12 * 3600  # tokens printed by `serve` live for a working day
ASKED_S = 60  # a token for one question
QUERY = "township_clerk"
UNASKED = "http://department.invalid"  # a Plan is printed, not run: nobody is called


@dataclass(frozen=True, slots=True)
class Question:
    """A query file with its variables."""

    text: str
    variables: Mapping[str, Any]


class Unreadable(Readable):
    """A query file or its variables cannot be used."""


def read_question(file: Path, variables: Path | None = None) -> Question:
    """The query and its variables (``NAME.variables.json`` beside it, if any); Unreadable."""
    beside = variables or file.with_suffix(".variables.json")
    try:
        values = json.loads(_text(beside)) if beside.is_file() else {}
    except json.JSONDecodeError as error:
        where = f"第 {error.lineno} 行第 {error.colno} 列"
        raise Unreadable(f"变量文件 {beside} 不是 JSON（{where}）：请改正") from None
    if not isinstance(values, dict):
        raise Unreadable(f'变量文件 {beside} 不是 JSON 对象：请写 {{"变量名": 值}}')
    return Question(_text(file), values)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Unreadable(f"文件 {file} 无法按 UTF-8 读取：请检查文件与权限") from None


def sample() -> Question:
    """The sample query: examples/ of the checkout, or carried in the wheel."""
    root = Path(hub.__file__).parent
    places = (root.parent / "examples", root / "_examples")
    folder = next(p for p in places if (p / f"{QUERY}.graphql").is_file())
    return read_question(folder / f"{QUERY}.graphql")


@contextlib.contextmanager
def connected(site: Site, without: Collection[str] = ()) -> Iterator[Settings]:
    """The site's settings, with the departments' own HTTP systems running beside it.

    Sources named in `without` have no address, like a department that is not connected yet.
    """
    asked = [name for name in HTTP_SOURCES if name not in without]
    files = {name: site.folder / "sources" / f"{name}.sqlite" for name in asked}
    with departments(files) as addresses:
        settings = site.connected(addresses)
        kept = {n: a for n, a in settings.sources.items() if n not in without}
        yield replace(settings, sources=MappingProxyType(kept))


@contextlib.asynccontextmanager
async def started(site: Site, without: Collection[str] = ()) -> AsyncIterator[Hub]:
    """The hub over the site's folder and its sources; Unready if others wrote into it."""
    with connected(site, without) as settings:
        await asyncio.to_thread(ready, settings)
        async with running(assemble(settings)) as made:
            yield made


async def token(site: Site, account: str, ttl_s: int) -> str:
    """A signed token of a demo account."""
    made = assemble(site.settings())
    try:
        return await _issued(made, site, account, ttl_s)
    finally:
        await made.store.dispose()


async def _issued(made: Hub, site: Site, account: str, ttl_s: int) -> str:
    found = site.account(account)
    assert found is not None  # noqa: S101  the caller looked it up
    async with made.store.connect() as connection:
        holder = await holder_only(connection, account)
    epoch = 0 if holder is None else holder.epoch
    return made.tokens.issue(found.name, found.purposes, ttl_s=ttl_s, epoch=epoch)


async def _headers(
    made: Hub, site: Site, account: str, purpose: str | None, case_no: str | None
) -> dict[str, str]:
    found = site.account(account)
    assert found is not None  # noqa: S101  the caller looked it up
    issued = await _issued(made, site, account, ASKED_S)
    headers = {
        "Authorization": f"Bearer {issued}",
        "X-Purpose": purpose or found.purposes[0],
    }
    return headers | ({"X-Case-No": case_no} if case_no else {})


async def once(
    site: Site, account: str, question: Question, purpose: str | None, case_no: str | None
) -> tuple[str, bool]:
    """The answer to one question as JSON text, and whether it has data."""
    async with started(site) as made:
        transport = httpx.ASGITransport(create_app(made))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            answer = await client.post(
                "/graphql",
                json={"query": question.text, "variables": dict(question.variables)},
                headers=await _headers(made, site, account, purpose, case_no),
            )
    whole = answer.json()
    return json.dumps(whole, ensure_ascii=False, indent=2), whole.get("data") is not None


async def explained(site: Site, account: str, question: Question, purpose: str | None) -> str:
    """The Plan of a question as a reviewer reads it; nothing is run, nothing recorded."""
    made = assemble(site.connected(dict.fromkeys(HTTP_SOURCES, UNASKED)))
    try:
        await made.keeper.load()
        plan, gate = await _planned(made, site, account, question, purpose)
        return explain(plan, gate, made.catalog, made.sources)
    finally:
        for source in made.sources.values():
            await source.close()
        await made.store.dispose()


async def _planned(
    made: Hub, site: Site, account: str, question: Question, purpose: str | None
) -> tuple[Plan, Gate]:
    issued = await _headers(made, site, account, purpose, None)
    headers = {name.lower().encode(): value.encode() for name, value in issued.items()}
    gate = (await made.askers.known(headers)).gate
    asked = engine.Question(question.text, None, question.variables)
    return made.engine.explain(asked, gate), gate


# ---- show --------------------------------------------------------------------------------------


async def show(site: Site, echo: Echo) -> bool:
    """Ask as three posts over HTTP, print what each may see, verify the log. True if intact."""
    echo(f"虚构县已就绪：{site.people} 人，九个部门数据源（全部人员均为虚构）")
    question = sample()
    answers = []
    async with started(site) as made, _listening(made, 0) as address:
        echo(f"同一查询由三个岗位向 {address}/graphql 提出：")
        async with httpx.AsyncClient(base_url=address) as client:
            for name in SHOWN_AS:
                answer = await client.post(
                    "/graphql",
                    json={"query": question.text, "variables": dict(question.variables)},
                    headers=await _headers(made, site, name, None, None),
                )
                answers.append(answer.json())
        plan, _ = await _planned(made, site, SHOWN_AS[0], question, None)
    _print(site, plan.shape, answers, echo)
    verdict = await asyncio.to_thread(verify.run, site.store_url)
    echo(await _signed(site))
    echo(f"审计核验：{said(verdict)}")
    return verdict.exit is verify.Exit.INTACT and all(a.get("data") for a in answers)


async def _signed(site: Site) -> str:
    """How much of the log the newest checkpoint covers, in words."""
    async with single(site.store_url, readonly=True) as connection:
        note = await newest_note(connection)
    if note is None:
        return "检查点：尚无"
    found = Checkpoint.parse(note.text)
    return f"检查点：最新一个覆盖前 {found.size} 条记录，根 {found.root.hex()[:16]}…，已签名"


def _print(site: Site, shape: Shape, answers: Sequence[Mapping[str, Any]], echo: Echo) -> None:
    shown = [a for name in SHOWN_AS for a in site.accounts if a.name == name]
    echo("")
    for line in table(shape, [a.title for a in shown], answers):
        echo(line)
    echo("")
    echo("列表只示首条；〔〕为看不到的原因，— 为没有内容。")
    echo("")
    for account, answer in zip(shown, answers, strict=True):
        receipt = answer["extensions"]["audit"]
        echo(
            f"回执 {account.name}（用途 {account.purposes[0]}）："
            f"第 {receipt['idx']} 条，叶 {receipt['leaf'][:16]}…，日志 {receipt['log']}"
        )
        for error in answer.get("errors", ()):
            echo(f"  {'.'.join(map(str, error.get('path', ())))}：{error['message']}")


# ---- serve -------------------------------------------------------------------------------------


class _Server(uvicorn.Server):
    """A server that leaves the signals to its caller."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Nothing is captured."""
        yield


class PortTaken(Readable):
    """Somebody else listens there."""


def _bound(port: int) -> socket.socket:
    """A loopback socket; PortTaken. (uvicorn's own binding ends the program with a trace.)"""
    # Named as TCP: else asyncio leaves Nagle's algorithm on, which costs 40 ms an answer.
    made = socket.socket(proto=socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((LOOPBACK, port))
    except OSError:
        made.close()
        raise PortTaken(f"端口 {port} 无法监听：请用 hub demo --serve --port 另选一个") from None
    return made


@contextlib.asynccontextmanager
async def _listening(made: Hub, port: int) -> AsyncIterator[str]:
    """The application on a loopback port; gives its address."""
    bound = _bound(port)
    address = f"http://{LOOPBACK}:{bound.getsockname()[1]}"
    server = _Server(config(create_app(made), lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started:
            if task.done():
                break
            await asyncio.sleep(0.01)
        yield address
    finally:
        server.should_exit = True
        await task


async def serve(site: Site, port: int, echo: Echo, without: Collection[str] = ()) -> None:
    """Stay up until a signal; print addresses, accounts with tokens, a curl line."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with started(site, without) as made, _listening(made, port) as address:
        echo(f"数据共享中心（演示，{site.people} 名虚构人员）")
        echo(f"  查询   {address}/graphql")
        echo(f"  接口   {address}/api/rest/{LABEL}  {address}/api/openapi.json")
        echo(f"  接口定义 {address}/schema.graphql（账号 lab）")
        echo(f"  状态   {address}/healthz  {address}/readyz")
        if made.settings.console_enabled:
            echo(f"  控制台 {address}{CONSOLE}（以下面的令牌登录）")
        if without:
            echo(f"  未接入 {' '.join(without)}")
        tokens = {a.name: await _issued(made, site, a.name, SERVED_S) for a in site.accounts}
        for account in site.accounts:
            echo("")
            echo(f"{account.title}  账号 {account.name}  用途 {' '.join(account.purposes)}")
            echo(f"  令牌 {tokens[account.name]}")
        echo("")
        echo("粘贴即可提问：")
        echo(_curl(address, tokens["zhelai-town-01"], site))
        echo("")
        echo(f"{CLIENT.title}  应用 {CLIENT.id}  账号 {CLIENT.principal}  取得令牌：")
        echo(_sign_in(address, site))
        echo("")
        echo("按 Ctrl+C 结束")
        await stop.wait()


def _sign_in(address: str, site: Site) -> str:
    secret = site.secret_file.read_text(encoding="ascii")
    return (
        f"curl -s {address}/oauth/token -u '{CLIENT.id}:{secret}' -d grant_type=client_credentials"
    )


def _curl(address: str, issued: str, site: Site) -> str:
    query = (
        "query($n:String!){viewer{account} citizen(by:{idNumber:$n})"
        "{name phone division{name} civilAffairs{minLiving{provenance{source}}}}}"
    )
    body = json.dumps({"query": query, "variables": {"n": site.shown("zhelai").id18}})
    return (
        f"curl -s {address}/graphql -H 'Content-Type: application/json' "
        f"-H 'X-Purpose: aid.file' -H 'Authorization: Bearer {issued}' -d '{body}'"
    )
