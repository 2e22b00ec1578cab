"""A run: read, judged, kept with its clues and its record in one transaction.

    due? ──► everybody, page by page ──► hits ──► their earlier clues ──► run, clues, record

Nothing but the hub's own rows is written. The month's own run is there once: of two workers that
read at the same time one keeps, and the other finds it kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from audit.log import AuditLog
from audit.record import Draft, Kind, Op
from authz.keeper import BookKeeper
from catalog.comparison import Outcome, Rule, plain
from catalog.divisions import COUNTY
from catalog.load import Catalog
from catalog.placing import OWN
from catalog.workdays import ZONE
from domain.clock import due
from domain.comparison import (
    FIRST,
    MOVES,
    ClueAct,
    ClueState,
    ComparisonState,
    Fate,
    Hit,
    Judged,
    Known,
    due_rules,
    fate,
    state_of,
)
from domain.comparison import digest as digest_of
from hub.comparing.kinds import checked
from hub.comparing.reading import ACTOR, DEPT, PURPOSE, ROLE, NotRead, Reading
from hub.release import Release
from resolvers.answer import Engine
from resolvers.commands.command import new_id
from resolvers.document import Documents
from store.comparisons import Earlier, add_run, earlier, lapse, people_of, scheduled
from store.deeds import Deeds, next_number, next_numbers
from store.register import Person

RUN, CLUE = "comparison", "clue"
KEPT = ("citizen", "case", "comparison_run", "risk_clue")
"""Data sets whose rows a run refers to or writes, in one transaction."""
RUN_NO, CLUE_NO = "BD{}-{:06d}", "XS{}-{:06d}"  # 批次编号, 线索编号: year and number within it


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that is kept."""

    run_no: str
    rule: str
    state: str
    people: int
    unjudged: int
    hits: int | None
    added: int
    standing: int
    suppressed: int
    digest: str


