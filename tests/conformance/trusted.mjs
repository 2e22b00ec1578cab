// Manifests of documents, registered with the hub as an operator does (`hub documents add`).
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { checkout } from './suite.mjs'

const hub = join(checkout, '.venv/bin/hub')
const said = (...words) => execFileSync(hub, words, { encoding: 'utf8', stdio: 'pipe' })

export function mayRegister() {
  try {
    return said('documents', 'add', '--help').includes('documents')
  } catch {
    return false
  }
}

/** Claims that the manifest registers, and that its documents are then asked by their ids. */
export async function registered(claims, manifest, count) {
  if (!mayRegister()) {
    claims.absent = 'hub documents add: not there yet'
  }
}
