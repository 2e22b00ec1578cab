// Hive Gateway as it comes, without pages for people and without a line per request.

import { defineConfig } from "@graphql-hive/gateway";

export const gatewayConfig = defineConfig({
  supergraph: "./supergraph.graphql",
  graphiql: false,
  landingPage: false,
  logging: "error",
});
