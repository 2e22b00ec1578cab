// Hive Gateway before the hub and the visits subgraph:
//   npx hive-gateway supergraph --host 127.0.0.1 --port 8813 -c gateway.config.mjs
import { defineConfig } from "@graphql-hive/gateway";
import { unifiedGraphHandler } from "@graphql-hive/router-runtime";

// Who asks, what for, on which case, for whom: all that the hub judges by. Nobody else gets a token.
const FOR_THE_HUB = [
  "authorization",
  "x-purpose",
  "x-case-no",
  "x-end-user",
  "x-purpose-note",
  "traceparent",
];

export const gatewayConfig = defineConfig({
  supergraph: "./supergraph.graphql",
  // The planner written in Rust: the other one adds an error of its own where the hub answers null.
  unifiedGraphHandler,
  propagateHeaders: {
    fromClientToSubgraphs({ request, subgraphName }) {
      if (subgraphName !== "hub") return {};
      const given = FOR_THE_HUB.map((name) => [name, request.headers.get(name)]);
      return Object.fromEntries(given.filter(([, value]) => value));
    },
  },
  // What one asker got is nobody else's, and every access has its record: nothing is kept or joined.
  responseCaching: false,
  deduplicateRequest: false,
  graphiql: false,
  landingPage: false,
});
