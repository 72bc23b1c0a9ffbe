// Every plot of a study. What is chosen and zoomed is in the address, so that it reproduces the view.
import { useMemo } from "preact/hooks";
import { api, type ColumnsAnswer, type HistoryAnswer, type Study } from "../api";
import { useLoad } from "../live";
import { Card, Choice, Empty, Fault, Select, Waiting } from "../parts/parts";
import { curves } from "../plot/curves";
import { front, hypervolume } from "../plot/front";
import { historyPlot } from "../plot/history";
import { origins } from "../plot/origins";
import { Parallel } from "../plot/parallel";
import { Plot } from "../plot/plot";
import { durations, timeline } from "../plot/times";
import { plane, slice } from "../plot/space";
import { Link, useField } from "../router";
import { usePalette } from "../theme";
import { openTrial } from "./overview";
import type { ViewProps } from "./study";
import { totalOf } from "./studies";

export const objectivesOf = (study: Study) => study.metrics.filter((metric) => metric.goal === "minimize" || metric.goal === "maximize");

export function PlotsView({ study, live }: ViewProps) {
  const history = useLoad(() => api.history(study.id, {}), [study.id, live.pulse]);
  const columns = useLoad(() => api.columns(study.id, {}), [study.id, live.pulse]);
  if (totalOf(study) === 0) {
    return (
      <Empty title="Nothing to plot yet">
        <p>Plots appear with the first results.</p>
        <Link to={`/studies/${study.id}/bench`} class="button primary">Ask for a trial</Link>
      </Empty>
    );
  }
  const error = history.error ?? columns.error;
  if (!history.data || !columns.data) return error ? <Fault refusal={error} retry={history.reload} /> : <Waiting lines={10} label="Loading plots" />;
  return <Grid study={study} live={live} history={history.data} columns={columns.data} />;
}

interface GridProps extends ViewProps { history: HistoryAnswer; columns: ColumnsAnswer }

function Grid({ study, live, history, columns }: GridProps) {
  const several = objectivesOf(study).length > 1;
  const sampled = columns.numbers.length < columns.trials;
  return (
    <>
      {sampled && <p class="note">Of {columns.trials.toLocaleString("en")} trials, {columns.numbers.length.toLocaleString("en")} are drawn where each one is a mark of its own: the best, the latest, and some of all.</p>}
      <div class="grid plots">
        <HistoryCard study={study} history={history} />
        {!several && <OriginsCard study={study} history={history} columns={columns} />}
        {several && <FrontCards study={study} history={history} columns={columns} />}
        <ParallelCard study={study} columns={columns} />
        <SliceCard study={study} columns={columns} />
        {study.parameters.length > 1 && <PlaneCard study={study} columns={columns} />}
        <CurvesCard study={study} live={live} />
        <TimeCards study={study} columns={columns} />
      </div>
    </>
  );
}

const SCALES: [string, string][] = [["auto", "Auto"], ["linear", "Linear"], ["log", "Log"]];

function MetricSelect({ study, name, value, onChange }: { study: Study; name?: string; value: string; onChange: (value: string) => void }) {
  return study.metrics.length > 1 ? <Select label={name ?? "Metric"} unseen value={value} options={study.metrics.map((each) => [each.name, each.name])} onChange={onChange} /> : null;
}

function HistoryCard({ study, history }: { study: Study; history: HistoryAnswer }) {
  const palette = usePalette();
  const [metric, setMetric] = useField("history.metric", objectivesOf(study)[0]!.name);
  const [scale, setScale] = useField("history.scale", "auto");
  const plot = useMemo(() => historyPlot(study, history, metric, palette, scale), [history, metric, scale, palette]);
  return (
    <Plot
      id="history" title="History" study={study.name} wide height={320} {...plot} onPick={openTrial}
      controls={<><MetricSelect study={study} value={metric} onChange={setMetric} /><Choice label="Scale" value={scale} options={SCALES} onChange={setScale} /></>}
    />
  );
}

/** Where several kinds of proposals took part; else nothing is drawn. */
function OriginsCard({ study, history, columns }: { study: Study; history: HistoryAnswer; columns: ColumnsAnswer }) {
  const palette = usePalette();
  const plot = useMemo(() => origins(history, columns, objectivesOf(study)[0]!.name, palette), [history, columns, palette]);
  return plot && <Plot id="origins" title="Who proposed it" study={study.name} {...plot} wide height={300} onPick={openTrial} />;
}

