// Hive Gateway before the hub and a foreign subgraph, with its planner in JavaScript and the one
// in Rust.
import { createGatewayRuntime } from '@graphql-hive/gateway-runtime'
import { unifiedGraphHandler } from '@graphql-hive/router-runtime'
import { held, supergraph } from './gateways.mjs'
import { Claims } from './suite.mjs'

const { supergraphSdl } = await supergraph()
const claims = new Claims()
for (const [name, planner] of [
  ['Hive (JavaScript)', {}],
  ['Hive (Rust)', { unifiedGraphHandler }],
]) {
  const gateway = createGatewayRuntime({
    supergraph: supergraphSdl,
    logging: 'error',
    maskedErrors: false,
    landingPage: false,
    graphiql: false,
    propagateHeaders: {
      fromClientToSubgraphs: ({ request }) => ({
        authorization: request.headers.get('authorization') ?? undefined,
        'x-purpose': request.headers.get('x-purpose') ?? undefined,
      }),
    },
    ...planner,
  })
  await held(claims, name, async (query, variables, headers) => {
    const answer = await gateway.fetch('http://gateway.invalid/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, variables }),
    })
    const { data, errors } = await answer.json()
    return { data, errors }
  })
}
claims.report()
