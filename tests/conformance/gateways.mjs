// What every gateway is held to, whichever it is: `through(query, variables, headers)` asks it.
// The hub and a subgraph that extends every entity stand behind it; the user's token is passed on.
import assert from 'node:assert/strict'
import { composeServices } from '@apollo/composition'
import { parse } from 'graphql'
import { ask, asking, url } from './suite.mjs'
import { extending, hubSdl, served } from './subgraphs.mjs'
import { DIVISION, ONE, PAGE } from './documents.mjs'

const PEOPLE = `query People($first: Int) {
  citizens(first: $first) { nodes { id name } }
}`
const CASES = `query Cases {
  cases(first: 10) {
    totalCount
    nodes { id caseNo state applicant { id name household { id householdNo size } } orders { orderNo state } }
    pageInfo { hasNextPage endCursor }
  }
}`
const FACETS = `query Facets($division: DivisionCode) {
  citizens(division: $division, first: 5) {
    nodes { name civilAffairs { minLiving { status monthlyAmount } } access { field state source } }
  }
}`
const WORDS =
  'query Words { viewer { account purpose } divisions(level: TOWNSHIP) { code name } datasets { name } }'
const NOTED = `query Noted($keys: [String!]!) {
  notedCitizen1(keys: $keys) { id name remark1 }
}`
const BOTH = `query Both {
  citizens(first: 3) { nodes { id name remark1 } }
  cases(first: 3) { nodes { id caseNo remark1 } }
}`

/** The supergraph of the hub and the extending subgraph, which is served from now on. */
export async function supergraph() {
  const sdl = await hubSdl()
  const beside = extending(sdl, 0)
  const foreign = await served(beside, 0)
  const services = [
    { name: 'hub', typeDefs: parse(sdl), url },
    { name: 'foreign', typeDefs: parse(beside.sdl), url: foreign },
  ]
  const { errors, supergraphSdl } = composeServices(services)
  if (errors) throw new Error(errors.map((e) => e.message).join('; '))
  return { supergraphSdl, foreign }
}

/** Make the claims about one gateway. */
export async function held(claims, name, through) {
  const people = (await ask(PEOPLE, { first: 100 })).data.citizens.nodes
  const keys = people.map((one) => one.id)
  const township = (await ask(PAGE, { division: DIVISION, first: 100 })).data.citizens.edges
  const local = new Set(township.map(({ node }) => node.id))
  const questions = [
    [PAGE, { division: DIVISION, first: 4 }],
    [ONE, { id: keys[0] }],
    [CASES, {}],
    [FACETS, { division: DIVISION }],
    [WORDS, {}],
  ]
  for (const [query, variables] of questions) {
    const [, called] = /query (\w+)/.exec(query)
    await claims.that(`${name}: ${called} is answered as without it`, async () => {
      const direct = await ask(query, variables)
      const told = await through(query, variables, asking())
      assert.equal(told.errors, undefined, JSON.stringify(told.errors))
      assert.deepEqual(told.data, direct.data)
    })
  }
  await claims.that(`${name}: 100 references, in order`, async () => {
    assert.equal(keys.length, 100)
    const told = await through(NOTED, { keys }, asking())
    assert.equal(told.errors, undefined, JSON.stringify(told.errors))
    const wanted = people.map(({ id, name }) => ({ id, name, remark1: `about ${id}` }))
    assert.deepEqual(told.data.notedCitizen1, wanted)
  })
  await claims.that(`${name}: rows of the hub with what the other adds`, async () => {
    const told = await through(BOTH, {}, asking())
    assert.equal(told.errors, undefined, JSON.stringify(told.errors))
    const { citizens, cases } = told.data
    assert.equal(citizens.nodes.length, 3)
    for (const one of citizens.nodes) assert.equal(one.remark1, `about ${one.id}`)
    for (const one of cases.nodes) assert.equal(one.remark1, `about ${one.id}`)
  })
  await claims.that(`${name}: an unknown key is null beside a known one`, async () => {
    const nobody = '01900000-0000-7000-8000-000000000000'
    const told = await through(NOTED, { keys: [nobody, keys[0]] }, asking())
    assert.equal(told.errors, undefined, JSON.stringify(told.errors))
    assert.deepEqual(
      told.data.notedCitizen1.map((one) => one?.name ?? null),
      [null, people[0].name],
    )
  })
  await claims.that(`${name}: without a token nothing is told`, async () => {
    const told = await through(PEOPLE, { first: 1 }, { 'x-purpose': 'aid.review' })
    assert.equal(told.data?.citizens ?? null, null)
    assert.match(JSON.stringify(told.errors), /UNAUTHENTICATED|401/)
  })
  await claims.that(`${name}: the township's clerk gets what he gets without it`, async () => {
    const clerk = asking('zhelai-town-01', 'aid.file')
    const near = township[0].node
    const far = people.find(({ id }) => id !== near.id && !local.has(id))
    for (const [{ id }, seen] of [
      [near, true],
      [far, false],
    ]) {
      const direct = await ask(ONE, { id }, clerk)
      assert.equal(direct.data.citizen !== null, seen)
      const told = await through(ONE, { id }, clerk)
      assert.deepEqual(told.data, direct.data)
    }
  })
}
