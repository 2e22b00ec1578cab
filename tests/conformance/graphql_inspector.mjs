// graphql-inspector: our sample documents fit the schema, the schema is the running hub's, and
// nothing breaks a client since the last release.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CriticalityLevel, diff, validate } from '@graphql-inspector/core'
import { buildClientSchema, buildSchema, getIntrospectionQuery, Source } from 'graphql'
import { ask, checkout, Claims } from './suite.mjs'

const FILE = 'schema/schema.graphql'
const git = (...words) => execFileSync('git', words, { cwd: checkout, encoding: 'utf8' })
const read = (path) => readFileSync(join(checkout, path), 'utf8')

const ours = buildSchema(read(FILE))
const claims = new Claims()

async function unbroken(old, fresh) {
  const changes = await diff(old, fresh)
  const breaks = changes.filter((c) => c.criticality.level === CriticalityLevel.Breaking)
  if (breaks.length) throw new Error(breaks.map((c) => c.message).join('; '))
  return changes
}

await claims.that('the running hub serves the schema in git', async () => {
  const served = buildClientSchema((await ask(getIntrospectionQuery())).data)
  const changes = [...(await unbroken(ours, served)), ...(await unbroken(served, ours))]
  if (changes.length) throw new Error(changes.map((c) => c.message).join('; '))
})

await claims.that('nothing breaks since the last release', () =>
  unbroken(buildSchema(read('schema/released.graphql')), ours),
)

// A gateway's question is put to its supergraph, not to the hub alone.
const names = git('ls-files', 'examples/*.graphql', 'tests/conformance/*.graphql')
  .trim()
  .split('\n')
  .filter((name) => !name.startsWith('examples/gateways/'))
for (const name of names) {
  await claims.that(`${name} is valid`, () => {
    const invalid = validate(ours, [new Source(read(name), name)], { maxDepth: 12 })
    const told = invalid.flatMap((one) => [...one.errors, ...one.deprecated])
    if (told.length) throw new Error(told.map((e) => e.message).join('; '))
  })
}

await claims.that('a break is seen', async () => {
  const broken = buildSchema(read(FILE).replace('  phone: String\n', '  phone: Int\n'))
  await unbroken(ours, broken).then(
    () => Promise.reject(new Error('another type of a field was not seen')),
    () => undefined,
  )
})
claims.report()
