// Manifests of documents, registered with the hub as an operator does (`hub documents`), approved
// by another person, then asked by the ids their tools gave them.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { asking, checkout, url } from './suite.mjs'

const CLIENT = 'hub-demo' // whose tokens the demonstration gives out
const HEARD_MS = 2_000 // every worker knows of a changed policy within a second

function hub(...words) {
  const program = join(checkout, '.venv/bin/hub')
  return execFileSync(program, words, { encoding: 'utf8', stdio: 'pipe' })
}

function documents(verb, ...words) {
  const given = ['--client', CLIENT, '--dir', process.env.HUB_TEST_SITE]
  return hub('documents', verb, ...words, ...given)
}

function mayRegister() {
  try {
    return hub('documents', 'add', '--help').length > 0
  } catch {
    return false
  }
}

/**
 * Claims that all of a manifest registers, and that each id is then answered for these variables.
 * False if the hub has no such verb.
 */
export async function registered(claims, manifest, variables) {
  if (!mayRegister()) {
    claims.absent = 'hub documents add: not there yet'
    return false
  }
  const ids = Object.keys(JSON.parse(readFileSync(manifest, 'utf8')))
  await claims.that('the manifest registers whole', () => {
    const told = JSON.parse(documents('add', manifest, '--by', 'lab', '--json'))
    assert.equal(told.new.length, ids.length)
    const labels = told.new.map((one) => `${one.name}/${one.version}`)
    documents('approve', ...labels, '--by', 'sec-01', '--basis', 'conformance')
  })
  await new Promise((heard) => setTimeout(heard, HEARD_MS))
  for (const id of ids) {
    await claims.that(`${id.slice(0, 16)} is answered by its id`, async () => {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...asking() },
        body: JSON.stringify({ documentId: id, variables }),
      })
      const { data, errors } = await answer.json()
      assert.equal(errors, undefined, JSON.stringify(errors))
      assert.ok(Object.values(data).some((one) => one !== null))
    })
  }
  await claims.that('an id that nobody registered is told so', async () => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...asking() },
      body: JSON.stringify({ documentId: `sha256:${'0'.repeat(64)}` }),
    })
    assert.equal((await answer.json()).errors[0].extensions.code, 'DOCUMENT_UNKNOWN')
  })
  return true
}