function FrontCards({ study, history, columns }: { study: Study; history: HistoryAnswer; columns: ColumnsAnswer }) {
  const palette = usePalette();
  const objectives = objectivesOf(study);
  const [x, setX] = useField("front.x", objectives[0]!.name);
  const [y, setY] = useField("front.y", objectives[1]!.name);
  const plot = useMemo(() => front(study, history, columns, x, y, palette), [history, columns, x, y, palette]);
  const volume = useMemo(() => hypervolume(history, palette), [history, palette]);
  const options = objectives.map((each) => [each.name, each.name] as [string, string]);
  return (
    <>
      <Plot
        id="front" title="Pareto front" study={study.name} {...plot} height={320} onPick={openTrial}
        controls={objectives.length > 2 ? <><Select label="Across" value={x} options={options} onChange={setX} /><Select label="Up" value={y} options={options} onChange={setY} /></> : undefined}
      />
      {objectives.length === 2 && <Plot id="hypervolume" title="Hypervolume" study={study.name} {...volume} height={320} />}
    </>
  );
}

function ParallelCard({ study, columns }: { study: Study; columns: ColumnsAnswer }) {
  const [metric, setMetric] = useField("parallel.metric", objectivesOf(study)[0]!.name);
  return <Parallel study={study} columns={columns} metric={metric} controls={<MetricSelect study={study} name="Colour by" value={metric} onChange={setMetric} />} onPick={openTrial} />;
}

function SliceCard({ study, columns }: { study: Study; columns: ColumnsAnswer }) {
  const palette = usePalette();
  const [parameter, setParameter] = useField("slice.x", study.parameters[0]!.name);
  const [metric, setMetric] = useField("slice.metric", objectivesOf(study)[0]!.name);
  const plot = useMemo(() => slice(study, columns, parameter, metric, palette), [columns, parameter, metric, palette]);
  return (
    <Plot
      id="slice" title="Slice" study={study.name} {...plot} height={320} onPick={openTrial}
      controls={<><Select label="Parameter" unseen value={parameter} options={study.parameters.map((each) => [each.name, each.name])} onChange={setParameter} /><MetricSelect study={study} value={metric} onChange={setMetric} /></>}
    />
  );
}

function PlaneCard({ study, columns }: { study: Study; columns: ColumnsAnswer }) {
  const palette = usePalette();
  const [x, setX] = useField("plane.x", study.parameters[0]!.name);
  const [y, setY] = useField("plane.y", study.parameters[1]!.name);
  const [metric, setMetric] = useField("plane.metric", objectivesOf(study)[0]!.name);
  const plot = useMemo(() => plane(study, columns, x, y, metric, palette), [columns, x, y, metric, palette]);
  const options = study.parameters.map((each) => [each.name, each.name] as [string, string]);
  return (
    <Plot
      id="plane" title="Two parameters" study={study.name} {...plot} height={320} onPick={openTrial}
      controls={<><Select label="Across" unseen value={x} options={options} onChange={setX} /><Select label="Up" unseen value={y} options={options} onChange={setY} /><MetricSelect study={study} value={metric} onChange={setMetric} /></>}
    />
  );
}

/** Where trials report while they run; else nothing is drawn. */
function CurvesCard({ study, live }: ViewProps) {
  const palette = usePalette();
  const first = objectivesOf(study)[0]!.name;
  const [metric, setMetric] = useField("curves.metric", first);
  const loaded = useLoad(() => api.curves(study.id, metric), [study.id, metric, live.pulse]);
  const goal = study.metrics.find((each) => each.name === metric)?.goal ?? "minimize";
  const plot = useMemo(() => loaded.data && curves(loaded.data, metric, goal, palette), [loaded.data, metric, palette]);
  if (!plot || (plot.empty && metric === first)) return null;
  return <Plot id="curves" title="Intermediate values" study={study.name} {...plot} wide height={320} onPick={openTrial} controls={<MetricSelect study={study} value={metric} onChange={setMetric} />} />;
}

function TimeCards({ study, columns }: { study: Study; columns: ColumnsAnswer }) {
  const palette = usePalette();
  const when = useMemo(() => timeline(columns, palette), [columns, palette]);
  const long = useMemo(() => durations(columns, palette), [columns, palette]);
  if (!when && !long) return <Card title="Timeline"><p class="soft">Times appear with trials that were handed out; attached ones carry none.</p></Card>;
  return (
    <>
      {when && <Plot id="timeline" title="Timeline" study={study.name} {...when} height={320} onPick={openTrial} />}
      {long && <Plot id="durations" title="Durations" study={study.name} {...long} height={320} onPick={openTrial} />}
    </>
  );
}
