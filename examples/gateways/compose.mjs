// Composes the two subgraphs with The Guild's composer, for those who have no rover:
//   npm install @theguild/federation-composition graphql
//   node compose.mjs > supergraph.graphql
import { readFileSync } from "node:fs";
import { composeServices } from "@theguild/federation-composition";
import { parse } from "graphql";

const subgraph = (name, url) => ({
  name,
  url,
  typeDefs: parse(readFileSync(`${name}.graphql`, "utf8")),
});

const composed = composeServices([
  subgraph("hub", "http://127.0.0.1:8811/graphql"),
  subgraph("visits", "http://127.0.0.1:8812/graphql"),
]);
if (composed.errors?.length) {
  for (const error of composed.errors) console.error(error.message);
  process.exit(1);
}
process.stdout.write(composed.supergraphSdl);
