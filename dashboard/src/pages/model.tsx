// What the model believes: along one parameter, over two, what a trial is worth there, which parameters matter, and how
// far all this can be trusted.
import { useMemo, useState } from "preact/hooks";
import { api, type ColumnsAnswer, type InsightsAnswer, type ModelInsight, type Parameter, type Study } from "../api";
import { count, number } from "../format";
import { useLoad } from "../live";
import { Card, Choice, Empty, Fault, Select, Waiting } from "../parts/parts";
import { pointForm, pointOf } from "../parts/point";
import { along, contour, over, slice, worth, type Layer, type Through } from "../plot/belief";
import { Plot } from "../plot/plot";
import { calibration, importance } from "../plot/trust";
import { Link, useField } from "../router";
import { usePalette } from "../theme";
import { openTrial } from "./overview";
import { objectivesOf } from "./plots";
import type { ViewProps } from "./study";

/** Up to so many results the model is asked unbidden: fitting it to many takes a while. */
const UNBIDDEN = 300;

export function ModelView({ study, live }: ViewProps) {
  const completed = study.trial_counts["completed"] ?? 0;
  const [asked, ask] = useState(false);
  if (completed === 0) {
    return (
      <Empty title="There is no model yet">
        <p>It is made of results: the first one that is told begins it.</p>
        <Link to={`/studies/${study.id}/bench`} class="button primary">Ask for a trial</Link>
      </Empty>
    );
  }
  if (completed > UNBIDDEN && !asked) {
    return (
      <Empty title="The model is asked when you say so">
        <p>Fitting it to {count(completed)} results may take some seconds of the server's time.</p>
        <button type="button" class="primary" onClick={() => ask(true)}>Ask the model</button>
      </Empty>
    );
  }
  return <Believed study={study} live={live} turn={completed < 30 ? completed : Math.floor(completed / 10)} />;
}

/** The point that everything is drawn through. */
async function throughPoint(study: Study, named: string): Promise<Through> {
  if (/^\d+$/.test(named)) {
    const trial = await api.trial(study.id, Number(named));
    return { name: `trial ${named}`, point: trial.parameters };
  }
  const best = await api.best(study.id);
  const recommended = best.recommended ?? best.recommended_front?.[0];
  if (named === "recommended" && recommended) return { name: "the recommended point", point: recommended.parameters };
  const trial = best.trials[0];
  if (trial) return { name: `trial ${trial.number}`, point: trial.parameters };
  return { name: "the middle", point: pointOf(study, pointForm(study)) };
}

function Believed({ study, turn }: ViewProps & { turn: number }) {
  const [named, setNamed] = useField("through", "best");
  const [metric, setMetric] = useField("metric", objectivesOf(study)[0]!.name);
  const through = useLoad(() => throughPoint(study, named), [study.id, named, turn]);
  const insights = useLoad(() => api.insights(study.id), [study.id, turn]);
  const columns = useLoad(() => api.columns(study.id, { limit: 1000 }), [study.id, turn]);
  const error = through.error ?? insights.error;
  if (!through.data || !insights.data) return error ? <Fault refusal={error} retry={() => (through.reload(), insights.reload())} /> : <Waiting lines={10} label="The model is being fitted" />;
  const modelled = insights.data.models.map((model) => model.metric);
  if (modelled.length === 0) return <Empty title="There is no model yet"><p>{insights.data.reason ?? "Nothing with a goal was observed."}</p></Empty>;
  const shown = modelled.includes(metric) ? metric : modelled[0]!;
  const model = insights.data.models.find((each) => each.metric === shown)!;
  const points: [string, string][] = [["best", "the best trial"], ["recommended", "the recommended point"], ...(/^\d+$/.test(named) ? [[named, `trial ${named}`] as [string, string]] : [])];
  return (
    <>
      <div class="filters">
        {modelled.length > 1 && <Select label="Metric" value={shown} options={modelled.map((name) => [name, name])} onChange={setMetric} />}
        <Select label="Through" value={named} options={points} onChange={setNamed} />
        <span class="soft">Everything else stays as it is in {through.data.name}. Any trial can be looked at: open it, and choose <b>Why this point?</b></span>
      </div>
      <div class="grid plots">
        <AlongCards study={study} columns={columns.data} metric={shown} model={model} through={through.data} turn={turn} />
        {study.parameters.length > 1 && <OverCard study={study} columns={columns.data} metric={shown} model={model} through={through.data} turn={turn} />}
        <TrustCards study={study} model={model} />
        <MadeOf insights={insights.data} model={model} />
      </div>
    </>
  );
}

interface BeliefProps { study: Study; columns: ColumnsAnswer | null; metric: string; model: ModelInsight; through: Through; turn: number }

/** The names of the parameters that exist at a point, the most important ones first. */
function byImportance(study: Study, model: ModelInsight, through: Through): Parameter[] {
  const there = study.parameters.filter((each) => through.point[each.name] !== undefined);
  return [...there].sort((a, b) => (model.importances[b.name] ?? 0) - (model.importances[a.name] ?? 0));
}

const options = (parameters: Parameter[]): [string, string][] => parameters.map((each) => [each.name, each.name]);

