"""控制台 /console: pages for people, over the road of any question (ADR 0045).

    cookie ──► session ──► token, purpose, case number ──► Passage ──► Plan, record ──► page

A page asks its one stored document through `Passage`, as `printing.py` does: identity, pace,
rights, masks, record and door are those of any client. This file keeps who is signed in, and
turns the answer, whatever it is, into a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from starlette.types import Receive, Scope

from catalog.errors import LATER, HubError, MethodNotAllowed, NotFound
from catalog.workdays import ZONE
from console import rendering
from console.menu import menu
from console.page import ROOT, Address, Page, View, value_at
from console.pages import page_at
from console.pages.home import home_of
from console.rendering import Foot, Reader, Trouble
from hub.edge import browser
from hub.edge.asking_pages import Asked, ask, hub_words, purposes_of
from hub.edge.exporting import FORMATS, Exporting
from hub.edge.face import Face
from hub.edge.passage import Passage
from hub.edge.signing_in import IDLE, VOID, Door
from hub.identity.asking import Headers
from hub.identity.sessions import SECRET_LENGTH, Session, csrf_of, new_secret
from hub.release import File, Sent, Visit
from hub.release import Page as Sheet
from hub.settings import Profile
from hub.worker import Hub

GET, POST = "GET", "POST"
SIGN_IN, SIGN_OUT, PURPOSE = (f"{ROOT}/{name}" for name in ("sign-in", "sign-out", "purpose"))
FOR_EVER = "public, max-age=31536000, immutable"
TOLD = {
    IDLE: "因长时间没有操作，登录已结束：请重新登录",
    VOID: "登录已失效（令牌到期、作废，或账号已停用）：请重新登录",
}
_CASE_NO = re.compile(r"[A-Z0-9][A-Z0-9-]{3,31}\Z")


@dataclass(slots=True)
class Call:
    """One request of a browser: what it brought, and what is known of it so far."""

    scope: Scope
    headers: Headers
    receive: Receive
    visit: Visit
    safe: bool
    cookie: str

    @property
    def path(self) -> str:
        """The path asked for."""
        found: str = self.scope["path"]
        return found

    @property
    def method(self) -> str:
        """GET or POST; anything else is refused."""
        found: str = self.scope["method"]
        return found


class Console(Face):
    """Every page; one per worker."""

    methods = b"GET, POST"

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._door, self._exporting = Door(hub), Exporting(hub)
        self._words = hub_words(hub)
        self._sandbox = hub.settings.profile is Profile.DEMO

    async def handled(self, scope: Scope, headers: Headers, receive: Receive, visit: Visit) -> Sent:
        """The page, the file or the way on; whatever stands in its way is a page, too."""
        safe = browser.is_safe(scope, headers)
        cookie = browser.cookie_of(headers, safe)
        call = Call(scope, headers, receive, visit, safe, cookie)
        try:
            return await self._answered(call)
        except Exception as error:
            said = Passage(self._hub, headers, call.visit).said(error)
            return self._trouble(call, said)

    async def _answered(self, call: Call) -> Sent:
        if call.method not in (GET, POST):
            raise MethodNotAllowed("请用 GET 或 POST", allow="GET, POST", english="use GET or POST")
        if call.path == rendering.style_address():
            style = File(rendering.style(), "text/css; charset=utf-8", FOR_EVER)
            return self._hub.release.file(style, call.visit, None)
        if call.path == SIGN_IN and call.method == POST:
            return await self._sign_in(call)
        session = await self._hub.sessions.found(call.cookie)
        if session is not None and session.idle:
            await self._door.out(session, call.visit, IDLE)
            return self._nobody(call, TOLD[IDLE])
        if session is None:
            return self._nobody(call)
        call.visit = replace(call.visit, session=self._hub.release.token(session.mark))
        if call.method == POST:
            return await self._posted(call, session)
        if call.path == SIGN_IN:
            return self._on(call, ROOT)
        return await self._shown(call, session, browser.words_of(call.scope), None)

    # -- who is signed in

    def _nobody(self, call: Call, told: str = "") -> Sent:
        """The page to sign in on, in place of whatever was asked for."""
        if call.path != SIGN_IN and not told:
            there = self._address_of(call)
            return self._on(
                call, SIGN_IN if there == ROOT else f"{SIGN_IN}?target={_quoted(there)}"
            )
        target = browser.target_of(browser.words_of(call.scope).get("target", ""), ROOT)
        return self._door_page(call, told, target, 200 if call.path == SIGN_IN else 401)

    def _door_page(self, call: Call, told: str, target: str, status: int) -> Sent:
        given = browser.cookie_of(call.headers, call.safe, browser.FORM_OF_NOBODY)
        secret = given if len(given) == SECRET_LENGTH else new_secret()
        body = rendering.signing_in(
            csrf_of(secret),
            self._foot(call, ROOT),
            told=told,
            target=target,
            sandbox=self._sandbox,
        )
        cookie = browser.with_cookie(secret, call.safe, browser.FORM_OF_NOBODY)
        return self._paper(call, body, status, cookie)

    async def _sign_in(self, call: Call) -> Sent:
        form = await self._form(call)
        target = browser.target_of(form.get("target", ""), ROOT)
        try:
            nobody = browser.cookie_of(call.headers, call.safe, browser.FORM_OF_NOBODY)
            browser.demand_own(form, call.headers, nobody)
            session = await self._door.into(form.get("token", ""), call.headers, call.visit)
        except HubError as error:
            told = f"未能登录：{error.message}（{error.code}）"
            return self._door_page(call, told, target, error.status)
        return self._on(call, target, browser.with_cookie(session.secret, call.safe))

    async def _form(self, call: Call) -> Mapping[str, str]:
        deadline_s = self._hub.settings.deadline_s
        return await browser.form_from(call.scope, call.headers, call.receive, deadline_s)

    async def _posted(self, call: Call, session: Session) -> Sent:
        form = await self._form(call)
        browser.demand_own(form, call.headers, session.secret)
        if call.path == SIGN_OUT:
            await self._door.out(session, call.visit)
            return self._on(call, SIGN_IN, browser.with_cookie("", call.safe))
        if call.path == PURPOSE:
            return await self._turned(call, session, form)
        return await self._shown(call, session, {}, form)

    async def _turned(self, call: Call, session: Session, form: Mapping[str, str]) -> Sent:
        """From now on his pages ask for another purpose, or about a case."""
        case_no = form.get("case_no", "").strip().upper()
        known = {code for code, _ in await purposes_of(self._hub, session, call.headers)}
        purpose = form.get("purpose", "")
        if purpose not in known or not (case_no == "" or _CASE_NO.match(case_no)):
            raise NotFound("没有此用途，或诉求编号写法不对")
        await self._hub.sessions.turn(session, purpose, case_no)
        return self._on(call, browser.target_of(form.get("target", ""), ROOT))

    # -- a page

    async def _shown(
        self,
        call: Call,
        session: Session,
        query: Mapping[str, str],
        form: Mapping[str, str] | None,
    ) -> Sent:
        found = page_at(call.path)
        if found is None or (form is not None and not found[0].takes_form):
            raise NotFound("没有这个页面")
        settings = self._hub.settings
        now = datetime.fromtimestamp(self._hub.sessions.now(), ZONE)
        address = Address(call.path, found[1], query, now, settings.page_default, settings.page_max)
        kind = query.get("format")
        if form is None and kind in FORMATS and found[0].datasets:
            return await self._file(call, session, found[0], address, kind)
        asked = await ask(self._hub, call, session, self._choose(found[0]), address, form)
        return await self._said(call, session, asked, address, form)

    @staticmethod
    def _choose(page: Page) -> Callable[[tuple[str, ...]], Page]:
        """The page itself; of the first page, that of the reader's post."""
        return home_of if page.path == "" else lambda _roles: page

    async def _said(
        self,
        call: Call,
        session: Session,
        asked: Asked,
        address: Address,
        form: Mapping[str, str] | None,
    ) -> Sent:
        if asked.status == 401 and asked.errors[0]["extensions"].get("reason") not in LATER:
            await self._door.out(session, asked.visit, VOID)
            return self._door_page(call, TOLD[VOID], address.path, 401)
        page = asked.page
        troubles = [_trouble(one) for one in asked.errors]
        if form is not None and page.after and asked.answer is not None and not troubles:
            done = value_at(asked.answer.data, page.after)
            return self._on(call, address.link(done=str(done)), visit=asked.visit)
        view = View(page.title, [])
        words = self._words.of(asked.extensions)
        if asked.answer is not None and not (form is not None and page.after):
            words = asked.words(words)
            view = page.view(asked.answer, address, words)
        files = bool(view.sheet and page.datasets and form is None)
        foot = self._foot(call, address.link(format=None, done=None), asked)
        if files:
            foot = replace(foot, csv=address.link(format="csv"), xlsx=address.link(format="xlsx"))
        reader = await self._reader(call, session, asked.roles, asked.posts)
        body = rendering.page(
            view,
            reader,
            foot,
            words,
            address,
            troubles=troubles,
            key=new_secret(),
            sandbox=self._sandbox,
        )
        return self._paper(call, body, asked.status, visit=asked.visit, record=asked.receipt)

    async def _file(
        self, call: Call, session: Session, page: Page, address: Address, kind: str
    ) -> Sent:
        made = await self._exporting.made(call, session, page, address, kind, self._words)
        if isinstance(made, Sent):
            return made
        return await self._said(call, session, made, replace(address, query=_plain(address)), None)

    async def _reader(
        self, call: Call, session: Session, roles: tuple[str, ...], posts: Any
    ) -> Reader:
        try:
            purposes = await purposes_of(self._hub, session, call.headers)
        except HubError:
            purposes = [(session.purpose, session.purpose)]
        return Reader(
            session.account,
            posts,
            session.purpose,
            purposes,
            session.case_no,
            session.csrf,
            menu(roles, call.path),
        )

    # -- what leaves

    def _trouble(self, call: Call, error: HubError) -> Sent:
        """A page for what went wrong before anything was asked."""
        trouble = Trouble(
            "未能完成", error.message, error.code, error.reason or "", error.retryable
        )
        body = rendering.page(
            View("未能完成", []),
            None,
            self._foot(call, ROOT),
            self._words,
            Address(call.path, {}, {}, datetime.now(ZONE), 0, 0),
            troubles=[trouble],
            sandbox=self._sandbox,
        )
        return self._paper(call, body, error.status)

    def _foot(self, call: Call, link: str, asked: Asked | None = None) -> Foot:
        made = f"{datetime.fromtimestamp(self._hub.sessions.now(), ZONE):%Y-%m-%d %H:%M}"
        receipt = None if asked is None else asked.receipt
        record = None if receipt is None else receipt.idx
        return Foot(call.visit.request_id, link, made, record)

    def _address_of(self, call: Call) -> str:
        raw: bytes = call.scope.get("query_string", b"")
        there = call.path + (f"?{raw.decode('latin-1')}" if raw else "")
        return browser.target_of(there, ROOT) if call.method == GET else ROOT

    def _paper(
        self,
        call: Call,
        body: bytes,
        status: int,
        *added: tuple[bytes, bytes],
        visit: Visit | None = None,
        record: Any = None,
    ) -> Sent:
        sheet = Sheet(body, rendering.CSP)
        return self._hub.release.page(sheet, visit or call.visit, record, *added, status=status)

    def _on(
        self, call: Call, target: str, *added: tuple[bytes, bytes], visit: Visit | None = None
    ) -> Sent:
        """Go on there (303: by GET)."""
        where = (b"location", target.encode())
        return self._paper(call, b"", 303, where, *added, visit=visit)


def _trouble(error: Mapping[str, Any]) -> Trouble:
    told = error["extensions"]
    return Trouble(
        "未能取得" if told["code"] != "FORBIDDEN" else "无权查看",
        error["message"],
        told["code"],
        told.get("reason") or "",
        bool(told.get("retryable")),
    )


def _plain(address: Address) -> Mapping[str, str]:
    return {name: word for name, word in address.query.items() if name != "format"}


def _quoted(target: str) -> str:
    from urllib.parse import quote

    return quote(target, safe="/")
