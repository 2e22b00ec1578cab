"""Strict acts: clear values leave only under the policy the store has once they are fetched.

Usual reads may be as old as the poll. What a right to unmask has opened may not: after the fetch
and before the record the store is asked for its version (authorisation 5.7).

    fetched ──► same version ──────────────────────────────────► recorded, sent
        └─────► another: judged, planned and fetched once more ──► same ──► recorded, sent
                                                            └────► STALE_POLICY, recorded, no data

Posts are part of the version, so whoever was suspended meanwhile is not let in the second time.
Answers that show nothing clear by such a right are asked nothing and cost nothing.

A mutation is strict before its deed: the store is asked for its version first. Asked a second time
it is not done a second time, since both times it has the same key (`resolvers/deed.py`).
"""

from __future__ import annotations

from catalog.errors import Forbidden, HubError
from hub.identity.asking import Headers, Known
from hub.worker import Hub
from resolvers.answer import Answer, Question, unasked, withheld

KEYWORD = "mutation"  # no mutation is written without it


async def answered(
    hub: Hub, question: Question, headers: Headers, known: Known
) -> tuple[Answer, Known]:
    """The question of a known asker, answered, and as whom; not yet recorded, so not to be shown.

    Never raises a HubError: what stands in the way is the answer.
    """
    if await _writes(hub, question):
        try:
            if not await _in_force(hub, known):
                known = await recognised(hub, headers)
        except HubError as error:
            return unasked(error, known.gate.book.version), known
    answer = await ask(hub, question, known)
    if not answer.strict:
        return answer, known
    try:
        if await _in_force(hub, known):
            return answer, known
        known = await recognised(hub, headers)
        answer = await ask(hub, question, known)
        if not answer.strict or await _in_force(hub, known):
            return answer, known
    except HubError as error:
        return withheld(answer, error), known
    again = Forbidden("查看明文期间权限策略两次变动，请稍后再试", reason="STALE_POLICY")
    return withheld(answer, again), known


async def recognised(hub: Hub, headers: Headers) -> Known:
    """Who asks, bound to the case of ``X-Case-No`` if it is given."""
    return await hub.askers.narrowed(await hub.askers.known(headers), headers)


async def ask(hub: Hub, question: Question, known: Known) -> Answer:
    """The answer under the asker's own Gate."""
    return await hub.engine.answer(question, known.gate, known.context)


async def _writes(hub: Hub, question: Question) -> bool:
    """Is it a mutation? Most texts do not even hold the word, and are not looked up for it."""
    if question.writing is None or KEYWORD not in question.query:
        return False
    return await hub.engine.writes(question)


async def _in_force(hub: Hub, known: Known) -> bool:
    """Is the policy of his Gate still the store's? Forbidden STALE_POLICY if nobody can say."""
    return (await hub.keeper.strict()).version == known.gate.book.version
