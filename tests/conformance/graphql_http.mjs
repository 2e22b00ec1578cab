// The audits of the GraphQL over HTTP specification, as shipped with graphql-http.
// A MAY is the server's choice (here: no GET on /graphql); MUST and SHOULD are not.
import { serverAudits } from 'graphql-http'
import { asking, report, url } from './suite.mjs'

const audits = serverAudits({
  url,
  fetchFn: (address, given = {}) =>
    fetch(address, { ...given, headers: { ...asking(), ...given.headers } }),
})
const missed = []
const count = { MUST: 0, SHOULD: 0, MAY: 0 }
for (const audit of audits) {
  const outcome = await audit.fn()
  if (outcome.status === 'ok') continue
  const kind = audit.name.split(' ')[0]
  count[kind] += 1
  if (kind !== 'MAY') missed.push(`${audit.id} ${audit.name}: ${outcome.reason}`)
  else console.error(`${audit.id} ${audit.name}: ${outcome.reason}`)
}
const told = `${audits.length} audits: ${count.MUST} MUST, ${count.SHOULD} SHOULD missed, ${count.MAY} MAY`
if (audits.length < 61) missed.push(`only ${audits.length} audits`)
report(told, missed)
