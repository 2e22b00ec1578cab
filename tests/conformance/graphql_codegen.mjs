// graphql-codegen's client preset over schema/schema.graphql, its output compiled by tsc with all
// that `strict` means, the page that uses it run against the hub; its manifest of documents
// registered.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate } from '@graphql-codegen/cli'
import assert from 'node:assert/strict'
import { checkout, Claims } from './suite.mjs'
import { registered } from './trusted.mjs'

const here = import.meta.dirname
const folder = join(here, 'codegen')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder)
for (const name of ['codegen_documents.graphql', 'codegen_page.ts']) {
  cpSync(join(here, name), join(folder, name))
}
writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
const claims = new Claims()

await claims.that('the client preset generates', () =>
  generate(
    {
      cwd: folder,
      silent: true,
      schema: join(checkout, 'schema/schema.graphql'),
      documents: ['codegen_documents.graphql'],
      importExtension: '.js',
      generates: {
        './generated/': {
          preset: 'client',
          presetConfig: {
            persistedDocuments: { hashAlgorithm: 'sha256', mode: 'embedHashInDocument' },
          },
          config: {
            documentMode: 'string',
            strictScalars: true,
            useTypeImports: true,
            enumsAsTypes: true,
            scalars: {
              _Any: 'unknown',
              Date: 'string',
              DateTime: 'string',
              Decimal: 'string',
              DivisionCode: 'string',
              Month: 'string',
              Sequence: 'number',
            },
          },
        },
      },
    },
    true,
  ),
)
writeFileSync(
  join(folder, 'tsconfig.json'),
  JSON.stringify({
    compilerOptions: {
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      noImplicitOverride: true,
      target: 'ES2022',
      module: 'NodeNext',
      moduleResolution: 'NodeNext',
      types: ['node'],
      outDir: 'built',
    },
    include: ['codegen_page.ts', 'generated/**/*.ts'],
  }),
)
const node = process.execPath
const run = (...words) =>
  execFileSync(node, words, { cwd: folder, encoding: 'utf8', stdio: 'pipe' })

await claims.that('tsc --strict is content', () => {
  try {
    run(join(here, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json')
  } catch (error) {
    throw new Error(error.stdout || error.stderr)
  }
})

await claims.that('the compiled page is answered', () => {
  const told = JSON.parse(run('built/codegen_page.js'))
  assert.equal(told.names, 3)
  assert.ok(told.orders >= 0)
})

if (claims.missed.length) claims.report()
await registered(claims, join(folder, 'generated/persisted-documents.json'), { first: 3 })
claims.report()
