// How a study stands: the best so far, who works on what, and what happened last.
import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import { api, type BestAnswer, type HistoryAnswer, type StudyEvent, type Trial } from "../api";
import { ago, count, duration, number, value } from "../format";
import { useLoad, useNow } from "../live";
import { Card, Fault, State, Waiting, When } from "../parts/parts";
import { SolveCard } from "../parts/solve";
import { historyPlot } from "../plot/history";
import { Plot } from "../plot/plot";
import { setQuery } from "../router";
import { usePalette } from "../theme";
import type { ViewProps } from "./study";
import { totalOf } from "./studies";

export const openTrial = (trial: number) => setQuery({ trial: String(trial) }, false);

export function OverviewView({ study, live }: ViewProps) {
  const history = useLoad(() => api.history(study.id, {}), [study.id, live.pulse]);
  const palette = usePalette();
  const objectives = study.metrics.filter((metric) => metric.goal === "minimize" || metric.goal === "maximize");
  const plot = useMemo(() => history.data && historyPlot(study, history.data, objectives[0]!.name, palette), [history.data, palette, study.id]);
  const total = totalOf(study);
  return (
    <>
      <Figures study={study} live={live} history={history.data} />
      <div class="grid overview">
        {study.network?.evaluate === "server" && <SolveCard study={study} live={live} />}
        {plot ? (
          <Plot
            id="history" title="History" study={study.name} wide height={320} {...plot} onPick={openTrial}
            empty={total === 0 ? "No trial yet. Ask for one by hand, or let a program ask: Setup shows how." : plot.empty}
          />
        ) : history.error ? (
          <Card title="History" wide><Fault refusal={history.error} retry={history.reload} /></Card>
        ) : (
          <Card title="History" wide><Waiting lines={6} /></Card>
        )}
        <BestCard study={study} live={live} history={history.data} />
        <WorkersCard study={study} live={live} />
        <EventsCard events={live.events} />
      </div>
    </>
  );
}

function Figures({ study, history }: ViewProps & { history: HistoryAnswer | null }) {
  const counts = study.trial_counts;
  const objectives = study.metrics.filter((metric) => metric.goal === "minimize" || metric.goal === "maximize");
  const several = objectives.length > 1;
  const steps = history?.best.values ?? [];
  const bestValue = steps[steps.length - 1];
  const bestTrial = history?.front[0];
  const since = history && history.best.numbers.length ? history.trials - 1 - history.best.numbers[history.best.numbers.length - 1]! : null;
  const failed = counts["failed"] ?? 0;
  const ended = (counts["completed"] ?? 0) + failed;
  return (
    <dl class="figures">
      {several ? (
        <div><dt>Pareto front</dt><dd>{history ? count(history.front.length) : "–"}<small>{history?.hypervolume.values.length ? `hypervolume ${number(history.hypervolume.values.at(-1), 4)}` : "trials"}</small></dd></div>
      ) : (
        <div>
          <dt>Best <bdi>{objectives[0]?.name}</bdi></dt>
          <dd>
            {number(bestValue)}
            <small>{bestTrial === undefined ? "nothing feasible yet" : <>in <button type="button" class="link" onClick={() => openTrial(bestTrial)}>trial {bestTrial}</button></>}</small>
          </dd>
        </div>
      )}
      <div>
        <dt>Completed</dt>
        <dd>{count(counts["completed"] ?? 0)}<small>{study.budget.trials ? `${count(Math.max(0, study.budget.trials - study.spent.trials))} left in the budget` : "no end set"}</small></dd>
      </div>
      <div><dt>Running</dt><dd>{count(counts["running"] ?? 0)}<small>{counts["queued"] ? `${count(counts["queued"]!)} queued` : "none queued"}</small></dd></div>
      <div><dt>Failed</dt><dd>{count(failed)}<small>{ended ? `${number((100 * failed) / ended, 2)} % of those ended` : "none ended"}</small></dd></div>
      {study.cost_metric && <div><dt>Cost</dt><dd>{number(study.spent.cost, 4)}<small>{study.budget.cost ? `of ${number(study.budget.cost, 4)}` : <bdi>{study.cost_metric}</bdi>}</small></dd></div>}
      {!several && <div><dt>Since an improvement</dt><dd>{since === null ? "–" : count(since)}<small>{since === 1 ? "trial" : "trials"}</small></dd></div>}
    </dl>
  );
}

