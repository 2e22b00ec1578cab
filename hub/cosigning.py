"""The log's side of its witnesses: the newest checkpoint goes out, a cosignature comes back.

    audit_checkpoint ──newest, with proof──► witness (c2sp.org/tlog-witness)
                       200 ── verified ────► audit_cosignature, never changed again
                       409 size ───────────► once more, from the size it told
                       all else ───────────► a WITNESS_STATE record, and later again

A witness is believed nothing but its signature of our own checkpoint. One that claims to have
seen more than we ever signed, or another history, either lies or saw what our store has lost:
the log says so, and nothing of ours is changed by it. Who is right shows by the anchors.

Every process looks every two seconds; what one has had cosigned the others find in the store.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import httpx
import structlog
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from audit.log import AuditLog
from audit.note import BadNote, Note, Signature, VerifierKey, opened, stamp_of
from audit.quorum import SECOND, Level, Quorum, Times, WitnessState, witness_state
from audit.record import MAX_INT, Draft, Kind, Op, Outcome
from audit.suite import suite_in
from audit.tiles import StoreReader, TileMissing, consistency
from audit.witness import Answer, Submission, told_size
from catalog.errors import AuditUnavailable
from hub.settings import Settings
from store.audit import audit_checkpoint

EVERY_S = 2.0  # how soon a new checkpoint is found
RETRY_S = 10.0  # until one that did not cosign is asked again
AGAIN_S = 60.0  # until one that has cosigned the newest is asked whether it is still there
WAIT_S = 5.0  # for an answer, all of it: a witness commits once
SETTLED_S = 60.0  # between two records about one witness, however it flutters
SKEW_S = 300  # a cosignature may lie so far in the future
ANSWER_BYTES = 16 * 1024  # sixteen signature lines

_KEEP = text(
    "INSERT INTO audit_cosignature (size, witness, line, at) "
    "VALUES (:size, :witness, :line, :at) ON CONFLICT DO NOTHING"
)
_log = structlog.get_logger("hub.cosigning")


class Told(StrEnum):
    """What a witness has shown itself to be; the code of its WITNESS_STATE record.

    UP cosigns. DOWN gives no answer, or none of the protocol. WIPED has forgotten what it
    signed, and cosigns. The rest contradict the log: AHEAD claims a size we never signed, FORK
    another history, SIGNATURE and TIME send a cosignature that is not one.
    """

    UP = "UP"
    DOWN = "DOWN"
    WIPED = "WIPED"
    AHEAD = "AHEAD"
    FORK = "FORK"
    SIGNATURE = "SIGNATURE"
    TIME = "TIME"


@dataclass(frozen=True, slots=True)
class Witness:
    """Where it listens (the submission prefix) and the key it signs with."""

    url: str
    key: VerifierKey

    @property
    def name(self) -> str:
        """The key's name."""
        return self.key.name


@dataclass(frozen=True, slots=True)
class Heard:
    """One visit's end; `number` is the size or HTTP status it told, if any."""

    told: Told
    number: int | None = None
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest checkpoint as it was signed."""

    size: int
    note: Note

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.note.text.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, read within its bounds."""

    status: int
    kind: str
    body: bytes


class NoAnswer(Exception):
    """Nothing came, not in time, or more than a witness says."""


