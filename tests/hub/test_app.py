"""The end of a worker: what is open is closed, also when its last record cannot be written."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hub.app import assemble, running
from hub.demo.site import Site
from tests.sites import copied

pytestmark = [pytest.mark.anyio]


async def test_a_stop_that_cannot_be_recorded_closes_everything_all_the_same(
    pristine: Site, tmp_path: Path
) -> None:
    site = copied(pristine, tmp_path / "site")
    hub = assemble(site.settings(None, **{"audit.wait_s": 0.5}))
    file = site.folder / "store.sqlite"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        with capture_logs() as said:
            async with running(hub):
                other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        asked = "SELECT body FROM audit_event ORDER BY idx DESC LIMIT 1"
        (last,) = other.execute(asked).fetchone()
    assert '"kind":"HUB_STOP"' not in last  # it could not be written
    assert "HUB_STOP not written" in [one["event"] for one in said]
    assert not hub.log.state().running
