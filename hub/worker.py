"""What one worker process holds. Stateless towards its neighbours: nothing here needs sharing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.contract import Source
from audit.log import AuditLog
from audit.signer import Signer
from authz.keeper import BookKeeper
from catalog.load import Catalog
from hub.asking import Askers
from hub.identity import Tokens
from hub.keys import Keys
from hub.rejects import Rejects
from hub.release import Release
from hub.settings import Settings
from hub.telemetry import Telemetry
from resolvers.answer import Engine


@dataclass(frozen=True)
class Hub:
    """Everything a worker holds; no state that a second worker would need."""

    settings: Settings
    catalog: Catalog
    keys: Keys
    tokens: Tokens
    store: AsyncEngine
    sources: Mapping[str, Source]
    keeper: BookKeeper
    askers: Askers
    engine: Engine
    log: AuditLog
    signer: Signer
    release: Release
    rejects: Rejects
    telemetry: Telemetry
