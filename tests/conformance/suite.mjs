// What every suite in JavaScript needs: where the hub is, who asks, how to say what was reached.

export const url = process.env.HUB_TEST_URL
export const checkout = process.env.HUB_TEST_CHECKOUT
export const tokens = JSON.parse(process.env.HUB_TEST_TOKENS)

/** The headers of a question that `account` asks for `purpose`. */
export function asking(account = 'lab', purpose = 'aid.review') {
  return { authorization: `Bearer ${tokens[account]}`, 'x-purpose': purpose }
}

/** One question by plain HTTP; the whole answer. */
export async function ask(query, variables = {}, headers = asking()) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  })
  return await answer.json()
}

/** Counts claims; a claim that does not hold is told with what was found. */
export class Claims {
  held = 0
  missed = []
  absent = ''

  async that(claim, check) {
    try {
      await check()
      this.held += 1
    } catch (error) {
      const told = String(error?.message ?? error).replaceAll(/\s+/g, ' ')
      this.missed.push(`${claim}: ${told.slice(0, 400)}`)
    }
  }

  report() {
    const all = this.held + this.missed.length
    report(`${this.held} of ${all}`, this.missed, this.absent)
  }
}

/** The last word of a suite: what was reached, and what was missed, if anything. */
export function report(reached, missed = [], missing = '') {
  console.log(JSON.stringify({ reached, missed, absent: missing }))
  process.exit(0)
}

/** The road that is asked for does not exist (yet). */
export function absent(reason) {
  report('not there yet', [], reason)
}
