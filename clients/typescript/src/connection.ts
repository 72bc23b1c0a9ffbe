/** Calls of the HTTP API with nothing but `fetch`: retries under one idempotency key, refusals as exceptions. */

import type { Problem } from "./types.js";

/** Everything that this package throws. */
export class TellusError extends Error {}

/** The service did not answer, however often it was asked. */
export class Unreachable extends TellusError {}

/** The service refused (RFC 9457). `reason` is the last word of the problem's URI: `budget-spent`, `invalid` … */
export class Refused extends TellusError {
  readonly status: number;
  readonly reason: string;
  readonly problem: Partial<Problem>;

  constructor(request: string, status: number, problem: Partial<Problem>) {
    const faults = (problem.errors ?? []).map((fault) => `\n  ${fault.pointer}: ${fault.detail}`).join("");
    super(`${request}: ${status} ${problem.title ?? ""}: ${problem.detail ?? ""}${faults}`);
    this.status = status;
    this.reason = (problem.type ?? "").split(":").at(-1) ?? "";
    this.problem = problem;
  }

  /** Each fault of the request by its place. */
  get faults(): Record<string, string> {
    return Object.fromEntries((this.problem.errors ?? []).map((fault) => [fault.pointer, fault.detail]));
  }
}

export interface Options {
  /** Sent as `Authorization: Bearer …`. */
  token?: string;
  /** How long failed attempts are repeated, in milliseconds. */
  patience?: number;
  /** How long one attempt may take, in milliseconds. */
  timeout?: number;
  /** Another `fetch` than the global one. */
  fetch?: typeof globalThis.fetch;
}

const PASSING = new Set([408, 429, 500, 502, 503, 504]);
const LONGEST_WAIT = 10_000;

/** A service, and how it is called. */
export class Connection {
  readonly url: string;
  private readonly options: Options;

  constructor(url: string, options: Options = {}) {
    this.url = url.replace(/\/+$/, "");
    this.options = options;
  }

  get<T>(path: string): Promise<T> {
    return this.call<T>("GET", path);
  }

  post<T>(path: string, body: object = {}): Promise<T> {
    return this.call<T>("POST", path, body);
  }

  /** One call with its retries. */
  async call<T>(method: string, path: string, body?: object): Promise<T> {
    const headers = this.headers({ Accept: "application/json" });
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (method === "POST") headers["Idempotency-Key"] = crypto.randomUUID();
    const send = this.options.fetch ?? globalThis.fetch;
    const giveUp = Date.now() + (this.options.patience ?? 120_000);
    for (let wait = 100; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      let failure: TellusError;
      let pause = wait * (0.5 + 0.5 * Math.random());
      try {
        const answer = await send(this.url + path, {
          method,
          headers,
          signal: AbortSignal.timeout(this.options.timeout ?? 90_000),
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const text = await answer.text();
        if (answer.ok) return (text ? JSON.parse(text) : undefined) as T;
        const refused = new Refused(`${method} ${path}`, answer.status, parsed(text));
        if (!PASSING.has(answer.status) && refused.reason !== "request-in-progress") throw refused;
        pause = Math.max(pause, 1000 * Number(answer.headers.get("Retry-After") ?? 0));
        failure = refused;
      } catch (error) {
        if (error instanceof TellusError) throw error;
        failure = new Unreachable(`${method} ${this.url}${path}: ${error}; is the service running there?`);
      }
      if (Date.now() + pause > giveUp) throw failure;
      await new Promise((done) => setTimeout(done, pause));
    }
  }

  /** The server-sent events of a path, behind one of them; ends when the server ends it or `signal` says so. */
  async *stream<T>(path: string, signal?: AbortSignal): AsyncGenerator<T> {
    const send = this.options.fetch ?? globalThis.fetch;
    const answer = await send(this.url + path, {
      headers: this.headers({ Accept: "text/event-stream" }),
      ...(signal ? { signal } : {}),
    });
    if (!answer.ok || !answer.body) throw new Refused(`GET ${path}`, answer.status, parsed(await answer.text()));
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          if (!line.startsWith("data:")) continue;
          const event: unknown = JSON.parse(line.slice(5));
          if (typeof event === "object" && event !== null) yield event as T;
        }
      }
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  }

  private headers(some: Record<string, string>): Record<string, string> {
    return this.options.token ? { ...some, Authorization: `Bearer ${this.options.token}` } : some;
  }
}

function parsed(text: string): Partial<Problem> {
  try {
    return JSON.parse(text) as Partial<Problem>;
  } catch {
    return { detail: text.slice(0, 200) };
  }
}
