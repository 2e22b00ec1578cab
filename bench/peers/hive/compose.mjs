// The supergraph of the three subgraphs, composed here, without any service.
//   node compose.mjs citizens=http://… cases=http://… events=http://…

import { writeFileSync } from "node:fs";
import { composeServices } from "@theguild/federation-composition";
import { parse } from "graphql";
import * as types from "./types.mjs";

const services = process.argv.slice(2).map((pair) => {
  const [name, url] = pair.split("=");
  return { name, url, typeDefs: parse(types[name]) };
});
const made = composeServices(services);
if (made.errors) {
  for (const error of made.errors) console.error(error.message);
  process.exit(1);
}
writeFileSync("supergraph.graphql", made.supergraphSdl);
