"""Documents: limits before anything is expanded, literals that are refused, the normal form."""

from __future__ import annotations

import asyncio

import pytest

from catalog.errors import BadUserInput, HubError, ParseFailed, TooComplex, ValidationFailed
from hub.app import DOCUMENT_LIMITS as LIMITS
from resolvers.binding import Bindings
from resolvers.document import KEPT, SHORT, Documents
from resolvers.scale import REPEATS

NUMBER = "539922197704129912"


@pytest.fixture
def documents(bindings: Bindings) -> Documents:
    return Documents(bindings.schema, LIMITS)


def refused(documents: Documents, text: str) -> HubError:
    with pytest.raises(HubError) as caught:
        documents.get(text)
    return caught.value


def over(documents: Documents, text: str) -> tuple[str | None, object, object]:
    error = refused(documents, text)
    assert isinstance(error, TooComplex)
    return error.reason, error.extra["allowed"], error.extra["actual"]


def chain(count: int, body: str, last: str = "code") -> str:
    """Fragments F0 … that each lead to the next by `body`."""
    links = [
        f"fragment F{i} on Division {{ {body.replace('NEXT', f'...F{i + 1}')} }}"
        for i in range(count)
    ]
    return " ".join([*links, f"fragment F{count} on Division {{ {last} }}"])


# ---- limits ------------------------------------------------------------------------------------


def test_a_document_at_a_limit_passes_and_one_past_it_names_the_limit(
    documents: Documents,
) -> None:
    deepest = "name"
    for _ in range(LIMITS.depth - 2):
        deepest = f"parent {{ {deepest} }}"
    documents.get(f"{{ divisions {{ {deepest} }} }}")
    past = f"{{ divisions {{ parent {{ {deepest} }} }} }}"
    assert over(documents, past) == ("depth", LIMITS.depth, LIMITS.depth + 1)

    def aliased(count: int) -> str:
        return f"{{ divisions {{ {' '.join(f'a{i}: name' for i in range(count))} }} }}"

    documents.get(aliased(LIMITS.aliases))
    assert over(documents, aliased(LIMITS.aliases + 1))[0] == "aliases"
    named = [f"query Q{i} {{ viewer {{ account }} }}" for i in range(LIMITS.operations + 1)]
    documents.get(" ".join(named[:-1]))
    assert over(documents, " ".join(named)) == ("operations", 5, 6)


def test_tokens_are_counted_by_the_parser(documents: Documents) -> None:
    assert over(documents, "{ " + "name " * LIMITS.tokens + "}")[:2] == ("tokens", LIMITS.tokens)


def test_fragments_and_fields_are_counted(documents: Documents) -> None:
    many = " ".join(f"fragment F{i} on Division {{ code }}" for i in range(LIMITS.fragments + 1))
    assert over(documents, f"{{ divisions {{ code }} }} {many}")[0] == "fragments"
    wide = " ".join(["...F0"] * 40)
    fields = f"{{ divisions {{ {wide} }} }} fragment F0 on Division {{ {'code ' * 60} }}"
    assert over(documents, fields) == ("fields", LIMITS.fields, LIMITS.fields + 1)


@pytest.mark.parametrize("body", ["a: parent { NEXT } b: parent { NEXT }", "NEXT NEXT"])
def test_a_bomb_of_two_to_the_sixty_fields_costs_a_walk_of_its_text(
    documents: Documents, body: str
) -> None:
    # That it ends is the proof: one who walked the fields would be at it for ever.
    reason, _, _ = over(documents, f"{{ divisions {{ ...F0 }} }} {chain(60, body)}")
    assert reason == "fields"


@pytest.mark.parametrize(
    "body", ["parent { parent { parent { parent { NEXT } } } }", "... { " * 9 + "NEXT" + " }" * 9]
)
def test_a_long_chain_of_flat_fragments_is_too_deep_and_no_crash(
    documents: Documents, body: str
) -> None:
    assert over(documents, f"{{ divisions {{ ...F0 }} }} {chain(95, body)}")[0] == "depth"


def test_deep_brackets_are_no_crash(documents: Documents) -> None:
    deep = "{ divisions " + "{ parent " * 1_200 + "{ code }" + " }" * 1_200 + " }"
    assert over(documents, deep)[0] == "depth"


