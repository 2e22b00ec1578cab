// A page written against the generated types: compiled strictly, then run against the hub.
import { useFragment } from './generated/fragment-masking.js'
import {
  type CaseFilter,
  NamedFragmentDoc,
  OpenDocument,
  type OpenQuery,
  RosterDocument,
  type RosterQuery,
  type RosterQueryVariables,
} from './generated/graphql.js'

type Asked<TResult, TVariables> = { __apiType?: (variables: TVariables) => TResult }

async function asked<TResult, TVariables>(
  document: Asked<TResult, TVariables> & { toString(): string },
  variables: TVariables,
): Promise<TResult> {
  const { env } = globalThis.process
  const answer = await fetch(env.HUB_TEST_URL!, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${JSON.parse(env.HUB_TEST_TOKENS!).lab}`,
      'x-purpose': 'aid.review',
    },
    body: JSON.stringify({ query: document.toString(), variables }),
  })
  const told = (await answer.json()) as { data: TResult; errors?: unknown }
  if (told.errors) throw new Error(JSON.stringify(told.errors))
  return told.data
}

const variables: RosterQueryVariables = { division: '532622205000', first: 3 }
const roster: RosterQuery = await asked(RosterDocument, variables)
const page = roster.citizens
if (!page) throw new Error('no page')
const names: (string | null | undefined)[] = page.nodes.map(
  (node) => useFragment(NamedFragmentDoc, node).name,
)
if (names.length !== 3) throw new Error(`${names.length} names`)
const filter: CaseFilter = { state: 'CLOSED' }
const open: OpenQuery = await asked(OpenDocument, { filter })
const orders: string[] =
  open.cases?.nodes.flatMap((one) => (one.orders ?? []).map((o) => o.orderNo)) ?? []
// @ts-expect-error no field of the page is called so
void page.nobodyKnows
// @ts-expect-error a number is no code of a division
void ({ division: 5, first: 1 } satisfies RosterQueryVariables)
console.log(JSON.stringify({ names: names.length, orders: orders.length }))
