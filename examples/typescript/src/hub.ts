// The client: one account with one purpose, over fetch. Errors by code, what may be tried again.
import type { TypedDocumentString } from "./gql/graphql.js";

/** Codes are stable words, docs/errors has a page each; new ones may come. */
export interface Told {
  readonly code: string;
  readonly reason?: string;
  readonly requestId: string;
  readonly retryable: boolean;
  readonly source?: string;
}

export interface Receipt {
  readonly idx: number;
  readonly leaf: string;
  readonly log: string;
}

interface GraphQLError {
  readonly message: string;
  readonly extensions: Told;
}

interface Body<Result> {
  readonly data?: Result | null;
  readonly errors?: readonly GraphQLError[];
  readonly extensions?: { readonly audit?: Receipt };
}

/** An answer without data. */
export class HubError extends Error {
  constructor(
    message: string,
    readonly told: Told,
  ) {
    super(message);
    this.name = "HubError";
  }
}

export interface Answer<Result> {
  readonly data: Result;
  /** Parts that are null because a department did not answer. */
  readonly missing: readonly Told[];
  /** Where the access is recorded: keep it with what is printed. */
  readonly receipt: Receipt | undefined;
  readonly sandbox: boolean;
}

export interface Options {
  readonly url: string;
  readonly token: () => string | Promise<string>;
  readonly purpose: string;
}

const PART_MISSING = "SOURCE_UNAVAILABLE"; // beside data: one department did not answer
const TRIES = 4;
const LONGEST_MS = 30_000;
const PATIENCE_MS = 15_000; // the hub ends an operation after ten seconds

export class Hub {
  constructor(private readonly options: Options) {}

  /** One operation. Reading may be repeated, so it is while the hub says that it may help. */
  async ask<Result, Variables>(
    document: TypedDocumentString<Result, Variables>,
    variables: Variables,
  ): Promise<Answer<Result>> {
    for (let attempt = 1; ; attempt++) {
      const response = await this.post(document.toString(), variables);
      const body = (await response.json()) as Body<Result>;
      const errors = body.errors ?? [];
      const missing = errors.filter((error) => error.extensions.code === PART_MISSING);
      if (body.data !== undefined && body.data !== null && missing.length === errors.length) {
        return {
          data: body.data,
          missing: missing.map((error) => error.extensions),
          receipt: body.extensions?.audit,
          sandbox: response.headers.get("X-Sandbox") === "true",
        };
      }
      const error = errors.find((one) => !missing.includes(one)) ?? errors[0];
      if (error === undefined) throw new Error(`no GraphQL answer: ${response.status}`);
      if (!error.extensions.retryable || attempt === TRIES) {
        throw new HubError(error.message, error.extensions);
      }
      await pause(response.headers.get("Retry-After"), attempt);
    }
  }

  private async post(query: string, variables: unknown): Promise<Response> {
    return fetch(`${this.options.url}/graphql`, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${await this.options.token()}`,
        "X-Purpose": this.options.purpose,
        "Content-Type": "application/json",
        Accept: "application/graphql-response+json, application/json;q=0.9",
      },
      // Values travel in variables; a document that holds an id number is refused.
      body: JSON.stringify({ query, variables }),
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  }
}

async function pause(told: string | null, attempt: number): Promise<void> {
  const seconds = told !== null && /^\d{1,4}$/.test(told) ? Number(told) : 2 ** (attempt - 1);
  await new Promise((done) => setTimeout(done, Math.min(seconds * 1_000, LONGEST_MS)));
}