@dataclass(slots=True)
class Standing:
    """What this process knows of a witness; times of the loop's clock."""

    told: Told | None = None
    recorded: Told | None = None
    recorded_at: float = float("-inf")
    heard_at: float = float("-inf")
    failed_at: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, in seconds."""

    every_s: float = EVERY_S
    retry_s: float = RETRY_S
    again_s: float = AGAIN_S
    wait_s: float = WAIT_S
    settled_s: float = SETTLED_S


@dataclass(slots=True)
class Cosigning:
    """The follower of one process; idle without witnesses."""

    engine: AsyncEngine
    log: AuditLog
    witnesses: Sequence[Witness]
    quorum: Quorum
    pace: Pace = field(default_factory=Pace)
    _level: Level = Level.OK
    _standing: dict[str, Standing] = field(default_factory=dict)
    _client: httpx.AsyncClient | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def standing(self) -> dict[str, Told | None]:
        """What each witness has shown itself to be, as far as this process knows."""
        return {one.name: self._of(one).told for one in self.witnesses}

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while self.witnesses:
            await self.look()
            await asyncio.sleep(self.pace.every_s)

    async def look(self) -> None:
        """One round; what fails is tried again in the next."""
        async with self._turn:
            try:
                await self._round()
            except Exception as error:  # a follower that died would not be missed for hours
                _log.warning("witnesses were not looked after", exception=type(error).__name__)
            await self._tell_level()

    async def close(self) -> None:
        """Show what was signed last, then hang up."""
        if self.witnesses:
            await self.look()
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _round(self) -> None:
        state, newest = await self._stored()
        self.quorum.learned(state)
        if newest is None:
            return
        sizes = {one.witness: one.size for one in state.witnesses}
        due = [w for w in self.witnesses if self._due(w, newest.size > sizes[w.name])]
        if due:
            visits = [self._visit(w, newest, sizes[w.name]) for w in due]
            ended = await asyncio.gather(*visits, return_exceptions=True)
            self.quorum.learned((await self._stored())[0])
            for error in filter(None, ended):
                raise error

    async def _stored(self) -> tuple[WitnessState, Newest | None]:
        row = audit_checkpoint.c
        newest = select(row.size, row.note).order_by(row.size.desc()).limit(1)
        names = [one.name for one in self.witnesses]
        async with self.engine.connect() as connection:
            state = await witness_state(connection, names, self.quorum.needed)
            found = (await connection.execute(newest)).one_or_none()
        return state, None if found is None else Newest(found.size, Note.parse(found.note))

    def _of(self, witness: Witness) -> Standing:
        return self._standing.setdefault(witness.name, Standing())

    def _due(self, witness: Witness, news: bool) -> bool:
        known, now = self._of(witness), asyncio.get_running_loop().time()
        rested = now >= known.failed_at + self.pace.retry_s
        return rested and (news or now >= known.heard_at + self.pace.again_s)

    async def _visit(self, witness: Witness, newest: Newest, known: int) -> None:
        try:
            heard = await self._heard(witness, newest, known)
        except NoAnswer:
            heard = Heard(Told.DOWN)
        except TileMissing:
            _log.error("a checkpoint cannot be proved", size=newest.size)
            return
        if heard is not None:
            if heard.signature is not None:
                await self._keep(witness, newest, heard.signature)
            await self._note(witness, heard)

    async def _heard(self, witness: Witness, newest: Newest, known: int) -> Heard | None:
        """None: a neighbour of ours was faster, nothing is to be said of the witness."""
        old = min(known, newest.size)
        reply = await self._sent(witness, newest, old)
        size = told_size(reply.kind, reply.body) if reply.status == Answer.CONFLICT else None
        if size is not None and size > newest.size:
            return await self._ahead(size)
        if size is not None:
            old, reply = size, await self._sent(witness, newest, size)
        if reply.status == Answer.CONFLICT:
            return self._conflict(old, newest, reply)
        heard = self._judged(witness, newest, reply)
        wiped = heard.told is Told.UP and size is not None and size < known
        return Heard(Told.WIPED, size, heard.signature) if wiped else heard

    async def _sent(self, witness: Witness, newest: Newest, old: int) -> Reply:
        async with self.engine.connect() as connection:
            suite = suite_in(newest.origin)
            proof = await consistency(StoreReader(connection), old, newest.size, suite=suite)
        submission = Submission(old, tuple(proof), newest.note)
        address = f"{witness.url.rstrip('/')}/add-checkpoint"
        try:
            async with asyncio.timeout(self.pace.wait_s):
                return await self._posted(address, str(submission).encode())
        except (httpx.HTTPError, httpx.InvalidURL, OSError):  # TimeoutError is an OSError
            raise NoAnswer from None

    async def _posted(self, address: str, body: bytes) -> Reply:
        headers = {"content-type": "text/plain; charset=utf-8", "accept-encoding": "identity"}
        client = self._http()
        async with client.stream("POST", address, content=body, headers=headers) as answer:
            kind = answer.headers.get("content-type", "")
            return Reply(answer.status_code, kind, await _bounded(answer))

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            # No proxy of the environment stands between a log and its witness.
            self._client = httpx.AsyncClient(timeout=self.pace.wait_s, trust_env=False)
        return self._client

    async def _ahead(self, size: int) -> Heard | None:
        newest = audit_checkpoint.c.size
        async with self.engine.connect() as connection:
            ours = await connection.scalar(select(newest).order_by(newest.desc()).limit(1))
        return None if size <= (ours or 0) else Heard(Told.AHEAD, size)

    def _conflict(self, old: int, newest: Newest, reply: Reply) -> Heard | None:
        """Still a conflict after the size it told was taken up."""
        size = told_size(reply.kind, reply.body)
        if old == newest.size == size:
            return Heard(Told.FORK, size)  # it has another root for this very size
        return None if size is not None and size > old else Heard(Told.DOWN, reply.status)

    def _judged(self, witness: Witness, newest: Newest, reply: Reply) -> Heard:
        if reply.status == Answer.NOT_PROVED:
            return Heard(Told.FORK)
        if reply.status != Answer.COSIGNED:
            return Heard(Told.DOWN, reply.status)
        try:
            note = Note.parse(f"{newest.note.text}\n{reply.body.decode()}")
            _, (signature,) = opened(note, (witness.key,))
        except (BadNote, UnicodeDecodeError):
            return Heard(Told.SIGNATURE)
        if stamp_of(signature) * SECOND > self.quorum.clock() + SKEW_S * SECOND:
            return Heard(Told.TIME)
        return Heard(Told.UP, signature=signature)

    async def _keep(self, witness: Witness, newest: Newest, signature: Signature) -> None:
        row = {"size": newest.size, "witness": witness.name, "line": signature.line}
        async with self.engine.begin() as connection:
            await connection.execute(_KEEP, row | {"at": stamp_of(signature) * SECOND})

    async def _note(self, witness: Witness, heard: Heard) -> None:
        known, now = self._of(witness), asyncio.get_running_loop().time()
        known.told, known.heard_at = heard.told, now
        known.failed_at = float("-inf") if heard.signature is not None else now
        if heard.told is known.recorded or now < known.recorded_at + self.pace.settled_s:
            return
        _log.warning("witness", witness=witness.name, told=heard.told, number=heard.number)
        numbered = heard.number is not None and heard.number <= MAX_INT
        await self.log.append(
            Draft(
                Kind.WITNESS_STATE,
                Outcome.OK if heard.told is Told.UP else Outcome.FAILED,
                code=heard.told,
                ref=witness.name,
                op=Op(name="witness", vars={"number": heard.number or 0} if numbered else {}),
            )
        )
        known.recorded, known.recorded_at = heard.told, now

    async def _tell_level(self) -> None:
        """A change of the level is a log line and a record, so that alerts can count it."""
        level, state = self.quorum.level(), self.quorum.state
        if level is self._level or state is None:
            return
        age = int(state.age_s(self.quorum.clock()))
        say = _log.error if level in (Level.ALERT, Level.REFUSED) else _log.warning
        say("unwitnessed records", level=level, age_s=age, covered=state.covered)
        with contextlib.suppress(AuditUnavailable):  # then it is told in the next round
            await self.log.append(
                Draft(
                    Kind.WITNESS_STATE,
                    Outcome.OK if level is Level.OK else Outcome.FAILED,
                    code=f"QUORUM_{level}",
                    op=Op(name="quorum", vars={"age": age, "covered": state.covered}),
                )
            )
            self._level = level


async def _bounded(answer: httpx.Response) -> bytes:
    whole = bytearray()
    async for chunk in answer.aiter_raw():  # as it is: nothing is unpacked
        whole += chunk
        if len(whole) > ANSWER_BYTES:
            raise NoAnswer
    return bytes(whole)


def witnesses(settings: Settings) -> tuple[Witness, ...]:
    """Those of the settings; url and key at the same place of their lists belong together."""
    keys = map(VerifierKey.parse, settings.witness_keys)
    return tuple(map(Witness, settings.witness_urls, keys))


def times(settings: Settings) -> Times:
    """The ages of the settings."""
    return Times(settings.witness_warn_s, settings.witness_alert_s, settings.witness_refuse_s)
