// Apollo Client: queries, its normalised cache, pages joined, errors of every kind; subscriptions
// over graphql-ws beside them.
import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  HttpLink,
  InMemoryCache,
  ServerError,
  gql,
} from '@apollo/client'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { relayStylePagination } from '@apollo/client/utilities'
import { createClient } from 'graphql-ws'
import assert from 'node:assert/strict'
import { filter, firstValueFrom } from 'rxjs'
import WebSocket from 'ws'
import { DIVISION, HALF, ONE, PAGE, UNKNOWN_FIELD } from './documents.mjs'
import { awaited, EVENTS, happen, hasSubscriptions, settled } from './events.mjs'
import { ask, asking, Claims, tokens, url } from './suite.mjs'

let sent = 0
const client = (headers = asking(), cache = new InMemoryCache()) =>
  new ApolloClient({
    cache,
    link: ApolloLink.from([
      new ApolloLink((operation, forward) => {
        sent += 1
        return forward(operation)
      }),
      new HttpLink({ uri: url, headers }),
    ]),
  })
const paged = () =>
  new InMemoryCache({
    typePolicies: { Query: { fields: { citizens: relayStylePagination(['division']) } } },
  })

const claims = new Claims()
const variables = { division: DIVISION, first: 2 }
const plain = await ask(PAGE, variables)
const people = plain.data.citizens.edges.map((edge) => edge.node)

await claims.that('a query is answered as by plain HTTP', async () => {
  const { data } = await client().query({ query: gql(PAGE), variables })
  assert.deepEqual(
    data.citizens.edges.map(({ node: { id, name } }) => ({ id, name })),
    people,
  )
})

await claims.that('what was asked once is not asked again', async () => {
  const one = client()
  await one.query({ query: gql(PAGE), variables })
  const before = sent
  await one.query({ query: gql(PAGE), variables })
  assert.equal(sent, before)
})

await claims.that('a citizen is one object of the cache, whoever brings him', async () => {
  const one = client()
  await one.query({ query: gql(PAGE), variables })
  await one.query({ query: gql(ONE), variables: { id: people[0].id } })
  const kept = one.cache.extract()[`Citizen:${people[0].id}`]
  assert.equal(kept.name, people[0].name)
  assert.ok('phone' in kept)
})

await claims.that('pages are joined in order', async () => {
  const one = client(asking(), paged())
  const watched = one.watchQuery({ query: gql(PAGE), variables })
  const first = await firstValueFrom(watched.pipe(filter((state) => !state.loading)))
  const after = first.data.citizens.pageInfo.endCursor
  await watched.fetchMore({ variables: { ...variables, after } })
  const joined = one.cache.readQuery({ query: gql(PAGE), variables: { division: DIVISION } })
  const whole = await ask(PAGE, { division: DIVISION, first: 4 })
  const ids = (page) => page.edges.map((edge) => edge.node.id)
  assert.deepEqual(ids(joined.citizens), ids(whole.data.citizens))
})

await claims.that('an invalid document is a GraphQL error with its code', async () => {
  const error = await client()
    .query({ query: gql(UNKNOWN_FIELD) })
    .catch((e) => e)
  assert.ok(CombinedGraphQLErrors.is(error), String(error))
  assert.equal(error.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED')
})

await claims.that('half an answer keeps its half', async () => {
  const { data, error } = await client().query({ query: gql(HALF), errorPolicy: 'all' })
  assert.equal(data.viewer.account, 'lab')
  assert.equal(data.citizens, null)
  assert.equal(error.errors[0].extensions.reason, 'PAGE_SIZE')
  assert.deepEqual(error.errors[0].path, ['citizens'])
})

for (const [who, headers, status, code] of [
  ['a stranger', { 'x-purpose': 'aid.review' }, 401, 'UNAUTHENTICATED'],
  ['nobody says what for', { ...asking(), 'x-purpose': 'none' }, 403, 'PURPOSE_REQUIRED'],
]) {
  await claims.that(`${who}: ${status} ${code}`, async () => {
    const error = await client(headers)
      .query({ query: gql('{ viewer { account } }') })
      .catch((e) => e)
    const told = CombinedGraphQLErrors.is(error) ? error.errors : JSON.parse(error.bodyText).errors
    assert.equal(told[0].extensions.code, code)
    if (ServerError.is(error)) assert.equal(error.statusCode, status)
  })
}

if (await hasSubscriptions()) {
  await claims.that('a subscription over graphql-ws, beside queries over HTTP', async () => {
    const line = createClient({
      url: url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${tokens.lab}`, purpose: 'aid.review' },
    })
    const one = new ApolloClient({
      cache: new InMemoryCache(),
      link: ApolloLink.split(
        ({ operationType }) => operationType === 'subscription',
        new GraphQLWsLink(line),
        new HttpLink({ uri: url, headers: asking() }),
      ),
    })
    const told = awaited('Apollo')
    const watching = one.subscribe({ query: gql(EVENTS) }).subscribe(told.resolve)
    await settled()
    const caseNo = await happen()
    const { data } = await told.promise
    watching.unsubscribe()
    assert.equal(data.caseEvents.case.caseNo, caseNo)
    const queried = await one.query({ query: gql('{ viewer { account } }') })
    assert.equal(queried.data.viewer.account, 'lab')
    await line.dispose()
  })
} else claims.absent = 'subscriptions: not there yet'
claims.report()
