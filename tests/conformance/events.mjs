// Something happens in the county, so that a subscription is told of it (`hub demo --event`).
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { absent, ask, checkout } from './suite.mjs'

export const EVENTS = 'subscription Events { caseEvents { id state case { caseNo } } }'
export const COUNTS = 'subscription Counts { caseCounts { state count } }'
const run = promisify(execFile)
const PATIENCE_MS = 30_000
/** States that are followed by another on the way of every case. */
const OPEN = new Set(['SUBMITTED', 'ROUTED', 'ACCEPTED', 'VERIFYING', 'DELIVERING'])
const moved = new Set()

export async function hasSubscriptions() {
  const { data } = await ask('{ __schema { subscriptionType { name } } }')
  return data.__schema.subscriptionType !== null
}

/** The suite ends here if the hub has no subscriptions. */
export async function subscribable() {
  if (!(await hasSubscriptions())) absent('subscriptions: not there yet')
}

/** Move one case to its next state; its number. */
export async function happen() {
  const { data } = await ask('{ cases(first: 100) { nodes { caseNo state } } }')
  const open = data.cases.nodes.filter((one) => OPEN.has(one.state) && !moved.has(one.caseNo))
  const { caseNo } = open[0]
  moved.add(caseNo)
  const words = ['demo', '--event', '--dir', process.env.HUB_TEST_SITE, '--case-no', caseNo]
  await run(join(checkout, '.venv/bin/hub'), words)
  return caseNo
}

/** A promise with its ends outside; it fails when nothing comes. */
export function awaited(what) {
  const made = Promise.withResolvers()
  const timer = setTimeout(() => made.reject(new Error(`${what}: nothing came`)), PATIENCE_MS)
  made.promise.finally(() => clearTimeout(timer)).catch(() => undefined)
  return made
}

/** Wait a moment: a subscription is told what happens after it began. */
export const settled = () => new Promise((done) => setTimeout(done, 1_000))
