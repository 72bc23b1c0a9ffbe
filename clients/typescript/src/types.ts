/** What crosses HTTP, as `openapi/openapi.json` describes it. Answers may gain fields. */

export type Label = string | number | boolean;
export type Point = Record<string, Label>;
export type When = Record<string, Label[]>;

export type Parameter =
  | { name: string; type: "float"; low: number; high: number; scale?: "linear" | "log"; step?: number; when?: When }
  | { name: string; type: "int"; low: number; high: number; scale?: "linear" | "log"; step?: number; when?: When }
  | { name: string; type: "categorical"; choices: Label[]; when?: When }
  | { name: string; type: "ordinal"; values: Label[]; when?: When };

export interface Metric {
  name: string;
  goal: "minimize" | "maximize" | "constrain" | "record";
  lower?: number;
  upper?: number;
  reference?: number;
}

export interface ParameterConstraint {
  sum: Record<string, number>;
  lower?: number;
  upper?: number;
  equals?: number;
}

export interface StudyRequest {
  name: string;
  parameters: Parameter[];
  metrics: Metric[];
  parameter_constraints?: ParameterConstraint[];
  cost_metric?: string;
  algorithm?: Record<string, unknown>;
  budget?: { trials?: number; cost?: number };
  default_lease_seconds?: number | null;
  retry_expired?: boolean;
  seed?: number;
  metadata?: Record<string, unknown>;
}

export interface StudyRecord {
  id: string;
  name: string;
  state: "active" | "paused" | "completed";
  parameters: Parameter[];
  metrics: Metric[];
  revision: number;
  trial_counts: Record<string, number>;
  metadata: Record<string, unknown>;
  seed: number;
  created_at: string;
  updated_at: string;
}

export interface Observation {
  value: number;
  sem?: number | null;
  gradient?: Record<string, number>;
}

export type Metrics = Record<string, number | Observation>;

export interface TrialRecord {
  number: number;
  /** `queued`, `running`, `completed`, `failed`, `stopped`, `abandoned` or `expired`. */
  state: string;
  parameters: Point;
  metrics: Record<string, Observation> | null;
  reason: string | null;
  origin: string;
  worker: string | null;
  lease_token: string | null;
  lease_expires_at: string | null;
  note: string | null;
  tags: string[];
  metadata: Record<string, unknown>;
  created_at: string;
  ended_at: string | null;
}

export interface AskRequest {
  worker?: string;
  lease_seconds?: number | null;
  sticky?: boolean;
}

export type Outcome =
  | { metrics: Metrics }
  | { failed: string }
  | { stopped: true }
  | { abandoned: string };

export interface AttachedTrial {
  parameters: Point;
  metrics?: Metrics;
  failed?: string;
  stopped?: true;
  outside?: boolean;
  ended_at?: string;
}

export interface Prediction {
  mean: number;
  sd: number;
}

export interface Recommendation {
  parameters: Point;
  predicted: Record<string, Prediction>;
}

export interface BestAnswer {
  trials: TrialRecord[];
  recommended: Recommendation | null;
  recommended_front?: Recommendation[];
  reason?: string;
}

export interface StudyEvent {
  id: number;
  type: string;
  number: number | null;
  at: string;
  data: Record<string, unknown>;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors: { pointer: string; detail: string }[];
}
