// The hub as a subgraph, and the foreign subgraphs beside it: one that extends every entity by
// each of its keys, one that has the types of Relay itself.
import { buildSubgraphSchema } from '@apollo/subgraph'
import { execute, Kind, parse, print } from 'graphql'
import { createServer } from 'node:http'
import { absent, ask } from './suite.mjs'

/** The subgraph's SDL as the hub tells it to the lab; the suite ends if there is no such road. */
export async function hubSdl() {
  const { data, errors } = await ask('{ _service { sdl } }')
  if (errors?.[0].extensions.code === 'GRAPHQL_VALIDATION_FAILED') absent('_service: not there yet')
  if (errors) throw new Error(JSON.stringify(errors))
  return data._service.sdl
}

/** Every entity of an SDL: {type, keys: [{field, kind}]}, a key's kind as its field has it. */
export function entities(sdl) {
  return parse(sdl).definitions.flatMap((node) => {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION) return []
    const keys = node.directives
      .filter((directive) => directive.name.value === 'key')
      .map((directive) => directive.arguments[0].value.value)
    const kind = (name) => print(node.fields.find((field) => field.name.value === name).type)
    const told = keys.map((field) => ({ field, kind: kind(field) }))
    return keys.length ? [{ type: node.name.value, keys: told }] : []
  })
}

const LINK =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable"])'

/** A subgraph that knows every entity by its first (0) or last (-1) key and has a field more. */
export function extending(sdl, at) {
  const known = entities(sdl)
  const chosen = known.map(({ type, keys }) => ({ type, key: keys.at(at) }))
  const types = chosen.map(
    ({ type, key }) =>
      `type ${type} @key(fields: "${key.field}") { ${key.field}: ${key.kind} remark${at + 1}: String! }`,
  )
  const named = chosen.map(({ key }) => key.kind.replace('!', ''))
  const scalars = [...new Set(named)].filter((name) => !['ID', 'String'].includes(name))
  const roots = chosen.map(({ type }) => `noted${type}${at + 1}(keys: [String!]!): [${type}]!`)
  const text = [LINK, ...scalars.map((name) => `scalar ${name}`), ...types]
  return { chosen, sdl: [...text, `type Query { ${roots.join('\n')} }`].join('\n') }
}

/** A subgraph with Relay's own types: an interface, a connection, a page of its own. */
export const RELAY = `${LINK}
interface Node { id: ID! }
type PageInfo @shareable {
  hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String
}
type Notice implements Node @key(fields: "id") { id: ID! text: String! }
type NoticeEdge { cursor: String! node: Notice! }
type NoticeConnection { edges: [NoticeEdge!]! pageInfo: PageInfo! }
type Query { node(id: ID!): Node  notices(first: Int, after: String): NoticeConnection! }
`

/** An extending subgraph as a server on a loopback port; `asked` counts its requests. */
export async function served({ sdl, chosen }, at) {
  const resolvers = { Query: {} }
  for (const { type, key } of chosen) {
    const refer = (value) => ({ __typename: type, [key.field]: value })
    resolvers.Query[`noted${type}${at + 1}`] = (_parent, { keys }) => keys.map(refer)
    resolvers[type] = {
      __resolveReference: (reference) => reference,
      [`remark${at + 1}`]: (parent) => `about ${parent[key.field]}`,
    }
  }
  const schema = buildSubgraphSchema({ typeDefs: parse(sdl), resolvers })
  const server = createServer(async (request, response) => {
    const parts = []
    for await (const part of request) parts.push(part)
    const { query, variables } = JSON.parse(Buffer.concat(parts))
    const answer = await execute({ schema, document: parse(query), variableValues: variables })
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(answer))
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  return `http://127.0.0.1:${server.address().port}/graphql`
}