@pytest.mark.parametrize(
    "text",
    [
        "{ divisions { ...A } } fragment A on Division { ...A }",
        "{ divisions { ...A } } fragment A on Division { parent { ...B } } "
        "fragment B on Division { parent { ...A } }",
    ],
)
def test_a_ring_of_fragments_is_invalid_not_endless(documents: Documents, text: str) -> None:
    error = refused(documents, text)
    assert isinstance(error, ValidationFailed)
    assert error.message == "片段 `A` 引用了自己"


def test_a_key_repeated_without_end_is_refused_before_validation_compares_the_pairs(
    documents: Documents,
) -> None:
    def repeated(count: int) -> str:
        return "{ " + "viewer { posts { role } } " * count + "}"

    assert over(documents, repeated(490)) == ("repeats", REPEATS, 490)
    unused = f"{{ divisions {{ code }} }} fragment U on Query {repeated(490)}"
    assert over(documents, unused) == ("repeats", REPEATS, 490)
    documents.get(repeated(30))


def test_introspection_is_counted_apart(documents: Documents) -> None:
    from graphql import get_introspection_query

    documents.get(get_introspection_query())
    deep = "name"
    for _ in range(LIMITS.introspection_depth):
        deep = f"ofType {{ {deep} }}"
    assert over(documents, f'{{ __type(name: "X") {{ {deep} }} }}')[0] == "introspection_depth"


# ---- what is refused, and how it is said -------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        NUMBER,
        "\\u0035" + NUMBER[1:],
        f"{NUMBER[:6]} {NUMBER[6:14]} {NUMBER[14:]}",
        f"G{NUMBER}",
        NUMBER.translate({ord("0") + i: chr(0xFF10 + i) for i in range(10)}),
        NUMBER[:6] + NUMBER[8:17],
        "12810752549",
        "\\u0031\\u0032810752549",
    ],
)
def test_an_id_number_or_a_phone_in_the_text_is_refused_however_it_is_written(
    documents: Documents, written: str
) -> None:
    error = refused(documents, f'{{ citizen(by: {{idNumber: "{written}"}}) {{ name }} }}')
    assert isinstance(error, BadUserInput)
    assert error.message == "文档里不能写证件号码或电话：请放入变量"
    assert error.extensions() == {
        "code": "BAD_USER_INPUT",
        "messageEn": "a value in the request is wrong",
        "retryable": False,
        "docs": "docs/errors/BAD_USER_INPUT.md",
        "reason": "VARIABLE",
    }


def test_a_number_in_a_comment_is_refused_too(documents: Documents) -> None:
    assert isinstance(refused(documents, f"# {NUMBER}\n{{ viewer {{ account }} }}"), BadUserInput)


def test_a_division_code_may_stand_in_the_text(documents: Documents) -> None:
    assert documents.get('{ division(code: "532622205000") { name } }').operation(None).name is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{ nothing }", "类型 `Query` 没有字段 `nothing`"),
        ("{ viewer }", "字段 `viewer` 要写出子字段"),
        ("{ departments { code { x } } }", "字段 `code` 没有子字段"),
        ("{ division { code } }", "字段 `division` 缺少参数 `code`"),
        ("{ divisions(of: 1) { code } }", "字段 `Query.divisions` 没有参数 `of`"),
        ("{ divisions { ...F } }", "没有片段 `F`"),
        ("query($a: Int) { viewer { account } }", "变量 `$a` 没有用到"),
        ("{ cases(first: $a) { totalCount } }", "变量 `$a` 没有定义"),
        ("mutation { x }", "类型 `Mutation` 没有字段 `x`"),
        ("{ viewer @once { account } }", "没有指令 `@once`"),
    ],
)
def test_an_invalid_document_is_told_what_is_wrong(
    documents: Documents, text: str, said: str
) -> None:
    error = refused(documents, text)
    assert isinstance(error, ValidationFailed)
    assert error.message == said
    assert error.extra["locations"]


@pytest.mark.parametrize(
    "text",
    [
        '{ cases(first: "secret") { totalCount } }',
        "{ cases(filter: {state: SECRET}) { totalCount } }",
        '{ cases(filter: {overdue: "secret"}) { totalCount } }',
        "{ division(code: 4711) { name } }",
        '{ viewer { account @include(if: "secret") } }',
        'query($a: Int = "secret") { cases(first: $a) { totalCount } }',
        '{ "secret" }',
        "{ viewer { account ",
        '"""secret',
    ],
)
def test_no_message_quotes_a_literal(documents: Documents, text: str) -> None:
    error = refused(documents, text)
    assert isinstance(error, ValidationFailed | ParseFailed)
    said = repr((error.message, error.extensions())).lower()
    assert "secret" not in said
    assert "4711" not in said