class Comparing:
    """Runs rules; one per worker, without a state of its own. `clock` gives UTC.

    `documents` reads ours, so that the engine counts only what is asked. CatalogError for a rule
    that nobody can run.
    """

    def __init__(
        self,
        engine: Engine,
        release: Release,
        keeper: BookKeeper,
        deeds: Deeds,
        catalog: Catalog,
        log: AuditLog,
        documents: Documents,
        *,
        page: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine, self._release, self._keeper = engine, release, keeper
        self._deeds, self._catalog, self._log = deeds, catalog, log
        self._page, self._clock = page, clock
        kept = (catalog.datasets[name] for name in KEPT)
        self._placed = next((one for one in kept if one.source != OWN), None)
        self._kinds = checked(catalog)
        for kind in self._kinds.values():
            documents.get(kind.text)

    async def due(self) -> int:
        """Do the month's runs that are due and not there yet; how many were kept."""
        now = self._clock().astimezone(ZONE)
        day, period = now.date(), f"{now:%Y-%m}"
        schedule = self._catalog.comparisons.schedule(day)
        if schedule is None:
            return 0
        rules = due_rules(schedule, self._catalog.comparisons.on(day), (), day, now.hour)
        if not rules:
            return 0
        done = await self._done(period)
        ran = [await self.run(one, day, period) for one in rules if one.code not in done]
        return sum(one is not None for one in ran)

    async def _done(self, period: str) -> set[str]:
        async with self._deeds.deed() as connection:
            return await scheduled(connection, period)

    async def run(self, rule: Rule, day: date, period: str | None = None) -> Ran | None:
        """One rule as of a Beijing day; None if the month's run is there already.

        NotRead if it could not be asked, AuditUnavailable if it cannot be recorded, StoreBusy or
        StoreDown: then nothing is kept.
        """
        if self._placed is not None:
            raise NotRead(f"“{self._placed.title}”存放在另一个数据库，不能在此比对：请在存放处运行")
        started = self._clock()
        reading = Reading(
            self._engine,
            self._release,
            self._keeper,
            self._catalog,
            self._kinds[rule.code].text,
            self._page,
            started.astimezone(ZONE).date(),
        )
        kind = self._kinds[rule.code]
        rows = [kind.read(person, day) async for person in reading.all()]
        judged = await asyncio.to_thread(kind.judge, rows, rule, day)  # seconds, for a whole county
        try:
            return await self._kept(rule, day, period, started, reading, judged)
        except IntegrityError:
            if period is None or rule.code not in await self._done(period):
                raise
            return None  # another worker's stands

    async def _kept(
        self,
        rule: Rule,
        day: date,
        period: str | None,
        started: datetime,
        reading: Reading,
        judged: Judged,
    ) -> Ran:
        now = self._clock()
        given = sorted(reading.given.items())
        snapshots = [one.snapshot(name) for name, one in given]
        wanting = [name for name, one in given if one.down or one.stale]
        citizens = [hit.citizen for hit in judged.hits]
        year = now.astimezone(ZONE).year
        async with self._deeds.deed() as connection:
            run_no = RUN_NO.format(year, await next_number(connection, RUN, year))
            people = await people_of(connection, citizens)
            known = await earlier(connection, rule.code, citizens)
            # Who has left the register since he was read is nobody's clue.
            fates = [
                (hit, fate(hit, _known(known.get(hit.citizen, ())), rule, day))
                for hit in judged.hits
                if hit.citizen in people
            ]
            new = [hit for hit, what in fates if what is Fate.NEW]
            ran = Ran(
                run_no=run_no,
                rule=rule.code,
                state=state_of(judged.unjudged, wanting),
                people=reading.people,
                unjudged=judged.unjudged,
                # What somebody could not be judged for is not "no hits".
                hits=len(fates) if fates or not judged.unjudged else None,
                added=len(new),
                standing=sum(what is Fate.STANDING for _, what in fates),
                suppressed=sum(what is Fate.SUPPRESSED for _, what in fates),
                digest=digest_of(rule, day, snapshots, judged.hits),
            )
            run_id = new_id()
            row = {name: getattr(ran, name) for name in Ran.__dataclass_fields__} | {
                "id": run_id,
                "rule_version": rule.version,
                "period": period,
                "as_of": day,
                "started_at": started,
                "finished_at": now,
                "parameters": plain(rule, day),
                "snapshots": json.dumps([one.told(name) for name, one in given]),
                "region_path": COUNTY,
            }
            numbers = await next_numbers(connection, CLUE, year, len(new)) if new else range(0)
            clues = [
                self._clue(rule, run_id, now, hit, people[hit.citizen], CLUE_NO.format(year, no))
                for hit, no in zip(new, numbers, strict=True)
            ]
            await self._lapse(connection, ran, new)
            await add_run(connection, row, clues)
            # INVARIANT: the last statement. It holds the log's head until the commit.
            await self._log.append_in(connection, self._record(ran, day))
        return ran

    async def _lapse(self, connection: Any, ran: Ran, new: Sequence[Hit]) -> None:
        """Earlier watch lists give way: to a whole list, or to what a partial one knows better."""
        whole = ran.state == ComparisonState.COMPLETE
        before, after = ClueState.WATCH, MOVES[ClueState.WATCH, ClueAct.LAPSE]
        about = None if whole else [hit.citizen for hit in new]
        await lapse(connection, ran.rule, before, after, about)

    def _clue(
        self, rule: Rule, run_id: str, now: datetime, hit: Hit, who: Person, number: str
    ) -> dict[str, Any]:
        lifted = hit.outcome is Outcome.LIFT
        until = due(now, rule.limit, self._catalog.calendar) if lifted else None
        return {
            "id": new_id(),
            "clue_no": number,
            "run_id": run_id,
            "rule": rule.code,
            "version": 1,
            "state": FIRST[hit.outcome],
            "tier": hit.tier,
            "item": rule.item,
            "found_at": now,
            "due_at": None if until is None else until.at,
            "due_confirmed": until is None or until.confirmed,
            "detail": hit.says,
            "applicant_id": who.id,
            "applicant_uid": who.citizen_uid,
            "household_id": who.household_id,
            "region_path": who.region_path,
            "handling_dept": rule.owner,
        }

    def _record(self, ran: Ran, day: date) -> Draft:
        about: Mapping[str, str | int | bool] = {
            "rule": ran.rule,
            "as_of": day.isoformat(),
            "state": str(ran.state),
            "added": ran.added,
            "suppressed": ran.suppressed,
        }
        return Draft(
            Kind.MUTATION,
            actor=ACTOR,
            org=DEPT,
            role=ROLE,
            post_area=COUNTY,
            op=Op(name="comparison.run", type="job", vars=about),
            purpose=PURPOSE,
            basis=self._catalog.purposes[PURPOSE].legal_basis,
            policy=str(self._keeper.current().version),
            ref=ran.run_no,
        )


def _known(rows: Iterable[Earlier]) -> list[Known]:
    return [
        Known(
            ClueState(row.state),
            None if row.visited_at is None else row.visited_at.astimezone(ZONE).date(),
        )
        for row in rows
    ]


__all__ = ["Comparing", "NotRead", "Ran"]