function AlongCards({ study, columns, metric, model, through, turn }: BeliefProps) {
  const palette = usePalette();
  const ranked = byImportance(study, model, through);
  const [name, setName] = useField("along", ranked[0]?.name ?? "");
  const parameter = ranked.find((each) => each.name === name) ?? ranked[0];
  const asked = useMemo(() => parameter && along(study, through.point, parameter), [study.id, parameter?.name, JSON.stringify(through.point)]);
  const loaded = useLoad(asked ? async () => ({ ...asked, parameter: parameter!, answer: await api.predict(study.id, asked.points) }) : null, [asked, turn]);
  const data = loaded.data;
  const believed = useMemo(() => data && slice(columns, data.parameter, metric, data.places, data.answer, through, palette), [data, columns, metric, through, palette]);
  const gained = useMemo(() => (data?.answer.log_expected_improvement ? worth(data.parameter, data.places, data.answer, through, palette) : null), [data, through, palette]);
  if (!parameter) return <Card title="Along a parameter"><p class="soft">No parameter exists at this point.</p></Card>;
  if (!believed) return <Card title="Along a parameter">{loaded.error ? <Fault refusal={loaded.error} retry={loaded.reload} /> : <Waiting lines={6} />}</Card>;
  const select = <Select label="Parameter" unseen value={parameter.name} options={options(ranked)} onChange={setName} />;
  return (
    <>
      <Plot id="believed" title="Along a parameter" study={study.name} {...believed} height={320} onPick={openTrial} controls={select} wide={!gained} />
      {gained && <Plot id="worth" title="Worth trying" study={study.name} {...gained} height={320} note="Expected improvement on the best posterior mean, times the probability that the constraints are kept: where this is high, the next trials go." />}
    </>
  );
}

const LAYERS: [Layer, string][] = [["mean", "Mean"], ["sd", "Uncertainty"], ["worth", "Worth trying"]];

function OverCard({ study, columns, metric, model, through, turn }: BeliefProps) {
  const palette = usePalette();
  const ranked = byImportance(study, model, through);
  const [x, setX] = useField("over.x", ranked[0]?.name ?? "");
  const [y, setY] = useField("over.y", ranked[1]?.name ?? "");
  const [layer, setLayer] = useField("layer", "mean");
  const of = (name: string, otherwise: number) => ranked.find((each) => each.name === name) ?? ranked[otherwise];
  const [a, b] = [of(x, 0), of(y, 1)];
  const distinct = a && b && a !== b;
  const asked = useMemo(() => (distinct ? over(study, through.point, a, b) : null), [study.id, a?.name, b?.name, JSON.stringify(through.point)]);
  const loaded = useLoad(asked ? async () => ({ ...asked, a: a!, b: b!, answer: await api.predict(study.id, asked.points) }) : null, [asked, turn]);
  const data = loaded.data;
  const layers = LAYERS.filter(([each]) => each !== "worth" || data?.answer.log_expected_improvement);
  const shown = (layers.some(([each]) => each === layer) ? layer : "mean") as Layer;
  const plot = useMemo(() => data && contour(study, columns, data.a, data.b, metric, shown, data, data.answer, through, palette), [data, columns, metric, shown, through, palette]);
  if (ranked.length < 2) return null;
  if (!plot) return <Card title="Over two parameters">{loaded.error ? <Fault refusal={loaded.error} retry={loaded.reload} /> : <Waiting lines={6} />}</Card>;
  return (
    <Plot
      id="over" title="Over two parameters" study={study.name} wide {...plot} empty={distinct ? plot.empty : "Choose two different parameters."} height={420} onPick={openTrial}
      controls={<><Choice label="Shown" value={shown} options={layers} onChange={setLayer} /><Select label="Across" unseen value={a!.name} options={options(ranked)} onChange={setX} /><Select label="Up" unseen value={b!.name} options={options(ranked)} onChange={setY} /></>}
    />
  );
}

function TrustCards({ study, model }: { study: Study; model: ModelInsight }) {
  const palette = usePalette();
  const matters = useMemo(() => importance(model, palette), [model, palette]);
  const trusted = useMemo(() => calibration(model, palette), [model, palette]);
  return (
    <>
      <Plot id="importance" title="What matters" study={study.name} {...matters} height={Math.min(100 + 34 * Object.keys(model.importances).length, 460)} note={matters.note ?? "Total shares: what parameters do together counts for each of them."} />
      <Plot id="calibration" title="Left out, and predicted" study={study.name} {...trusted} height={340} onPick={openTrial} />
    </>
  );
}

function MadeOf({ insights, model }: { insights: InsightsAnswer; model: ModelInsight }) {
  const facts: [string, string][] = [
    ["Results", `${count(model.observations)}, hyperparameters fitted to ${count(model.fitted_to)}`],
    ["Output transform", model.transform.replaceAll("_", " ")],
    ["Noise", `${number(model.noise_sd, 3)} (one standard deviation)`],
    ["Signal", number(model.signal_sd, 3)],
    ["Prior mean", number(model.prior_mean, 4)],
    ["Log marginal likelihood", number(model.log_marginal_likelihood, 5)],
    ["Second engine", model.cross_check.largest_disagreement == null ? (model.cross_check.reason ?? "–") : `differs by at most ${number(model.cross_check.largest_disagreement, 2)} prior standard deviations`],
  ];
  const decisions = insights.decisions.filter((each) => each.metric == null || each.metric === model.metric);
  return (
    <Card title="What it is made of" wide>
      <table class="pairs left">
        <tbody>{facts.map(([name, fact]) => <tr key={name}><th scope="row">{name}</th><td>{fact}</td></tr>)}</tbody>
      </table>
      {decisions.map((each) => (
        <p class="note" key={each.what}>{each.what.replaceAll("_", " ")}: <b>{each.chosen.replaceAll("_", " ")}</b>, because {each.because}.</p>
      ))}
    </Card>
  );
}
