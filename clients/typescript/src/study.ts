/** Studies and trials: what is asked, and what is told. */

import { Connection, Refused, type Options } from "./connection.js";
import type {
  AskRequest,
  AttachedTrial,
  BestAnswer,
  Metrics,
  Outcome,
  Point,
  StudyEvent,
  StudyRecord,
  StudyRequest,
  TrialRecord,
} from "./types.js";

/** A Tellus service: `new Client("http://127.0.0.1:8080")`. */
export class Client {
  readonly connection: Connection;

  constructor(url = "http://127.0.0.1:8080", options: Options = {}) {
    this.connection = new Connection(url, options);
  }

  /** Creates the study, unless it is there with the same definition. */
  async study(definition: StudyRequest): Promise<Study> {
    return new Study(this.connection, await this.connection.post<StudyRecord>("/v1/studies", definition));
  }

  /** The study of this name, if there is one. */
  async find(name: string): Promise<Study | undefined> {
    const path = `/v1/studies?name=${encodeURIComponent(name)}`;
    const { studies } = await this.connection.get<{ studies: StudyRecord[] }>(path);
    return studies[0] && new Study(this.connection, studies[0]);
  }

  /** The study of this id. */
  async open(id: string): Promise<Study> {
    const record = await this.connection.get<StudyRecord>(`/v1/studies/${encodeURIComponent(id)}`);
    return new Study(this.connection, record);
  }
}

/** One black-box problem. `record` is what the service last said of it. */
export class Study {
  readonly connection: Connection;
  record: StudyRecord;

  constructor(connection: Connection, record: StudyRecord) {
    this.connection = connection;
    this.record = record;
  }

  get id(): string {
    return this.record.id;
  }

  get path(): string {
    return `/v1/studies/${this.record.id}`;
  }

  /** The names of the metrics that are optimized. */
  get objectives(): string[] {
    return this.record.metrics.filter((m) => m.goal === "minimize" || m.goal === "maximize").map((m) => m.name);
  }

  async refresh(): Promise<this> {
    this.record = await this.connection.get<StudyRecord>(this.path);
    return this;
  }

  /** The next trial to evaluate. */
  async ask(request: AskRequest = {}): Promise<Trial> {
    const [trial] = await this.askBatch(1, request);
    return trial as Trial;
  }

  /** The next trials, chosen together. Fewer where the space or the budget has no more. */
  async askBatch(count: number, request: AskRequest = {}): Promise<Trial[]> {
    const body = { count, ...request };
    const { trials } = await this.connection.post<{ trials: TrialRecord[] }>(`${this.path}/ask`, body);
    return trials.map((record) => new Trial(this, record));
  }

  /** Attaches trials evaluated elsewhere, all or none; those without an outcome are queued. Returns their numbers. */
  async attach(trials: AttachedTrial[]): Promise<number[]> {
    return (await this.connection.post<{ numbers: number[] }>(`${this.path}/trials`, { trials })).numbers;
  }

  /** The best feasible trial (the Pareto front of several objectives), and what the model recommends. */
  best(): Promise<BestAnswer> {
    return this.connection.get<BestAnswer>(`${this.path}/best`);
  }

  /** All trials by number, or those of a state. */
  async *trials(state?: string): AsyncGenerator<Trial> {
    const query = `limit=1000${state ? `&state=${encodeURIComponent(state)}` : ""}`;
    for (let cursor: string | null = ""; cursor !== null; ) {
      const from: string = cursor && `&cursor=${encodeURIComponent(cursor)}`;
      const page: { trials: TrialRecord[]; next_cursor?: string | null } = await this.connection.get(
        `${this.path}/trials?${query}${from}`,
      );
      for (const record of page.trials) yield new Trial(this, record);
      cursor = page.next_cursor ?? null;
    }
  }

  /** Each change behind revision `after` as it happens. */
  events(after = this.record.revision, signal?: AbortSignal): AsyncGenerator<StudyEvent> {
    return this.connection.stream<StudyEvent>(`${this.path}/events?after=${after}`, signal);
  }

