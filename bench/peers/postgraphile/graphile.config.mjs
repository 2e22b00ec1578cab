// PostGraphile 5 as its documentation sets it up, with the officer's township in every request.

import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const [url, port] = process.argv.slice(2);

export default {
  extends: [PostGraphileAmberPreset],
  pgServices: [
    makePgService({ connectionString: url, schemas: ["public"], pubsub: false, poolConfig: { max: 8 } }),
  ],
  schema: { defaultBehavior: "+connection +list" },
  grafserv: { port: Number(port), host: "127.0.0.1", watch: false, graphiql: false },
  grafast: {
    explain: false,
    context: () => ({
      pgSettings: {
        role: "hub_bench_town",
        "bench.town": "532622205",
        "bench.next": "532622206",
      },
    }),
  },
};