/** What one more trial is expected to gain, so that one sees when to stop. */
function Remaining({ study, pulse }: { study: ViewProps["study"]; pulse: unknown }) {
  const insights = useLoad(() => api.insights(study.id), [study.id, pulse]);
  const left = insights.data?.remaining;
  if (!left) return null;
  return (
    <p class="remaining">
      The next trial is expected to gain <strong>{number(left.expected_improvement, 2)}</strong> of <bdi>{left.metric}</bdi>; it is better
      at all with a probability of {number(100 * left.probability, 2)} %.
    </p>
  );
}

/** Trials of a front that are listed. */
const LISTED = 24;
/** Up to so many results the model is asked unbidden: fitting it to many takes a while. */
const UNBIDDEN = 300;

function BestCard({ study, history }: ViewProps & { history: HistoryAnswer | null }) {
  const several = study.metrics.filter((metric) => metric.goal === "minimize" || metric.goal === "maximize").length > 1;
  const numbers = history?.front.slice(-LISTED) ?? [];
  const completed = study.trial_counts["completed"] ?? 0;
  const loaded = useLoad(history ? () => Promise.all(numbers.map((n) => api.trial(study.id, n))) : null, [study.id, numbers.join(), history?.revision]);
  const [asked, ask] = useState(false);
  const wanted = !several && numbers.length > 0 && (asked || completed <= UNBIDDEN);
  const model = useLoad<BestAnswer>(wanted ? () => api.best(study.id) : null, [study.id, completed < 30 ? completed : Math.floor(completed / 10)]);
  const best = model.data;
  const trial = loaded.data?.[0];
  return (
    <Card
      title={several ? "Front" : "Best trial"}
      tools={!several && trial && !wanted && <button type="button" class="quiet" onClick={() => ask(true)}>Ask the model</button>}
    >
      {!loaded.data ? (
        loaded.error ? <Fault refusal={loaded.error} retry={loaded.reload} /> : <Waiting lines={4} />
      ) : !trial ? (
        <p class="soft">{completed === 0 ? "No trial is completed yet." : `None of the ${count(completed)} completed trials keeps every constraint.`}</p>
      ) : several ? (
        <Front study={study} trials={loaded.data} />
      ) : (
        <>
          <PointTable study={study} parameters={trial.parameters} beside={best?.recommended?.parameters ?? undefined} heads={[`Trial ${trial.number}`, "Recommended"]}>
            {study.metrics.map(({ name }) => {
              const predicted = best?.recommended?.predicted[name];
              return (
                <tr key={name} class="result">
                  <th scope="row"><bdi>{name}</bdi></th>
                  <td>{number(trial.metrics?.[name]?.value)}</td>
                  {best?.recommended && <td class="soft">{predicted ? `${number(predicted.mean, 4)} ± ${number(1.96 * predicted.sd, 2)}` : "–"}</td>}
                </tr>
              );
            })}
          </PointTable>
          {wanted && model.loading && !best && <p class="note">The model is being fitted…</p>}
          {model.error && <Fault refusal={model.error} retry={model.reload} />}
          {best?.recommended && <Remaining study={study} pulse={model.data} />}
          {best?.recommended && <p class="note">Recommended is the point with the best posterior mean, with a 95 % interval of its noise-free value.</p>}
        </>
      )}
    </Card>
  );
}