  /** Changes `state`, `metadata`, `budget` or lease settings. */
  async change(patch: object): Promise<this> {
    this.record = await this.connection.call<StudyRecord>("PATCH", this.path, patch);
    return this;
  }

  /** Removes it with all its trials. */
  async delete(): Promise<void> {
    await this.connection.call<void>("DELETE", this.path);
  }
}

/** One point and what became of it. */
export class Trial {
  readonly study: Study;
  record: TrialRecord;

  constructor(study: Study, record: TrialRecord) {
    this.study = study;
    this.record = record;
  }

  get number(): number {
    return this.record.number;
  }

  get state(): string {
    return this.record.state;
  }

  /** The point; parameters that its conditions switch off are absent. */
  get parameters(): Point {
    return this.record.parameters;
  }

  /** The value of the study's only objective, once it is told. */
  get value(): number | undefined {
    const [name, second] = this.study.objectives;
    return name !== undefined && second === undefined ? this.record.metrics?.[name]?.value : undefined;
  }

  /** `trial.tell(0.3)` where the study has one objective, `trial.tell({loss: 0.3, seconds: 12})`. */
  tell(metrics: number | Metrics): Promise<this> {
    if (typeof metrics === "number") {
      const [name, second] = this.study.objectives;
      if (name === undefined || second !== undefined) throw new TypeError("tell several objectives by name");
      metrics = { [name]: metrics };
    }
    return this.outcome({ metrics });
  }

  /** The point itself cannot be evaluated: it is learned from, and not proposed again. */
  fail(reason: string): Promise<this> {
    return this.outcome({ failed: reason });
  }

  /** It was ended early. */
  stop(): Promise<this> {
    return this.outcome({ stopped: true });
  }

  /** It was given up for a reason that says nothing about the point. */
  abandon(reason: string): Promise<this> {
    return this.outcome({ abandoned: reason });
  }

  /** Extends the lease; whether the evaluation should stop. */
  async heartbeat(): Promise<boolean> {
    try {
      const path = `${this.study.path}/trials/${this.number}/heartbeat`;
      return (await this.study.connection.post<{ should_stop: boolean }>(path, this.lease())).should_stop;
    } catch (error) {
      if (error instanceof Refused && error.reason === "lease-lost") return true;
      throw error;
    }
  }

  private lease(): object {
    const token = this.record.lease_token;
    return token && this.record.state === "running" ? { lease_token: token } : {};
  }

  private async outcome(outcome: Outcome): Promise<this> {
    const path = `${this.study.path}/trials/${this.number}/tell`;
    this.record = await this.study.connection.post<TrialRecord>(path, { ...outcome, ...this.lease() });
    return this;
  }
}

/** What `minimize` is told. */
export interface MinimizeOptions extends Omit<StudyRequest, "name" | "metrics"> {
  client?: Client;
  name?: string;
  metrics?: StudyRequest["metrics"];
  trials: number;
  /** How many evaluations are under way at once. */
  workers?: number;
  onTrial?: (trial: Trial) => void;
}

/**
 * Looks for the parameters at which `objective` is least. What it throws is a failure of the point, and learned from.
 * With a `name`, an interrupted call goes on where it was.
 */
export async function minimize(
  objective: (parameters: Point) => number | Metrics | Promise<number | Metrics>,
  options: MinimizeOptions,
): Promise<{ study: Study; best: TrialRecord | undefined }> {
  const { client = new Client(), trials, workers = 1, onTrial, name, metrics, ...definition } = options;
  const study = await client.study({
    ...definition,
    name: name ?? `minimize-${crypto.randomUUID()}`,
    metrics: metrics ?? [{ name: "value", goal: "minimize" }],
  });
  const counts = study.record.trial_counts;
  let left = trials - ["completed", "failed", "stopped"].reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      const trial = await study.ask({ lease_seconds: 3600 });
      try {
        const value = await objective(trial.parameters);
        if (typeof value === "number" && !Number.isFinite(value)) await trial.fail(`the function returned ${value}`);
        else await trial.tell(value);
      } catch (error) {
        if (error instanceof Refused) throw error;
        await trial.fail(String(error));
      }
      onTrial?.(trial);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return { study, best: (await study.best()).trials[0] };
}
