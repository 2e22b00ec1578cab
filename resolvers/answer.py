"""The whole road: document -> Shape -> Plan -> execution -> answer + Disclosure.

One engine per worker. Its caches hold no person's data: documents by text, Shapes by document
and signature of the variables, Plans by Shape and pattern of rights; one asker's own values
beside a Plan live in his Gate (`ready`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute_sync,
    get_variable_values,
)
from graphql.execution.values import VariableValues

from adapters.deadline import Deadlines
from authz.gate import Gate
from catalog.divisions import COUNTY
from catalog.errors import (
    BadRequest,
    DeadlineExceeded,
    Forbidden,
    HubError,
    Internal,
    SubscriptionNeedsStream,
    TooComplex,
)
from catalog.standing import Standing
from resolvers.assemble import Introspected, answer, formatted, local
from resolvers.binding import SERVICE, Bindings
from resolvers.compile import Planner
from resolvers.cost import check
from resolvers.deed import Done, Writing
from resolvers.disputes import NOT_DISPUTED, Disputed
from resolvers.document import Documents, Operation
from resolvers.execute import Execution, RowMode, Setting
from resolvers.plan import (
    Disclosure,
    Kind,
    OutChanged,
    OutFault,
    OutIntrospection,
    Plan,
    ReadDisclosure,
    Shape,
)
from resolvers.quota import counted, taken
from resolvers.ready import Ready, ready
from resolvers.refusal import refused
from resolvers.roots.entities import KEYS, References, by_read, how_many, references
from resolvers.scale import Limits, too_complex
from resolvers.shape import Shaper, arguments, signature, unfit
from resolvers.watch import Step, watched

COMMITTED = "committed"
"""Of an error: the deed that was asked for is done, though its answer cannot be shown."""
NOT_DONE = "REFUSED"
"""How the record names an answer that says why a deed was not done."""
SHAPES, PLANS = 2048, 4096  # kept per worker
EVERYBODY: Mapping[Standing, int] = MappingProxyType({})
HOW_TO_SUBSCRIBE = (
    "订阅须以数据流接收：请在 Accept 中加上 text/event-stream，"
    "或改用 WebSocket（子协议 graphql-transport-ws）；只查一次请改为查询"
)


@dataclass(slots=True)
class Question:
    """An operation as it was sent.

    `document`: the id it was asked by (``sha256:…`` or its client's own), if it was; whoever
    brings the question to the engine puts the text in first. `changed`: of a subscription whose
    event it is, the key of the changed row. `writing`: what a mutation needs; without it nothing
    is changed.
    """

    query: str
    operation_name: str | None
    variables: Mapping[str, Any]
    document: str | None = None
    changed: str | None = None
    writing: Writing | None = None


@dataclass(slots=True)
class Answer:
    """What the asker gets once the record is durable. `data` is absent before execution.

    `fault`: the class of an error of ours, for the log; its text may hold anything. `strict`: it
    shows clear values, so the policy it was made under must still be the store's when it leaves.
    `silent`: of an event, the changed row is none of the asker's, and he is told nothing.
    `committed`: it is of a mutation whose deed is done, whatever becomes of the answer.
    """

    data: dict[str, Any] | None
    executed: bool
    errors: tuple[dict[str, Any], ...]
    extensions: Mapping[str, Any]
    disclosure: Disclosure
    fault: str | None = None
    strict: bool = False
    silent: bool = False
    committed: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """What a subscription waits for: changes of the rows of `dataset`.

    `counted`: it is told groups of them, at once and when they have changed, instead of the row.
    `told`: how its beginning and its end are recorded.
    """

    dataset: str
    counted: bool
    told: Disclosure


class Engine:
    """Answers questions. Counters say what a request had to make anew.

    `costs`: what classes of askers may spend, if it is not `limits.cost`.
    """

    def __init__(
        self,
        bindings: Bindings,
        setting: Setting,
        limits: Limits,
        *,
        costs: Mapping[Standing, int] = EVERYBODY,
        json_mode: bool = True,
    ) -> None:
        self._bindings, self._setting, self._limits = bindings, setting, limits
        self._costs = costs
        self.documents = Documents(bindings.schema, limits)
        self._shapes: LRUCache[Any, Shape] = LRUCache(SHAPES)
        self.plans: LRUCache[Any, Plan] = LRUCache(PLANS)
        self._json_mode = json_mode
        self._deadlines = Deadlines()
        self.planned = 0  # Plans made, i.e. statements rendered
        self.needed = 0  # Plans that were wanted, made or kept
        self.shaped = 0  # Shapes made
        self.judged = 0  # sets of variables that graphql-core had to coerce
        self._version = 0

    @property
    def subgraph(self) -> str:
        """The SDL a composer is given."""
        return self._bindings.subgraph

    @property
    def bindings(self) -> Bindings:
        """The schema it answers, with the binding of every field."""
        return self._bindings

    async def answer(self, question: Question, gate: Gate, context: Mapping[str, Any]) -> Answer:
        """Never raises a HubError: a refused or invalid operation is an Answer too."""
        operation: Operation | None = None
        try:
            with watched(self._setting.watch, Step.LIMITS):
                document = await self.documents.find(question.query)
                operation = document.operation(question.operation_name)
                if _subscribes(operation) and question.changed is None:
                    raise SubscriptionNeedsStream(HOW_TO_SUBSCRIBE)
                values = self._variables(operation, question.variables)
                shape = self._shape(operation, values)
            self._may_introspect(shape, gate)
            self._may_federate(shape, gate)
            return await self._run(operation, shape, values, gate, context, question)
        except HubError as error:
            return _refused(operation, error, gate.book.version)

    async def subscribes(self, question: Question) -> bool:
        """Is it a subscription? No, if it cannot be read: `answer` says why."""
        return await self._type(question) is OperationType.SUBSCRIPTION

    async def writes(self, question: Question) -> bool:
        """Is it a mutation? Likewise."""
        return await self._type(question) is OperationType.MUTATION

    async def _type(self, question: Question) -> OperationType | None:
        try:
            document = await self.documents.find(question.query)
            return document.operation(question.operation_name).type
        except HubError:
            return None

    async def watch(self, question: Question, gate: Gate) -> Watched | Answer:
        """What a subscription waits for, or the refusal if its asker may not have it.

        Asked at its beginning and whenever rights may have changed; no source is asked.
        """
        operation: Operation | None = None
        try:
            document = await self.documents.find(question.query)
            operation = document.operation(question.operation_name)
            return self._watched(operation, question, gate)
        except HubError as error:
            return _refused(operation, error, gate.book.version)

    def explain(self, question: Question, gate: Gate) -> Plan:
        """The Plan of a question, not run. HubError if there is none."""
        operation = self.documents.get(question.query).operation(question.operation_name)
        values = self._variables(operation, question.variables)
        shape = self._shape(operation, values)
        for out in shape.outs:
            if isinstance(out, OutFault):
                raise out.error.with_traceback(None)  # the Shape is kept, its raiser is not
        return self._plan(shape, gate, self._json_mode)

    # -- the steps

    def _watched(self, operation: Operation, question: Question, gate: Gate) -> Watched:
        values = self._variables(operation, question.variables)
        shape = self._shape(operation, values)
        arguments = _arguments(shape, values)
        check(shape, arguments, self._setting, self._limits.cost)
        (root,) = shape.roots  # validation lets no other subscription through
        refusal = refused(gate, root)
        if refusal is not None:
            raise refusal
        made = self._ready(shape, gate, self._json_mode)
        Execution(made, gate, self._setting, arguments, changed="").vet()
        told = _named(operation, gate.book.version, shape.variables)
        return Watched(root.dataset.name, root.group is not None, told)

    def _variables(self, operation: Operation, given: Mapping[str, Any]) -> VariableValues:
        plain = operation.variables.take(given)
        if plain is not None:
            return plain
        self.judged += 1
        nodes = operation.node.variable_definitions or ()
        values = get_variable_values(
            self._bindings.schema, nodes, dict(given), max_errors=5, hide_suggestions=True
        )
        if isinstance(values, VariableValues):
            return values
        bad = [
            n.variable.name.value for e in values for n in e.nodes or () if hasattr(n, "variable")
        ]
        name = f" `${bad[0]}` " if bad else ""
        raise unfit(f"变量{name}的值不合要求：请对照类型检查", values[0])

    def _shape(self, operation: Operation, values: VariableValues) -> Shape:
        key = (operation.sha256, operation.name, signature(values.coerced))
        shape = self._shapes.get(key)
        if shape is None:
            shaper = Shaper(self._bindings, self._setting.catalog, operation, values)
            shape = self._shapes[key] = shaper.shape(key)
            self.shaped += 1
        return shape

    def _ready(self, shape: Shape, gate: Gate, json_mode: bool) -> Ready:
        """The Plan with this asker's values: one look-up while his Gate lives."""
        self.needed += 1
        key = (shape.key, json_mode)
        found: Ready | None = gate.kept(key)
        if found is None:
            found = gate.keep(key, ready(self._plan(shape, gate, json_mode), gate))
        return found

    def _plan(self, shape: Shape, gate: Gate, json_mode: bool) -> Plan:
        if gate.book.version > self._version:  # Plans of an older policy are of no more use
            self._version = gate.book.version
            self.plans.clear()
        patterns = tuple(
            gate.lens(r.dataset, r.mode, r.identifier).pattern
            for r in shape.walk()
            if r.kind in (Kind.ROOT, Kind.ENTITY, Kind.EDGE)
        )
        key = (shape.key, json_mode, gate.book.version, patterns)
        plan = self.plans.get(key)
        if plan is None:
            self.planned += 1
            planner = Planner(gate, self._setting.catalog, self._setting.sources, json_mode)
            plan = self.plans[key] = planner.plan(shape, gate.book.version)
        return plan

    async def _run(
        self,
        operation: Operation,
        shape: Shape,
        values: VariableValues,
        gate: Gate,
        context: Mapping[str, Any],
        question: Question,
    ) -> Answer:
        changed, referred = question.changed, self._referred(shape, values)
        arguments = _arguments(shape, values) | _keyed(referred) | _expected(shape)
        allowed = self._costs.get(gate.asker.standing, self._limits.cost)
        spent = check(shape, arguments, self._setting, allowed)
        introspection = self._introspect(operation, shape, values)
        context = {**context, SERVICE: {"sdl": self.subgraph}}
        asker, lookups = gate.asker.principal_id, self._setting.lookups
        done = await self._done(shape, values, gate, question)
        committed = done is not None and done.changed
        arguments |= _found(shape, done)
        disputed = await self._disputed(shape)
        for again, json_mode in enumerate((self._json_mode, False)):
            with watched(self._setting.watch, Step.PLAN):
                made = self._ready(shape, gate, json_mode)
            given = (arguments, referred, changed, done, disputed)
            execution = Execution(made, gate, self._setting, *given)
            try:
                if not again:
                    await taken(lookups, asker, execution.looked_up)
                end = asyncio.get_running_loop().time() + self._setting.operation_s
                await self._deadlines.within(end, execution.run)
                data, errors = answer(execution, context, introspection, self._bindings.leaves)
                break
            except Exception as error:  # whatever it was, the record says what had been asked
                if json_mode and _needs_rows(error):
                    continue
                stopped = _stopped(operation, error, execution)
                return _committed(stopped) if committed else stopped
        await counted(lookups, asker, execution.missed)
        disclosure = _disclosed(operation, execution, errors)
        if done is not None and not committed:
            disclosure = replace(disclosure, outcome="INVALID", code=NOT_DONE)
        extensions = _extensions(execution) | {"cost": spent}
        silent = changed is not None and not _counts(shape) and execution.found_nothing
        strict = made.strict and not silent
        return Answer(
            data, True, tuple(errors), extensions, disclosure, None, strict, silent, committed
        )

    async def _disputed(self, shape: Shape) -> Disputed:
        """What is under correction now, of operations about persons. SourceUnavailable."""
        disputes = self._setting.disputes
        return await disputes.current() if disputes and shape.personal else NOT_DISPUTED

    # -- what mutations do

    async def _done(
        self, shape: Shape, values: VariableValues, gate: Gate, question: Question
    ) -> Done | None:
        """The deed of a mutation, done; None for any other operation.

        Its Plan is made first: nothing is done whose answer could not be told.
        """
        out = shape.command
        if out is None:
            return None
        given = arguments(out.slot.arguments, values)
        if isinstance(given, HubError):
            raise given
        commands, writing = self._setting.commands, question.writing
        if commands is None or writing is None:
            raise BadRequest("变更操作须以 POST 提交", reason="SHAPE", english="send it by POST")
        with watched(self._setting.watch, Step.PLAN):
            self._ready(shape, gate, self._json_mode)
        return await commands.do(out.name, given, gate, writing)

    # -- what gateways ask

    def _may_federate(self, shape: Shape, gate: Gate) -> None:
        if not shape.entities and SERVICE not in shape.contexts:
            return
        verdict = gate.demand("Schema.federation", "read", COUNTY, "rev")
        if not verdict.allowed:
            said = "您的岗位不能使用联邦接口（_service、_entities）"
            raise Forbidden(said, reason=str(verdict.reason), ask=verdict.ask)

    def _referred(self, shape: Shape, values: VariableValues) -> dict[str, References]:
        """What each ``_entities`` refers to. OPERATION_TOO_COMPLEX if it is too much in all."""
        given = [(out, arguments(out.slot.arguments, values)) for out in shape.entities]
        most, sent = self._limits.representations, sum(how_many(args) for _, args in given)
        if sent > most:
            raise too_complex("representations", most, sent)
        return {out.key: references(args, out.reads) for out, args in given}

    # -- introspection, by graphql-core

    def _may_introspect(self, shape: Shape, gate: Gate) -> None:
        if shape.introspection:
            demand_contract(gate)

    def _introspect(
        self, operation: Operation, shape: Shape, values: VariableValues
    ) -> Introspected:
        if not shape.introspection:
            return Introspected({})
        asked = [n for o in shape.outs if isinstance(o, OutIntrospection) for n in o.nodes]
        only = OperationDefinitionNode(
            operation=operation.node.operation,
            name=operation.node.name,
            variable_definitions=operation.node.variable_definitions,
            directives=operation.node.directives,
            selection_set=SelectionSetNode(selections=tuple(asked)),
        )
        document = DocumentNode(definitions=(only, *operation.fragments.values()))
        result = execute_sync(self._bindings.schema, document, variable_values=dict(values.coerced))
        return Introspected(result.data, [_unanswered(e) for e in result.errors or ()])


def demand_contract(gate: Gate) -> None:
    """Forbidden, unless the asker may read what the interface is like."""
    verdict = gate.demand("Schema.sdl", "read", COUNTY, "rev")
    if not verdict.allowed:
        raise Forbidden("您的岗位不能查看接口定义", reason=str(verdict.reason), ask=verdict.ask)


def unasked(error: HubError, policy: int) -> Answer:
    """The answer to a question that was not asked of anything, because of `error`."""
    return _refused(None, error, policy)


def withheld(answer: Answer, error: HubError) -> Answer:
    """The refusal in an answer's place: nothing of it is shown, the record says what was read."""
    return refusal(answer.disclosure, error)


def refusal(told: Disclosure, error: HubError) -> Answer:
    """An answer that shows nothing but why; `told`: what had been read or asked until then."""
    denied = error.status in (401, 403)
    outcome = "DENIED" if denied else "FAILED"
    disclosure = replace(told, outcome=outcome, code=error.code)
    return Answer(None, False, (formatted(error),), {}, disclosure)


def _unanswered(error: GraphQLError) -> dict[str, Any]:
    """A field of introspection with an argument, or a condition in it, null where it may not be."""
    path = error.path or ["__schema"]
    name = next(step for step in reversed(path) if isinstance(step, str))
    said = f"字段 `{name}` 的参数，或其中 @skip、@include 的条件不合要求"
    return formatted(unfit(said, error), tuple(path))


def _arguments(shape: Shape, values: VariableValues) -> dict[int, Mapping[str, Any] | HubError]:
    return {number: arguments(slot.arguments, values) for number, slot in shape.slots}


def _changed_reads(shape: Shape) -> list[tuple[str, OutChanged]]:
    """The rows that a mutation's payload may have, by the payload's type."""
    members = shape.command.members.items() if shape.command else ()
    return [(kind, one) for kind, of in members for one in of if isinstance(one, OutChanged)]


def _expected(shape: Shape) -> dict[int, Mapping[str, Any] | HubError]:
    """One row for each: what an operation may cost is known before its deed is done."""
    return {one.read: {KEYS: [""]} for _, one in _changed_reads(shape)}


def _found(shape: Shape, done: Done | None) -> dict[int, Mapping[str, Any] | HubError]:
    """The keys of the rows that the deed named, none of the others."""
    found: dict[int, Mapping[str, Any] | HubError] = {}
    for kind, one in _changed_reads(shape):
        key = done.rows.get(one.name) if done is not None and done.kind == kind else None
        found[one.read] = {KEYS: [] if key is None else [key]}
    return found


def _keyed(referred: Mapping[str, References]) -> dict[int, Mapping[str, Any] | HubError]:
    """The keys of each Read by which something is referred to, each once."""
    found = (by_read(one) for one in referred.values())
    return {read: {KEYS: keys} for one in found for read, keys in one.items()}


# ---- what is told ------------------------------------------------------------------------------


def _disclosed(
    operation: Operation, execution: Execution, errors: list[dict[str, Any]]
) -> Disclosure:
    reads = tuple(execution.told())
    codes = [e["extensions"]["code"] for e in errors]
    code = codes[0] if codes else _quiet(execution.sought, reads)
    return Disclosure(
        operation=operation.type.value,
        name=operation.name,
        digest=operation.digest,
        variables=execution.plan.shape.variables,
        outcome=_outcome(codes, execution),
        code=code,
        reads=reads,
        sought=tuple(execution.sought),
        policy=execution.plan.policy,
        linkage=execution.linkage,
    )


def _quiet(sought: Collection[str | bytes], reads: tuple[ReadDisclosure, ...]) -> str | None:
    """A look-up that found nobody looks like success to the asker; the log says more."""
    looked_up = [r for r in reads if r.how == "key"]
    return "NO_RECORD" if sought and looked_up and not any(r.rows for r in looked_up) else None


def _outcome(codes: list[str], execution: Execution) -> str:
    if not codes:
        return "OK"
    roots = [r for r in execution.plan.shape.roots if not r.unreadable]
    results = [execution.results[r.id] for r in roots if r.id in execution.results]
    if any(r.error is None and not r.denied for r in results):
        return "PARTIAL"
    if all(c == "FORBIDDEN" for c in codes):
        return "DENIED"
    return "INVALID" if all(c == "BAD_USER_INPUT" for c in codes) else "FAILED"


def _refused(operation: Operation | None, error: HubError, policy: int) -> Answer:
    outcome = "DENIED" if isinstance(error, Forbidden) else "INVALID"
    disclosure = replace(_named(operation, policy), outcome=outcome, code=error.code)
    return Answer(None, False, (formatted(error),), {}, disclosure)


def _named(
    operation: Operation | None, policy: int, variables: tuple[tuple[str, str], ...] = ()
) -> Disclosure:
    """What is recorded of an operation that has shown nothing."""
    return Disclosure(
        operation=operation.type.value if operation else "unknown",
        name=operation.name if operation else None,
        digest=operation.digest if operation else "",
        variables=variables,
        outcome="OK",
        code=None,
        policy=policy,
    )


def _subscribes(operation: Operation) -> bool:
    return operation.type is OperationType.SUBSCRIPTION


def _counts(shape: Shape) -> bool:
    return any(root.group is not None for root in shape.roots)


_STOPPED: Mapping[type[HubError], str] = {TooComplex: "INVALID", Forbidden: "DENIED"}


def _stopped(operation: Operation, error: Exception, execution: Execution) -> Answer:
    """Nothing is shown; the record tells what was read and who was sought until then."""
    while isinstance(error, ExceptionGroup):  # several tasks fail at once: the first will do
        error = error.exceptions[0]
    said = _as_hub_error(error)
    execution.seek()
    fault = type(error).__name__ if isinstance(said, Internal) else None
    told = _disclosed(operation, execution, [formatted(said)])
    outcome = _STOPPED.get(type(said), "FAILED")
    disclosure = replace(told, outcome=outcome)
    return Answer(None, False, (formatted(said),), {}, disclosure, fault)


def _committed(answer: Answer) -> Answer:
    """An answer that failed after its deed was done says so: the deed is not done a second time."""
    errors = tuple(e | {"extensions": {**e["extensions"], COMMITTED: True}} for e in answer.errors)
    return replace(answer, errors=errors, committed=True)


def _needs_rows(error: Exception) -> bool:
    """True if JSON mode met what it cannot tell; several tasks may have failed at once."""
    if isinstance(error, ExceptionGroup):
        return error.subgroup(RowMode) is not None
    return isinstance(error, RowMode)


def _as_hub_error(error: Exception) -> HubError:
    if isinstance(error, HubError):
        return error
    if isinstance(error, TimeoutError):
        return DeadlineExceeded("处理超时：请缩小查询范围后重试")
    return Internal("内部错误：请告知请求编号")


def _fared(entry: dict[str, Any], told: ReadDisclosure) -> None:
    """The worst of a source's reads, and the oldest moment its rows are of."""
    if told.down is not None:
        entry["status"] = told.down
    elif "STALE" in told.states and entry["status"] == "LIVE":
        entry["status"] = "STALE"
    if told.as_of is not None:
        of = local(datetime.fromtimestamp(told.as_of / 1_000_000, UTC))
        entry["asOf"] = min(of, entry.get("asOf", of))


def _extensions(execution: Execution) -> dict[str, Any]:
    """`sources` and `fields` of protocol.md 2.1: by source and coordinate, never by row."""
    sources: dict[str, dict[str, Any]] = {}
    fields: dict[tuple[str, str], int] = {}
    for told in execution.told():
        if told.asked:
            _fared(sources.setdefault(told.source, {"name": told.source, "status": "LIVE"}), told)
        for coordinate, count in told.masked.items():
            fields[coordinate, "MASKED"] = fields.get((coordinate, "MASKED"), 0) + count
        for coordinate, count in told.disputed.items():
            fields[coordinate, "DISPUTED"] = fields.get((coordinate, "DISPUTED"), 0) + count
        for coordinate in told.hidden:
            fields[coordinate, "DENIED"] = fields.get((coordinate, "DENIED"), 0) + told.rows
    for number, told in execution.disclosures.items():
        if kept := told.states.get("MASKED"):  # whole facets, by persons
            mark = execution.plan.shape.by_id[number].dataset.type, "MASKED"
            fields[mark] = fields.get(mark, 0) + kept
    return {
        "policyVersion": execution.plan.policy,
        "sources": list(sources.values()),
        "fields": [
            {"coordinate": c, "state": s, "count": n} for (c, s), n in sorted(fields.items())
        ],
    }