function Front({ study, trials }: { study: ViewProps["study"]; trials: Trial[] }) {
  const objectives = study.metrics.filter((metric) => metric.goal === "minimize" || metric.goal === "maximize");
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Trials on the front">
      <table class="pairs">
        <thead><tr><th scope="col">Trial</th>{objectives.map(({ name }) => <th key={name} scope="col"><bdi>{name}</bdi></th>)}</tr></thead>
        <tbody>
          {trials.map((trial) => (
            <tr key={trial.number}>
              <th scope="row"><button type="button" class="link" onClick={() => openTrial(trial.number)}>{trial.number}</button></th>
              {objectives.map(({ name }) => <td key={name}>{number(trial.metrics?.[name]?.value)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface PointProps { study: ViewProps["study"]; parameters: Record<string, unknown>; beside?: Record<string, unknown>; heads?: [string, string]; children?: ComponentChildren }

/** A point, and another beside it. */
export function PointTable({ study, parameters, beside, heads, children }: PointProps) {
  return (
    <table class="pairs">
      {heads && beside && <thead><tr><th scope="col"><span class="unseen">Name</span></th><th scope="col">{heads[0]}</th><th scope="col">{heads[1]}</th></tr></thead>}
      <tbody>
        {study.parameters.map(({ name }) => (
          <tr key={name}>
            <th scope="row"><bdi>{name}</bdi></th>
            <td><bdi>{value(parameters[name])}</bdi></td>
            {beside && <td class="soft"><bdi>{value(beside[name])}</bdi></td>}
          </tr>
        ))}
        {children}
      </tbody>
    </table>
  );
}

function WorkersCard({ study, live }: ViewProps) {
  const running = useLoad(() => api.table(study.id, { state: "running", limit: 50, sort: "number", order: "desc" }), [study.id, live.pulse]);
  const now = useNow(1000);
  return (
    <Card title="Running now">
      {!running.data ? (
        running.error ? <Fault refusal={running.error} /> : <Waiting lines={3} />
      ) : running.data.rows.length === 0 ? (
        <p class="soft">Nobody works on it at present.</p>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Running trials">
          <table class="pairs">
            <thead><tr><th scope="col">Trial</th><th scope="col">Worker</th><th scope="col">For</th><th scope="col">Lease ends</th></tr></thead>
            <tbody>
              {running.data.rows.map((row) => (
                <tr key={row.number}>
                  <th scope="row"><button type="button" class="link" onClick={() => openTrial(row.number)}>{row.number}</button></th>
                  <td class="clip"><bdi>{row.worker ?? "unnamed"}</bdi></td>
                  <td>{row.started_at ? duration((now - Date.parse(row.started_at)) / 1000) : "–"}</td>
                  <td>{row.lease_expires_at ? ago(row.lease_expires_at, now) : "never"}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {running.data.total > running.data.rows.length && <p class="note">And {count(running.data.total - running.data.rows.length)} more.</p>}
        </div>
      )}
    </Card>
  );
}

const WORDS: Record<string, string> = {
  study_created: "study created", study_changed: "study changed", trial_created: "created", trial_started: "handed out", trial_told: "told",
  trial_amended: "amended", trial_expired: "lease ended", trial_revived: "taken up again", trial_changed: "annotated", trial_measured: "measured",
};

function EventsCard({ events }: { events: StudyEvent[] }) {
  const now = useNow(5000);
  return (
    <Card title="What happened last">
      {events.length === 0 ? (
        <p class="soft">Changes appear here as they happen.</p>
      ) : (
        <ol class="events scroll" tabIndex={0}>
          {events.slice(0, 25).map((event) => {
            const data = event.data as Record<string, unknown>;
            const metrics = (data["metrics"] ?? {}) as Record<string, { value: number }>;
            const words = Object.entries(metrics).slice(0, 3).map(([name, { value: told }]) => `${name} ${number(told, 4)}`).join(", ");
            return (
              <li key={event.id}>
                <span>
                  {event.number != null && <button type="button" class="link" onClick={() => openTrial(event.number!)}>{event.number}</button>} {WORDS[event.type] ?? event.type.replaceAll("_", " ")}
                </span>
                <span class="soft clip"><bdi>{words || String(data["reason"] ?? data["worker"] ?? "")}</bdi></span>
                {typeof data["state"] === "string" && event.type !== "trial_created" && <State name={data["state"]} />}
                <span class="soft"><When at={event.at} now={now} /></span>
              </li>
            );
          })}
        </ol>
      )}
    </Card>
  );
}
