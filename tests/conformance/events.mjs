// Something happens in the county, so that a subscription is told of it (`hub demo --event`).
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { absent, ask, checkout } from './suite.mjs'

export const EVENTS = 'subscription Events { caseEvents { id state case { caseNo } } }'
export const COUNTS = 'subscription Counts { caseCounts { state count } }'
const run = promisify(execFile)
const PATIENCE_MS = 15_000
const moved = new Set()

export async function hasSubscriptions() {
  const { data } = await ask('{ __schema { subscriptionType { name } } }')
  return data.__schema.subscriptionType !== null
}

/** The suite ends here if the hub has no subscriptions. */
export async function subscribable() {
  if (!(await hasSubscriptions())) absent('subscriptions: not there yet')
}

/** Move one case that has a next step; its number. */
export async function happen() {
  const { data } = await ask('{ cases(first: 100) { nodes { caseNo state } } }')
  for (const { caseNo } of data.cases.nodes.filter((one) => !moved.has(one.caseNo))) {
    moved.add(caseNo)
    const words = ['demo', '--event', '--dir', process.env.HUB_TEST_SITE, '--case-no', caseNo]
    try {
      await run(join(checkout, '.venv/bin/hub'), words)
      return caseNo
    } catch {
      // This one is closed: there is no next step.
    }
  }
  throw new Error('no case has a next step')
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
