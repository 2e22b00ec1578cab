// graphql-ws: queries and subscriptions over a WebSocket, and every refusal by its close code.
import assert from 'node:assert/strict'
import { createClient } from 'graphql-ws'
import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import WebSocket from 'ws'
import { DIVISION, PAGE, UNKNOWN_FIELD } from './documents.mjs'
import { awaited, EVENTS, happen, settled, subscribable } from './events.mjs'
import { ask, Claims, tokens, url } from './suite.mjs'

await subscribable()
const address = url.replace('http', 'ws')
const lab = { authorization: `Bearer ${tokens.lab}`, purpose: 'aid.review' }
const client = (connectionParams = lab, given = {}) =>
  createClient({
    url: address,
    webSocketImpl: WebSocket,
    connectionParams,
    retryAttempts: 0,
    ...given,
  })

/** The first result of an operation. */
function first(of, query, variables = {}) {
  const told = awaited(query)
  of.subscribe({ query, variables }, { next: told.resolve, error: told.reject, complete() {} })
  return told.promise
}

/** The code a line is closed with when `said` is sent over it, the status of a refused upgrade. */
function closed(said, { protocol = 'graphql-transport-ws', ...given } = {}) {
  const told = awaited('close')
  const line = new WebSocket(address, protocol, given)
  line.on('open', () => said.forEach((message) => line.send(JSON.stringify(message))))
  line.on('unexpected-response', (_request, response) => told.resolve(response.statusCode))
  line.on('close', (code) => told.resolve(code))
  line.on('error', () => undefined)
  return told.promise
}

/** The same for a protocol that is not chosen: the library then hangs up before it reads the code. */
function closedRaw(protocol) {
  const told = awaited('close')
  const { hostname, port, pathname } = new URL(url)
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
    'sec-websocket-protocol': protocol,
  }
  const asked = request({ hostname, port, path: pathname, headers })
  asked.on('upgrade', (_response, socket, head) => {
    const parts = [head]
    socket.on('data', (part) => parts.push(part))
    socket.on('end', () => told.resolve(Buffer.concat(parts).readUInt16BE(2)))
    setTimeout(() => socket.end(), 500)
  })
  asked.on('response', (response) => told.resolve(response.statusCode))
  asked.end()
  return told.promise
}

const init = { type: 'connection_init', payload: lab }
const subscribe = { type: 'subscribe', id: '1', payload: { query: EVENTS } }
const claims = new Claims()

await claims.that('a query is answered as over HTTP', async () => {
  const one = client()
  const variables = { division: DIVISION, first: 2 }
  const { data } = await first(one, PAGE, variables)
  const plain = await ask(PAGE, variables)
  const ids = (page) => page.edges.map((edge) => edge.node.id)
  assert.deepEqual(ids(data.citizens), ids(plain.data.citizens))
  await one.dispose()
})

await claims.that('an invalid document is an error with its code, and the line stays', async () => {
  const one = client()
  const errors = await first(one, UNKNOWN_FIELD).catch((e) => e)
  assert.equal(errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED')
  const { data } = await first(one, '{ viewer { account } }')
  assert.equal(data.viewer.account, 'lab')
  await one.dispose()
})

await claims.that('what happens is told to each who subscribes', async () => {
  const one = client()
  const two = client()
  const told = [first(one, EVENTS), first(two, EVENTS)]
  await settled()
  const caseNo = await happen()
  for (const { data, errors } of await Promise.all(told)) {
    assert.equal(errors, undefined)
    assert.equal(data.caseEvents.case.caseNo, caseNo)
  }
  await Promise.all([one.dispose(), two.dispose()])
})

await claims.that('who has completed is told nothing more; the other is', async () => {
  const one = client()
  const ended = []
  const stop = one.subscribe(
    { query: EVENTS },
    { next: (n) => ended.push(n), error() {}, complete() {} },
  )
  const other = first(one, EVENTS)
  await settled()
  stop()
  await settled()
  await happen()
  await other
  assert.deepEqual(ended, [])
  await one.dispose()
})

const REFUSED = [
  ['a stranger', 4403, [{ type: 'connection_init' }]],
  [
    'a wrong token',
    4403,
    [{ ...init, payload: { authorization: 'Bearer x', purpose: 'aid.review' } }],
  ],
  ['no purpose that is known', 4403, [{ ...init, payload: { ...lab, purpose: 'none' } }]],
  ['a subscription before the acknowledgement', 4401, [subscribe]],
  ['a second connection_init', 4429, [init, init]],
  ['an id in use', 4409, [init, subscribe, subscribe]],
  ['a message of no type', 4400, [{ hello: 1 }]],
  ['no connection_init within ten seconds', 4408, []],
  ['no protocol', 4406, [], { protocol: [] }],
  ['a foreign page', 403, [init], { origin: 'https://foreign.invalid' }],
]
await Promise.all(
  REFUSED.map(([who, code, said, given]) =>
    claims.that(`${who}: ${code}`, async () => assert.equal(await closed(said, given), code)),
  ),
)
await claims.that('the legacy protocol: 4406', async () => {
  assert.equal(await closedRaw('graphql-ws'), 4406)
})
claims.report()
