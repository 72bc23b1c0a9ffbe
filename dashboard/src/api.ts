// The service as the dashboard calls it. Every type comes from the OpenAPI document: where the contract changes, the
// build breaks here and not a page in front of somebody.
import type { components, operations, paths } from "../generated/contract";

type Schemas = components["schemas"];
export type Study = Schemas["Study"];
export type StudyRequest = Schemas["StudyRequest"];
export type StudyCheck = Schemas["StudyCheck"];
export type StudyPatch = Schemas["StudyPatch"];
export type Parameter = Schemas["Parameter"];
export type Metric = Schemas["Metric"];
export type Trial = Schemas["Trial"];
export type TableRow = Schemas["TableRow"];
export type TableAnswer = Schemas["TableAnswer"];
export type HistoryAnswer = Schemas["HistoryAnswer"];
export type ColumnsAnswer = Schemas["ColumnsAnswer"];
export type CurvesAnswer = Schemas["CurvesAnswer"];
export type BestAnswer = Schemas["BestAnswer"];
export type PredictAnswer = Schemas["PredictAnswer"];
export type InsightsAnswer = Schemas["InsightsAnswer"];
export type ModelInsight = Schemas["ModelInsight"];
export type Network = Schemas["Network"];
export type Solve = Schemas["Solve"];
export type TellRequest = Schemas["TellRequest"];
export type StudyEvent = Schemas["Event"];
export type Problem = Schemas["Problem"];
export type Token = Schemas["Token"];
export type Project = Schemas["Project"];
export type Quotas = Schemas["ProjectQuotas"];
export type AuditEntry = Schemas["AuditEntry"];
/** A parameter's values as the service writes them. */
export type Point = Record<string, unknown>;

/** The query of an operation. */
type Query<Name extends keyof operations> = NonNullable<operations[Name]["parameters"]["query"]>;
/** A path that the contract knows. */
type Path = keyof paths & string;

/** What the window hears when the service asks who one is. */
export const SIGNED_OUT = "tellus-signed-out";

