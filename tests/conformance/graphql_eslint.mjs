// graphql-eslint over schema/schema.graphql: its recommended rules for a schema, Relay's rules,
// a description on everything, names. Lines are those of the schema as graphql prints it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import graphqlPlugin from '@graphql-eslint/eslint-plugin'
import { ESLint } from 'eslint'
import { parse, print, visit } from 'graphql'
import { checkout, report } from './suite.mjs'

const folder = mkdtempSync(join(import.meta.dirname, 'lint-'))
const sdl = readFileSync(join(checkout, 'schema/schema.graphql'), 'utf8')
writeFileSync(join(folder, 'schema.graphql'), ours(sdl))

/** The schema without what federation's specification prescribes by name. */
function ours(text) {
  const prescribed = ['_Any', '_Entity', '_Service', '_entities', '_service']
  const enter = (node) => (prescribed.includes(node.name?.value) ? null : undefined)
  return print(visit(parse(text), { enter }))
}

const eslint = new ESLint({
  cwd: folder,
  overrideConfigFile: true,
  overrideConfig: [
    {
      files: ['**/*.graphql'],
      plugins: { '@graphql-eslint': graphqlPlugin },
      languageOptions: {
        parser: graphqlPlugin.parser,
        parserOptions: { graphQLConfig: { schema: join(folder, 'schema.graphql') } },
      },
      rules: {
        ...graphqlPlugin.configs['flat/schema-recommended'].rules,
        ...graphqlPlugin.configs['flat/schema-relay'].rules,
        // Lists that are not pages (divisions, departments) hold their members themselves, and
        // connections have `nodes` beside `edges`. What an edge holds need not be refetchable by
        // id (Relay's specification: any output type): a line of the access log is not.
        '@graphql-eslint/relay-edge-types': [
          'error',
          { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false },
        ],
        // Facets and audit lines have no identity of their own; `caseNo`, `householdNo` are the
        // register's own words and keys of the contract.
        '@graphql-eslint/strict-id-in-types': 'off',
        '@graphql-eslint/no-typename-prefix': 'off',
        '@graphql-eslint/require-description': [
          'error',
          {
            types: true,
            DirectiveDefinition: true,
            FieldDefinition: true,
            InputValueDefinition: true,
            EnumValueDefinition: true,
          },
        ],
      },
    },
  ],
})
const results = await eslint.lintFiles(['schema.graphql'])
rmSync(folder, { recursive: true })
const missed = results.flatMap((file) =>
  file.messages.map((m) => `line ${m.line} ${m.ruleId ?? 'parser'}: ${m.message}`),
)
const { rules } = await eslint.calculateConfigForFile('schema.graphql')
const active = Object.values(rules).filter(([level]) => level === 2)
report(`${missed.length} errors by ${active.length} rules`, missed)
