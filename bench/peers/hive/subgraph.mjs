// One subgraph: Yoga, DataLoader, hand-written SQL. Rows of the township only, masks in the SQL.
//   node subgraph.mjs citizens|cases|events postgresql://… PORT

import { createServer } from "node:http";
import { buildSubgraphSchema } from "@apollo/subgraph";
import DataLoader from "dataloader";
import { parse } from "graphql";
import { createYoga } from "graphql-yoga";
import pg from "pg";
import * as types from "./types.mjs";

const [name, url, port] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url, max: 8, options: "-c timezone=Asia/Shanghai" });
const here = (t) => `${t}.region_path >= '532622205' AND ${t}.region_path < '532622206'`;
const grown = "z.birth <= current_date - INTERVAL '14 years'";

const CITIZEN = `SELECT z.id, left(z.name, 1) || '*' AS name, z.sex, z.birth_band AS "birthBand",
    CASE WHEN ${grown} THEN
      CASE WHEN length(z.phone) >= 8 THEN '****' || right(z.phone, 4)
           WHEN z.phone IS NOT NULL THEN '****' END END AS phone,
    NULL AS "idNumber", z.region_state AS "regionState",
    CASE WHEN ${grown} AND z.address IS NOT NULL THEN d.name END AS address
  FROM citizen z LEFT JOIN division d ON d.path = z.region_path WHERE ${here("z")}`;
const CASE = `SELECT f.id, f.case_no AS "caseNo", f.item, f.state, f.filed_at AS "filedAt", f.overdue,
    f.applicant_id AS applicant, d.code, d.name
  FROM case_file f LEFT JOIN division d ON d.path = f.region_path WHERE ${here("f")}`;
const NEWEST = "ORDER BY f.filed_at DESC, f.id DESC";

const SQL = {
  citizensById: `${CITIZEN} AND z.id = ANY($1)`,
  citizens: `${CITIZEN} ORDER BY z.region_path, z.id LIMIT $1`,
  cases: `${CASE} ${NEWEST} LIMIT $1`,
  casesById: `${CASE} AND f.id = ANY($1)`,
  casesOf: `${CASE} AND f.applicant_id = ANY($1) ${NEWEST}`,
  events: `SELECT case_id, seq, state, at FROM case_event e
    WHERE case_id = ANY($1) AND ${here("e")} ORDER BY e.at, e.id`,
  orders: `SELECT case_id, id, order_no AS "orderNo", state, due_at AS "dueAt"
    FROM supervision_order o WHERE case_id = ANY($1) AND ${here("o")}
    ORDER BY o.issued_at DESC, o.id DESC`,
  stats: `SELECT to_char(t.month, 'YYYY-MM') AS month, t.town || '000' AS division, t.state, t.count
    FROM (SELECT date_trunc('month', filed_at) AS month, left(region_path, 9) AS town, state,
                 count(*)::integer AS count
            FROM case_file f WHERE ${here("f")} GROUP BY 1, 2, 3) t ORDER BY 1, 2, 3`,
};

// A named statement is prepared once a connection.
const rows = async (what, ...values) =>
  (await pool.query({ name: what, text: SQL[what], values })).rows;

function one(what) {
  return new DataLoader(async (ids) => {
    const found = new Map((await rows(what, ids)).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id) ?? null);
  });
}

function many(what, key) {
  return new DataLoader(async (ids) => {
    const found = new Map(ids.map((id) => [id, []]));
    for (const row of await rows(what, ids)) found.get(row[key]).push(row);
    return ids.map((id) => found.get(id));
  });
}

const time = (field) => (row) => row[field].toISOString();

const parts = {
  citizens: {
    loaders: () => ({ citizens: one("citizensById") }),
    resolvers: {
      Query: {
        citizen: (_, { by }, context) => context.citizens.load(by.id),
        citizens: async (_, { first }) => ({ nodes: await rows("citizens", first) }),
      },
      Citizen: { __resolveReference: ({ id }, context) => context.citizens.load(id) },
    },
  },
  cases: {
    loaders: () => ({ casesOf: many("casesOf", "applicant"), cases: one("casesById") }),
    resolvers: {
      Query: {
        cases: async (_, { first }) => ({ nodes: await rows("cases", first) }),
        caseStats: () => rows("stats"),
      },
      Case: {
        __resolveReference: ({ id }, context) => context.cases.load(id),
        filedAt: time("filedAt"),
        applicant: (row) => ({ id: row.applicant }),
        division: (row) => (row.code ? { code: row.code, name: row.name } : null),
      },
      Citizen: {
        cases: async ({ id }, { first }, context) => ({
          nodes: (await context.casesOf.load(id)).slice(0, first),
        }),
      },
    },
  },
  events: {
    loaders: () => ({ events: many("events", "case_id"), orders: many("orders", "case_id") }),
    resolvers: {
      Case: {
        events: async ({ id }, { last }, context) => ({
          nodes: (await context.events.load(id)).slice(-last),
        }),
        orders: ({ id }, _, context) => context.orders.load(id),
      },
      Event: { at: time("at") },
      Order: { dueAt: time("dueAt") },
    },
  },
};

const { loaders, resolvers } = parts[name];
const yoga = createYoga({
  schema: buildSubgraphSchema({ typeDefs: parse(types[name]), resolvers }),
  context: loaders,
  graphiql: false,
  landingPage: false,
  logging: "error",
  maskedErrors: false,
});
createServer(yoga).listen(Number(port), "127.0.0.1");
