// What each of the three subgraphs answers.

export const citizens = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
  type Query {
    citizen(by: CitizenKey!): Citizen
    citizens(first: Int!): Citizens!
  }
  input CitizenKey { id: ID! }
  type Citizens { nodes: [Citizen!]! }
  type Citizen @key(fields: "id") {
    id: ID!
    name: String!
    sex: String!
    birthBand: String
    phone: String
    idNumber: String
    address: String
    regionState: String!
  }
`;

export const cases = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
  type Query {
    cases(first: Int!): Cases!
    caseStats(by: [By!]!): [Stat!]!
  }
  enum By { MONTH TOWNSHIP STATE }
  type Stat { month: String! division: String! state: String! count: Int! }
  type Cases { nodes: [Case!]! }
  type Division { code: String! name: String! }
  type Case @key(fields: "id") {
    id: ID!
    caseNo: String!
    item: String!
    state: String!
    filedAt: String!
    overdue: Boolean!
    applicant: Citizen
    division: Division
  }
  type Citizen @key(fields: "id") {
    id: ID!
    cases(first: Int!): Cases!
  }
`;

export const events = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
  type Events { nodes: [Event!]! }
  type Event { seq: Int! state: String! at: String! }
  type Order { id: ID! orderNo: String! state: String! dueAt: String! }
  type Case @key(fields: "id") {
    id: ID!
    events(last: Int!): Events!
    orders: [Order!]!
  }
`;
