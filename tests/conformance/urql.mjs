// urql: it lists text/event-stream on every request, so a plain query must still be answered in
// JSON. Its document cache, its normalised cache, errors, pages joined.
import { cacheExchange, Client, fetchExchange } from '@urql/core'
import { cacheExchange as graphcache } from '@urql/exchange-graphcache'
import { relayPagination } from '@urql/exchange-graphcache/extras'
import assert from 'node:assert/strict'
import { DIVISION, HALF, ONE, PAGE, UNKNOWN_FIELD } from './documents.mjs'
import { ask, asking, Claims, url } from './suite.mjs'

const exchanged = []
async function watched(address, given) {
  const answer = await fetch(address, given)
  exchanged.push({
    accept: new Headers(given.headers).get('accept'),
    kind: answer.headers.get('content-type'),
  })
  return answer
}
const client = (cache = cacheExchange, headers = asking()) =>
  new Client({
    url,
    fetch: watched,
    exchanges: [cache, fetchExchange],
    fetchOptions: { headers },
    preferGetMethod: false,
  })
const normalised = () =>
  graphcache({
    resolvers: { Query: { citizens: relayPagination() } },
    keys: { Viewer: () => null },
  })

const claims = new Claims()
const variables = { division: DIVISION, first: 2 }
const plain = await ask(PAGE, variables)
const people = plain.data.citizens.edges.map((edge) => edge.node)
const ids = (page) => page.edges.map((edge) => edge.node.id)

await claims.that('a query is answered as by plain HTTP', async () => {
  const { data, error } = await client().query(PAGE, variables)
  assert.equal(error, undefined)
  assert.deepEqual(ids(data.citizens), ids(plain.data.citizens))
})

await claims.that('it would have taken a stream, and got JSON', () => {
  const { accept, kind } = exchanged.at(-1)
  assert.match(accept, /text\/event-stream/)
  assert.match(kind, /^application\/graphql-response\+json/)
})

await claims.that('what was asked once is not asked again', async () => {
  const one = client()
  await one.query(PAGE, variables)
  const before = exchanged.length
  await one.query(PAGE, variables)
  assert.equal(exchanged.length, before)
})

await claims.that('a citizen is one object of the cache, whoever brings him', async () => {
  const one = client(normalised())
  await one.query(PAGE, variables)
  const before = exchanged.length
  await one.query(ONE, { id: people[0].id })
  const again = await one.query(ONE, { id: people[0].id })
  assert.equal(exchanged.length, before + 1)
  assert.equal(again.data.citizen.name, people[0].name)
})

await claims.that('pages are joined in order', async () => {
  const one = client(normalised())
  const first = await one.query(PAGE, variables)
  const after = first.data.citizens.pageInfo.endCursor
  const joined = await one.query(PAGE, { ...variables, after })
  const whole = await ask(PAGE, { division: DIVISION, first: 4 })
  assert.deepEqual(ids(joined.data.citizens), ids(whole.data.citizens))
})

await claims.that('an invalid document is a GraphQL error with its code', async () => {
  const { error } = await client().query(UNKNOWN_FIELD, {})
  assert.equal(error.networkError, undefined)
  assert.equal(error.graphQLErrors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED')
})

await claims.that('half an answer keeps its half', async () => {
  const { data, error } = await client().query(HALF, {})
  assert.equal(data.viewer.account, 'lab')
  assert.equal(data.citizens, null)
  assert.equal(error.graphQLErrors[0].extensions.reason, 'PAGE_SIZE')
})

for (const [who, headers, status, code] of [
  ['a stranger', { 'x-purpose': 'aid.review' }, 401, 'UNAUTHENTICATED'],
  ['nobody says what for', { ...asking(), 'x-purpose': 'none' }, 403, 'PURPOSE_REQUIRED'],
]) {
  await claims.that(`${who}: ${status} ${code}`, async () => {
    const { error } = await client(cacheExchange, headers).query('{ viewer { account } }', {})
    assert.equal(error.response.status, status)
    assert.equal(error.graphQLErrors[0].extensions.code, code)
  })
}
claims.report()
