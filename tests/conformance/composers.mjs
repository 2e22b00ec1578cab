// The three composers: the hub alone, beside a subgraph that extends every entity by its first key
// or by its last, beside one that has Relay's types. No error, no hint, no warning.
import { composeServices as apollo } from '@apollo/composition'
import { composeServices as guild } from '@theguild/federation-composition'
import {
  federateSubgraphs as cosmo,
  ROUTER_COMPATIBILITY_VERSION_ONE,
} from '@wundergraph/composition'
import assert from 'node:assert/strict'
import { parse } from 'graphql'
import { Claims } from './suite.mjs'
import { entities, extending, hubSdl, RELAY } from './subgraphs.mjs'

const COMPOSERS = {
  Apollo(graphs) {
    const services = graphs.map(({ name, sdl }) => ({
      name,
      typeDefs: parse(sdl),
      url: `http://${name}`,
    }))
    const { errors = [], hints = [] } = apollo(services)
    return [
      ...errors.map((e) => e.message),
      ...hints.map((h) => `${h.definition.code} ${h.message}`),
    ]
  },
  'The Guild'(graphs) {
    const services = graphs.map(({ name, sdl }) => ({
      name,
      typeDefs: parse(sdl),
      url: `http://${name}`,
    }))
    return (guild(services).errors ?? []).map((e) => e.message)
  },
  WunderGraph(graphs) {
    const subgraphs = graphs.map(({ name, sdl }) => ({
      name,
      definitions: parse(sdl),
      url: `http://${name}`,
    }))
    const { errors = [], warnings = [] } = cosmo({
      subgraphs,
      version: ROUTER_COMPATIBILITY_VERSION_ONE,
    })
    return [...errors, ...warnings].map((e) => e.message)
  },
}

const sdl = await hubSdl()
const hub = { name: 'hub', sdl }
const first = { name: 'first', sdl: extending(sdl, 0).sdl }
const last = { name: 'last', sdl: extending(sdl, -1).sdl }
const relay = { name: 'relay', sdl: RELAY }
const SETS = {
  alone: [hub],
  'beside one that extends every entity by its first key': [hub, first],
  'beside one that extends every entity by its last key': [hub, last],
  "beside one with Relay's types": [hub, relay],
  'beside all of them': [hub, first, last, relay],
}
const claims = new Claims()

await claims.that('five entities have keys', () => {
  assert.deepEqual(
    entities(sdl)
      .map(({ type }) => type)
      .sort(),
    ['Case', 'Citizen', 'Division', 'Household', 'SupervisionOrder'],
  )
})
for (const [who, told] of Object.entries(COMPOSERS)) {
  for (const [where, graphs] of Object.entries(SETS)) {
    await claims.that(`${who}: ${where}`, () => assert.deepEqual(told(graphs), []))
  }
  await claims.that(`${who} refuses what is wrong`, () => {
    const wrong = first.sdl.replaceAll('@key(fields: "id")', '@key(fields: "nobody")')
    assert.ok(told([hub, { name: 'first', sdl: wrong }]).length)
  })
}
claims.report()
