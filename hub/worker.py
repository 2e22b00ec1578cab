"""What one worker process holds. Stateless towards its neighbours: nothing here needs sharing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.contract import Source
from audit.log import AuditLog
from audit.quorum import Quorum
from audit.signer import Signer
from authz.keeper import BookKeeper
from catalog.load import Catalog
from hub.comparing.running import Comparing
from hub.cosigning import Cosigning
from hub.edge.changes import Changes
from hub.edge.pace import Pace
from hub.edge.trusted import TrustedDocuments
from hub.identity.asking import Askers
from hub.identity.outsiders import Outsider
from hub.identity.sessions import Sessions
from hub.identity.tokens import Tokens
from hub.jobs import Jobs
from hub.keys import Keys
from hub.notes import Notes
from hub.outages import Outages
from hub.printing.making import Prints
from hub.rejects import Rejects
from hub.release import Release
from hub.runs import Runs
from hub.settings import Settings
from hub.telemetry.spans import Telemetry
from resolvers.answer import Engine
from store.budgets import Budgets


@dataclass(frozen=True)
class Hub:
    """Everything a worker holds; no state that a second worker would need."""

    settings: Settings
    catalog: Catalog
    keys: Keys
    tokens: Tokens
    sessions: Sessions
    store: AsyncEngine
    sources: Mapping[str, Source]
    budgets: Budgets
    keeper: BookKeeper
    askers: Askers
    outsiders: Mapping[str, Outsider]
    engine: Engine
    trusted: TrustedDocuments
    log: AuditLog
    quorum: Quorum
    cosigning: Cosigning
    signer: Signer
    release: Release
    prints: Prints
    rejects: Rejects
    runs: Runs
    comparing: Comparing
    jobs: Jobs
    outages: Outages
    changes: Changes
    notes: Notes
    pace: Pace
    telemetry: Telemetry
