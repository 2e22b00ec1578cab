"""One step of the subject index on PostgreSQL: one statement, and no work in the hub.

The server takes the bodies apart itself. That this gives the rows `derived.index_rows`
gives is what `hub audit verify` compares, each time.
"""

from __future__ import annotations

from sqlalchemy.engine import URL

from audit.postgres_link import PostgresLink
from audit.subjects import LIST, PACKED, TOKEN_BYTES

SUBJECTS = 8_000  # index rows a step, or a record more: some 50 ms of the server
RECORDS = 512
SESSION = {
    "application_name": "hub-audit-index",
    # A crash may undo the last step, rows and cursor together: the next start repeats it.
    "synchronous_commit": "off",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "5s",
    "statement_timeout": "30s",
    "jit": "off",
}
COMMAND_S = 35.0

# Commit order is idx order, so what a snapshot sees has no holes.
_STEP = f"""
WITH held AS (
  SELECT next_idx FROM audit_index WHERE id = 1 FOR UPDATE SKIP LOCKED
), near AS (
  SELECT e.idx, e.subject_count, e.body, sum(e.subject_count) OVER (ORDER BY e.idx) AS upto
  FROM held, audit_event e WHERE e.idx >= next_idx AND e.idx < next_idx + {RECORDS}
), fresh AS MATERIALIZED (
  SELECT idx, body::jsonb AS body FROM near WHERE upto - subject_count < {SUBJECTS}
), packed AS MATERIALIZED (  -- else each token would unpack its whole list again
  SELECT idx, (body->>'key_ver')::int AS key_ver, decode(body->>'{PACKED}', 'base64') AS tokens
  FROM fresh WHERE body ? '{PACKED}'
), seen AS MATERIALIZED (
  SELECT idx, (body->>'key_ver')::int AS key_ver, decode(token, 'hex') AS subject
  FROM fresh, jsonb_array_elements_text(body->'{LIST}') AS token
  UNION ALL
  SELECT idx, key_ver, substr(tokens, at * {TOKEN_BYTES} + 1, {TOKEN_BYTES})
  FROM packed, generate_series(0, length(tokens) / {TOKEN_BYTES} - 1) AS at
), sought AS (
  SELECT idx, (body->>'key_ver')::int AS key_ver, decode(token, 'hex') AS subject
  FROM fresh, jsonb_array_elements_text(body->'sought') AS token
), added AS (
  INSERT INTO audit_subject (subject, key_ver, idx, how)
  SELECT subject, key_ver, idx, 'SEEN' FROM seen
  UNION ALL
  SELECT subject, key_ver, idx, 'SOUGHT' FROM sought
  WHERE NOT EXISTS (SELECT FROM seen WHERE seen.idx = sought.idx AND seen.subject = sought.subject)
)
UPDATE audit_index SET next_idx = (SELECT max(idx) + 1 FROM fresh)
WHERE id = 1 AND EXISTS (SELECT FROM fresh) RETURNING next_idx
"""  # noqa: S608  our own names and numbers
_CURSOR = "SELECT next_idx FROM audit_index WHERE id = 1"


class PostgresIndex:
    """`url` as SQLAlchemy reads it, with asyncpg as its driver."""

    def __init__(self, url: URL) -> None:
        self._link = PostgresLink(url, SESSION, COMMAND_S)

    async def step(self) -> int:
        """Index some records, unless another process is at it."""
        driver = await self._link.driver()
        moved: int | None = await driver.fetchval(_STEP)
        if moved is not None:
            return moved
        cursor: int | None = await driver.fetchval(_CURSOR)
        if cursor is None:
            raise LookupError("the index has no cursor")
        return cursor

    async def reset(self) -> None:
        """Cut the connection; the next step makes a new one."""
        await self._link.reset()

    async def close(self) -> None:
        """For good."""
        await self._link.close()
