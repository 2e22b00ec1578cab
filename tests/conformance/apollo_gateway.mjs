// @apollo/gateway before the hub and a foreign subgraph.
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway'
import { createHash } from 'node:crypto'
import { parse } from 'graphql'
import { held, supergraph } from './gateways.mjs'
import { Claims } from './suite.mjs'

class Passing extends RemoteGraphQLDataSource {
  willSendRequest({ request, context }) {
    for (const [name, value] of Object.entries(context.headers ?? {})) {
      request.http.headers.set(name, value)
    }
  }
}

const quiet = { debug() {}, info() {}, warn: console.error, error: console.error }
const { supergraphSdl } = await supergraph()
const gateway = new ApolloGateway({
  supergraphSdl,
  logger: quiet,
  buildService: ({ url }) => new Passing({ url }),
})
const { executor } = await gateway.load()
const claims = new Claims()
await held(claims, 'Apollo', async (query, variables, headers) => {
  const answer = await executor({
    document: parse(query),
    request: { query, variables, http: { method: 'POST', headers: new Map() } },
    queryHash: createHash('sha256').update(query).digest('hex'),
    context: { headers },
    overallCachePolicy: { restrict() {}, policyIfCacheable: () => null },
    metrics: {},
    cache: undefined,
    logger: quiet,
    source: query,
    operationName: undefined,
    operation: parse(query).definitions[0],
    schema: gateway.schema,
  })
  return JSON.parse(JSON.stringify(answer))
})
claims.report()
