// graphql-sse (distinct connections), with urql beside it under the same setting: the one takes
// streams alone, the other lists them on every request and must still get its queries in JSON.
import assert from 'node:assert/strict'
import { cacheExchange, Client, fetchExchange } from '@urql/core'
import { createClient } from 'graphql-sse'
import { DIVISION, PAGE, UNKNOWN_FIELD } from './documents.mjs'
import { awaited, EVENTS, happen, settled, subscribable } from './events.mjs'
import { ask, asking, Claims, url } from './suite.mjs'

await subscribable()
const client = (headers = asking()) => createClient({ url, headers, retryAttempts: 0 })
const urql = new Client({
  url,
  exchanges: [cacheExchange, fetchExchange],
  fetchSubscriptions: true,
  preferGetMethod: false,
  fetchOptions: { headers: asking() },
})

function first(of, query, variables = {}) {
  const told = awaited(query)
  const stop = of.subscribe(
    { query, variables },
    { next: told.resolve, error: told.reject, complete: () => told.reject(new Error('nothing')) },
  )
  return told.promise.finally(stop)
}

const claims = new Claims()
const variables = { division: DIVISION, first: 2 }
const ids = (page) => page.edges.map((edge) => edge.node.id)
const plain = ids((await ask(PAGE, variables)).data.citizens)

await claims.that('a query is answered by one part of a stream', async () => {
  const { data } = await first(client(), PAGE, variables)
  assert.deepEqual(ids(data.citizens), plain)
})

// Its protocol: what fails before execution MUST be told by a `next` of the stream.
for (const [kind, query, code] of [
  ['a document that does not parse', 'query {', 'GRAPHQL_PARSE_FAILED'],
  ['an invalid query', UNKNOWN_FIELD, 'GRAPHQL_VALIDATION_FAILED'],
  ['an invalid subscription', 'subscription { nobodyKnows }', 'GRAPHQL_VALIDATION_FAILED'],
]) {
  await claims.that(`${kind} is told in the stream`, async () => {
    const { errors } = await first(client(), query)
    assert.equal(errors[0].extensions.code, code)
  })
}

await claims.that('what happens is told to graphql-sse and to urql', async () => {
  const bySse = first(client(), EVENTS)
  const byUrql = awaited('urql')
  const { unsubscribe } = urql.subscription(EVENTS, {}).subscribe(byUrql.resolve)
  await settled()
  const caseNo = await happen()
  const [sse, other] = await Promise.all([bySse, byUrql.promise])
  unsubscribe()
  assert.equal(sse.data.caseEvents.case.caseNo, caseNo)
  assert.equal(other.error, undefined)
  assert.equal(other.data.caseEvents.case.caseNo, caseNo)
})

await claims.that("urql's queries are JSON meanwhile", async () => {
  const { unsubscribe } = urql.subscription(EVENTS, {}).subscribe(() => undefined)
  const { data, error } = await urql.query(PAGE, variables)
  unsubscribe()
  assert.equal(error, undefined)
  assert.deepEqual(ids(data.citizens), plain)
})

await claims.that('a stranger is refused before a stream begins: 401', async () => {
  const told = await first(client({ 'x-purpose': 'aid.review' }), EVENTS).catch((e) => e)
  assert.equal(told.response.status, 401)
})

await claims.that('a subscription without a stream: 406 says how to ask', async () => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...asking() },
    body: JSON.stringify({ query: EVENTS }),
  })
  assert.equal(answer.status, 406)
  const { errors } = await answer.json()
  assert.equal(errors[0].extensions.code, 'SUBSCRIPTION_NEEDS_STREAM')
})
claims.report()
