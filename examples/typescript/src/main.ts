// Reads an id number from standard input, prints the citizen and how many cases there are.
import { graphql } from "./gql/index.js";
import type { CasesQuery, FieldState } from "./gql/graphql.js";
import { Hub, HubError } from "./hub.js";

const CITIZEN = graphql(`
  query Citizen($n: String!) {
    citizen(by: { idNumber: $n }) {
      name
      division {
        name
      }
      civilAffairs {
        minLiving {
          status
          monthlyAmount
        }
      }
      access {
        field
        state
        source
      }
    }
  }
`);

const CASES = graphql(`
  query Cases($after: String) {
    cases(first: 20, after: $after) {
      nodes {
        caseNo
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

/** Why a field is empty, in the words of the clerk; a state to come has none yet. */
function why(state: FieldState): string {
  switch (state) {
    case "MASKED":
      return "已脱敏";
    case "DENIED":
      return "无权查看";
    case "NO_RECORD":
      return "无记录";
    case "SOURCE_DOWN":
      return "部门未应答";
    default:
      return state;
  }
}

async function caseNumbers(hub: Hub): Promise<string[]> {
  const found: string[] = [];
  let after: string | null = null;
  do {
    const { cases }: CasesQuery = (await hub.ask(CASES, { after })).data;
    if (cases === null) break;
    found.push(...cases.nodes.map((one) => one.caseNo));
    after = cases.pageInfo.hasNextPage ? cases.pageInfo.endCursor : null;
  } while (after !== null);
  return found;
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`set ${name}`);
  return value;
}

async function main(): Promise<number> {
  const hub = new Hub({
    url: required("SHARING_URL"),
    token: () => required("SHARING_TOKEN"),
    purpose: process.env["SHARING_PURPOSE"] ?? "aid.file",
  });
  process.stdin.setEncoding("utf-8");
  let idNumber = "";
  for await (const part of process.stdin) idNumber += String(part);
  try {
    const answer = await hub.ask(CITIZEN, { n: idNumber.trim() });
    const person = answer.data.citizen;
    console.log(person == null ? "查无此人，或不在辖区" : `${person.name} ${person.division?.name}`);
    for (const one of person?.access ?? []) console.log(`  ${one.field}: ${why(one.state)}`);
    const numbers = await caseNumbers(hub);
    const place = answer.sandbox ? "；沙箱" : "";
    console.log(`诉求件 ${numbers.length} 件；回执 ${answer.receipt?.idx}${place}`);
    return 0;
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    console.error(error.told.code, error.told.reason ?? "", error.message);
    return error.told.retryable ? 75 : 1;
  }
}

process.exitCode = await main();