def test_no_suggestion_tells_what_fields_there_are(documents: Documents) -> None:
    error = refused(documents, "{ citizenz { name } }")
    assert "citizens" not in repr((error.message, error.extensions()))


def test_a_field_called_like_a_limit_is_a_syntax_error_only(documents: Documents) -> None:
    assert isinstance(refused(documents, "{ limited } } exceeded"), ParseFailed)


# ---- operations, cache, normal form ------------------------------------------------------------


def test_the_operation_is_settled_by_its_name(documents: Documents) -> None:
    found = documents.get("query A { viewer { account } } query B { viewer { purpose } }")
    assert found.operation("B").name == "B"
    with pytest.raises(BadUserInput, match="多个操作"):
        found.operation(None)
    with pytest.raises(BadUserInput) as caught:
        found.operation(NUMBER)
    assert NUMBER not in caught.value.message


def test_a_document_is_read_once_and_a_refused_one_is_not_kept(documents: Documents) -> None:
    first = documents.get("{ viewer { account } }")
    assert documents.get("{ viewer { account } }") is first
    assert documents.parsed == 1
    for _ in range(2):
        refused(documents, "{ nothing }")
    assert documents.parsed == 3


def test_at_most_so_many_documents_are_kept(documents: Documents) -> None:
    for number in range(KEPT + 1):
        documents.get(f"{{ a{number}: __typename }}")
    documents.get("{ a0: __typename }")
    assert documents.parsed == KEPT + 2


def test_the_digest_sees_no_literal_comment_or_space(documents: Documents) -> None:
    same = [
        'query A { cases(first: 3, filter: {division: "532622205000"}) { totalCount } }',
        'query A { cases(first: 99, filter: {division: ""}) { totalCount } }',
        '# a word\nquery A {\n  cases(first: 3,, filter: {division: """x"""}) { totalCount }\n}',
    ]
    assert len({documents.get(text).digest for text in same[:2]}) == 1
    assert len({documents.get(text).sha256 for text in same}) == 3
    other = 'query A { cases(last: 3, filter: {division: "x"}) { totalCount } }'
    assert documents.get(other).digest != documents.get(same[0]).digest


# ---- read aside --------------------------------------------------------------------------------


def long_text(name: str) -> str:
    """A valid document that is not short."""
    return f"query {name} {{ viewer {{ {'account purpose ' * 8} }} }}" + " " * SHORT


@pytest.mark.anyio
async def test_a_long_text_is_read_beside_the_loop_and_once_for_all_who_wait(
    documents: Documents,
) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    found = await asyncio.gather(*(documents.find(long_text("A")) for _ in range(20)))
    beside.cancel()
    assert len({id(document) for document in found}) == 1
    assert (documents.parsed, documents.hits) == (1, 0)
    assert turns > 2  # the loop went on meanwhile
    assert await documents.find(long_text("A")) is found[0] is documents.get(long_text("A"))
    assert documents.parsed == 1


@pytest.mark.anyio
async def test_a_long_text_that_is_refused_is_refused_to_all_and_not_kept(
    documents: Documents,
) -> None:
    bad = long_text("B").replace("purpose", "salary")
    told = await asyncio.gather(*(documents.find(bad) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [ValidationFailed] * 3
    with pytest.raises(ValidationFailed):
        await documents.find(bad)
    assert documents.parsed == 2


@pytest.mark.anyio
async def test_who_leaves_does_not_take_the_text_along(documents: Documents) -> None:
    first = asyncio.create_task(documents.find(long_text("C")))
    second = asyncio.create_task(documents.find(long_text("C")))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).operation(None).name == "C"
    assert documents.parsed == 1


def test_a_text_left_behind_by_another_loop_is_read_anew(documents: Documents) -> None:
    async def left() -> None:
        reading = asyncio.create_task(documents.find(long_text("D")))
        await asyncio.sleep(0)
        reading.cancel()

    asyncio.run(left())
    assert asyncio.run(documents.find(long_text("D"))).operation(None).name == "D"
