// The questions that every client library asks, so that their answers can be compared.

export const DIVISION = '532622205000'

/** A page of a township's people, with what a normalising cache needs. */
export const PAGE = `
  query Page($division: DivisionCode, $first: Int, $after: String) {
    citizens(division: $division, first: $first, after: $after) {
      edges { cursor node { id name } }
      pageInfo { hasNextPage endCursor }
    }
  }
`
export const ONE = 'query One($id: ID!) { citizen(by: { id: $id }) { id name phone } }'
/** Valid, half of it refused: 101 rows are more than a page. */
export const HALF = `
  query Half { viewer { account } citizens(first: 101) { nodes { id } } }
`
export const UNKNOWN_FIELD = 'query Wrong { viewer { nobodyKnows } }'
