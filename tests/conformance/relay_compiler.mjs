// relay-compiler over schema/schema.graphql: clean, its artifacts compiled strictly, its page run
// with Relay's own store against the hub; its manifest of documents registered.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import assert from 'node:assert/strict'
import { checkout, Claims } from './suite.mjs'
import { registered } from './trusted.mjs'

const here = import.meta.dirname
const folder = join(here, 'relay')
rmSync(folder, { recursive: true, force: true })
mkdirSync(join(folder, '__generated__'), { recursive: true })
cpSync(join(here, 'relay_Roster.ts'), join(folder, 'Roster.ts'))
cpSync(join(checkout, 'schema/schema.graphql'), join(folder, 'schema.graphql'))
const json = (name, value) => writeFileSync(join(folder, name), JSON.stringify(value))
json('package.json', { type: 'commonjs' })
json('persisted.json', {})
json('relay.config.json', {
  src: '.',
  schema: 'schema.graphql',
  language: 'typescript',
  artifactDirectory: '__generated__',
  eagerEsModules: true,
  persistConfig: { file: 'persisted.json', algorithm: 'SHA256' },
  customScalarTypes: {
    Date: 'string',
    DateTime: 'string',
    Decimal: 'string',
    DivisionCode: 'string',
    Month: 'string',
    Sequence: 'number',
  },
})
json('tsconfig.json', {
  compilerOptions: {
    strict: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
    esModuleInterop: true,
    resolveJsonModule: true,
    skipLibCheck: true,
    target: 'ES2022',
    module: 'CommonJS',
    moduleResolution: 'bundler',
    types: ['node'],
    rootDir: '.',
    outDir: 'built',
  },
  include: ['Roster.ts', '__generated__/*.ts'],
})
const claims = new Claims()
const PAGES = { two: 2, four: 4, sent: ['RosterQuery', 'RosterNextPageQuery'] }

function run(program, words, env = {}) {
  const given = { cwd: folder, encoding: 'utf8', stdio: 'pipe', env: { ...process.env, ...env } }
  try {
    return execFileSync(program, words, given)
  } catch (error) {
    throw new Error(`${error.stdout}${error.stderr}`)
  }
}

await claims.that('the compiler is content', () => {
  const compiler = join(here, 'node_modules/relay-compiler/cli.js')
  const said = run(process.execPath, [compiler, 'relay.config.json'])
  assert.match(said, /Done/)
  assert.doesNotMatch(said, /warn|error/i)
})

await claims.that('tsc --strict is content with the artifacts', () => {
  run(process.execPath, [join(here, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json'])
})

await claims.that("Relay's store holds two pages of people", () => {
  const told = JSON.parse(run(process.execPath, ['built/Roster.js']))
  assert.deepEqual(told, PAGES)
})

if (claims.missed.length) claims.report()
if (await registered(claims, join(folder, 'persisted.json'), {})) {
  await claims.that("Relay's store is filled by ids alone", () => {
    const told = JSON.parse(run(process.execPath, ['built/Roster.js'], { HUB_TEST_BY_ID: 'yes' }))
    assert.deepEqual(told, PAGES)
  })
}
claims.report()