/** A request that the service refused, or that did not reach it. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly errors: Problem["errors"] = [],
    readonly cause_uri = "",
  ) {
    super(detail || title);
  }
}

function fill(path: Path, names: Record<string, string | number>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(names[name])));
}

async function send<T>(method: string, url: string, body?: unknown): Promise<T> {
  let response: Response;
  const file = body instanceof Blob;
  const kind = file ? "application/octet-stream" : "application/json";
  try {
    response = await fetch(url, {
      method,
      headers: body === undefined ? { accept: "application/json" } : { "content-type": kind, accept: "application/json" },
      body: body === undefined ? undefined : file ? body : JSON.stringify(body),
    });
  } catch {
    throw new Refusal(0, "The service does not answer", "Check that it is running and that you are connected; this page goes on by itself.");
  }
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  const problem = (await response.json().catch(() => null)) as Problem | null;
  if (response.status === 401) dispatchEvent(new Event(SIGNED_OUT));
  throw new Refusal(response.status, problem?.title ?? `HTTP ${response.status}`, problem?.detail ?? "", problem?.errors, problem?.type);
}

function withQuery(url: string, query: Record<string, unknown> = {}): string {
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${url}?${text}` : url;
}

export const api = {
  studies: (query: Query<"list_studies">) => send<Schemas["StudyList"]>("GET", withQuery("/v1/studies", query)),
  study: (study: string) => send<Study>("GET", fill("/v1/studies/{study}", { study })),
  checkStudy: (body: unknown) => send<StudyCheck>("POST", "/v1/studies/check" satisfies Path, body),
  createStudy: (body: unknown) => send<Study>("POST", "/v1/studies" satisfies Path, body),
  changeStudy: (study: string, patch: StudyPatch) => send<Study>("PATCH", fill("/v1/studies/{study}", { study }), patch),
  deleteStudy: (study: string) => send<void>("DELETE", fill("/v1/studies/{study}", { study })),
  history: (study: string, query: Query<"get_history">) =>
    send<HistoryAnswer>("GET", withQuery(fill("/v1/studies/{study}/history", { study }), query)),
  columns: (study: string, query: Query<"get_columns">) =>
    send<ColumnsAnswer>("GET", withQuery(fill("/v1/studies/{study}/columns", { study }), query)),
  curves: (study: string, metric: string) =>
    send<CurvesAnswer>("GET", withQuery(fill("/v1/studies/{study}/curves", { study }), { metric } satisfies Query<"get_curves">)),
  table: (study: string, query: Query<"get_table">) =>
    send<TableAnswer>("GET", withQuery(fill("/v1/studies/{study}/table", { study }), query)),
  best: (study: string) => send<BestAnswer>("GET", fill("/v1/studies/{study}/best", { study })),
  predict: (study: string, points: Point[]) =>
    send<PredictAnswer>("POST", fill("/v1/studies/{study}/predict", { study }), { points } satisfies Schemas["PredictRequest"]),
  insights: (study: string) => send<InsightsAnswer>("GET", fill("/v1/studies/{study}/insights", { study })),
  networks: (query: Query<"list_networks">) => send<Schemas["NetworkList"]>("GET", withQuery("/v1/networks", query)),
  network: (network: string) => send<Network>("GET", fill("/v1/networks/{network}", { network })),
  uploadNetwork: (name: string, file: Blob) => send<Network>("POST", withQuery("/v1/networks", { name } satisfies Query<"create_network">), file),
  deleteNetwork: (network: string) => send<void>("DELETE", fill("/v1/networks/{network}", { network })),
  solve: (study: string, evaluations: number) => send<Solve>("POST", fill("/v1/studies/{study}/solve", { study }), { evaluations } satisfies Schemas["SolveRequest"]),
  cancelSolve: (study: string) => send<Solve>("DELETE", fill("/v1/studies/{study}/solve", { study })),
  trials: (study: string, query: Query<"list_trials">) =>
    send<Schemas["TrialList"]>("GET", withQuery(fill("/v1/studies/{study}/trials", { study }), query)),
  trial: (study: string, number: number) =>
    send<Trial>("GET", fill("/v1/studies/{study}/trials/{number}", { study, number })),
  ask: (study: string, body: Schemas["AskRequest"]) =>
    send<Schemas["AskAnswer"]>("POST", fill("/v1/studies/{study}/ask", { study }), body),
  tell: (study: string, number: number, body: Partial<TellRequest>) =>
    send<Trial>("POST", fill("/v1/studies/{study}/trials/{number}/tell", { study, number }), body),
  attach: (study: string, body: { trials: { parameters: Point; outside?: boolean }[] }) =>
    send<Schemas["AttachAnswer"]>("POST", fill("/v1/studies/{study}/trials", { study }), body),
  changeTrial: (study: string, number: number, patch: Schemas["TrialPatch"]) =>
    send<Trial>("PATCH", fill("/v1/studies/{study}/trials/{number}", { study, number }), patch),
  self: () => send<Token>("GET", "/v1/tokens/self" satisfies Path),
  sessionOptions: () => send<Schemas["SessionOptions"]>("GET", "/v1/session" satisfies Path),
  signIn: (token: string) => send<Token>("POST", "/v1/session" satisfies Path, { token } satisfies Schemas["SessionRequest"]),
  signOut: () => send<void>("DELETE", "/v1/session" satisfies Path),
  tokens: (query: Query<"list_tokens">) => send<Schemas["TokenList"]>("GET", withQuery("/v1/tokens", query)),
  createToken: (body: Schemas["TokenRequest"]) => send<Schemas["NewTokenAnswer"]>("POST", "/v1/tokens" satisfies Path, body),
  revokeToken: (token: string) => send<void>("DELETE", fill("/v1/tokens/{token}", { token })),
  projects: (query: Query<"list_projects">) => send<Schemas["ProjectList"]>("GET", withQuery("/v1/projects", query)),
  createProject: (body: Schemas["ProjectRequest"]) => send<Project>("POST", "/v1/projects" satisfies Path, body),
  changeProject: (project: string, quotas: Quotas) => send<Project>("PATCH", fill("/v1/projects/{project}", { project }), { quotas } satisfies Schemas["ProjectPatch"]),
  audit: (query: Query<"list_audit">) => send<Schemas["AuditList"]>("GET", withQuery("/v1/audit", query)),
  events: (study: string, after: number) => withQuery(fill("/v1/studies/{study}/events", { study }), { after }),
};
