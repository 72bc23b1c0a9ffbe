// What the model believes of the space: along one parameter and over two of them, through a point; and what another
// trial would be worth there.
import type { ColumnsAnswer, Parameter, PredictAnswer, Study } from "../api";
import { number, value as shown } from "../format";
import { labelsOf, pointForm, pointOf } from "../parts/point";
import { ramp, type Palette } from "../theme";
import { extent, type Mark } from "./chart";
import { isWide, type PlotData } from "./history";
import { parameterAxis } from "./space";

/** Places along a parameter, and in each direction of a plane. */
const ALONG = 61;
const ACROSS = 27;
const LEVELS = 12;

type Point = Record<string, unknown>;
/** Where something is predicted: its place on the parameter's axis, and the value there. */
export interface Place { at: number; value: unknown }
/** What is drawn over a plane. */
export type Layer = "mean" | "sd" | "worth";

const isNamed = (parameter: Parameter): boolean => parameter.type === "categorical" || parameter.type === "ordinal";

/** Places that cover a parameter's range evenly as its axis shows it. */
export function placesOf(parameter: Parameter, most: number): Place[] {
  if (parameter.type === "categorical" || parameter.type === "ordinal") return labelsOf(parameter).map((value, at) => ({ at, value }));
  const { low, high } = parameter;
  if (parameter.type === "int" && high - low < most) return Array.from({ length: high - low + 1 }, (_, i) => ({ at: low + i, value: low + i }));
  return Array.from({ length: most }, (_, i) => {
    const t = i / (most - 1);
    const at = i === most - 1 ? high : parameter.scale === "log" ? low * Math.pow(high / low, t) : low + (high - low) * t;
    return { at, value: parameter.type === "int" ? Math.round(at) : at };
  });
}

/** A value as a table holds it. */
const cell = (value: unknown): string | number => (typeof value === "number" ? value : shown(value));

/** Whether a parameter's places lie so close that values between them can be drawn. */
const isDense = (parameter: Parameter, places: Place[]): boolean => !isNamed(parameter) && places.length === ACROSS;

/** A point with other values of some parameters; what these switch on gets the middle of its range. */
export const moved = (study: Study, point: Point, to: Point): Point => pointOf(study, pointForm(study, { ...point, ...to }));

export const along = (study: Study, point: Point, parameter: Parameter): { places: Place[]; points: Point[] } => {
  const places = placesOf(parameter, ALONG);
  return { places, points: places.map(({ value }) => moved(study, point, { [parameter.name]: value })) };
};

export function over(study: Study, point: Point, a: Parameter, b: Parameter): { xs: Place[]; ys: Place[]; points: Point[] } {
  const [xs, ys] = [placesOf(a, ACROSS), placesOf(b, ACROSS)];
  return { xs, ys, points: ys.flatMap((y) => xs.map((x) => moved(study, point, { [a.name]: x.value, [b.name]: y.value }))) };
}

/** Where a value lies on a parameter's axis. */
export function axisPlace(parameter: Parameter, value: unknown): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" && !isNamed(parameter)) return value;
  const found = labelsOf(parameter).findIndex((label) => JSON.stringify(label) === JSON.stringify(value));
  return found < 0 ? null : found;
}

export interface Through { name: string; point: Point }

/** The posterior of a metric along a parameter: its mean, its 90 % interval, and the trials. */
export function slice(columns: ColumnsAnswer | null, parameter: Parameter, metric: string, places: Place[], answer: PredictAnswer, through: Through, palette: Palette): PlotData {
  const told = places.map((place, i) => ({ ...place, ...answer.predictions[i]?.[metric] })).filter((each): each is Place & { mean: number; sd: number; q05: number; q50: number; q95: number } => each.mean !== undefined);
  const xs = told.map((each) => each.at);
  const log = isWide(told.flatMap((each) => [each.q05, each.q95]));
  const marks: Mark[] = [];
  const trials = (columns?.numbers ?? [])
    .map((trial, i) => ({ trial, x: columns!.parameters[parameter.name]?.[i], y: columns!.metrics[metric]?.[i] }))
    .filter((each): each is { trial: number; x: number; y: number } => each.x != null && each.y != null);
  if (isNamed(parameter)) told.forEach((each) => marks.push({ type: "line", xs: [each.at, each.at], ys: [each.q05, each.q95], color: palette.model, width: 4 }));
  else marks.push({ type: "band", xs, low: told.map((each) => each.q05), high: told.map((each) => each.q95), color: palette.model }, { type: "line", xs, ys: told.map((each) => each.mean), color: palette.model, width: 2.5 });
  marks.push({ type: "dots", xs: trials.map((each) => each.x), ys: trials.map((each) => each.y), color: palette.point, radius: 2.4, alpha: 0.45, hit: (i) => ({ text: [`trial ${trials[i]!.trial}`, `${parameter.name} ${isNamed(parameter) ? shown(labelsOf(parameter)[trials[i]!.x]) : number(trials[i]!.x)}`, `${metric} ${number(trials[i]!.y)}`], trial: trials[i]!.trial }) });
  marks.push({
    type: "dots", xs, ys: told.map((each) => each.mean), color: palette.model, radius: isNamed(parameter) ? 5 : 1.2,
    hit: (i) => ({ text: [`${parameter.name} ${shown(told[i]!.value)}`, `${metric} ${number(told[i]!.mean, 4)}`, `90 % within ${number(told[i]!.q05, 4)} to ${number(told[i]!.q95, 4)}`] }),
  });
  const here = axisPlace(parameter, through.point[parameter.name]);
  if (here !== null) marks.push({ type: "rule", at: here, across: "x", color: palette.best, label: through.name });
  return {
    chart: {
      x: parameterAxis(parameter),
      y: { label: metric, kind: log ? "log" : "linear", domain: extent(told.flatMap((each) => [each.q05, each.q95]), 0.12, log) },
      marks,
      legend: [{ color: palette.model, label: "posterior mean", shape: "line" }, { color: palette.model, label: "90 % interval", shape: "area" }, { color: palette.point, label: "trials, wherever they are in the other parameters", shape: "dot" }],
    },
    rows: () => [[parameter.name, "mean", "sd", "q05", "q50", "q95"], ...told.map((each) => [cell(each.value), each.mean, each.sd, each.q05, each.q50, each.q95])],
    summary: `What the model expects of ${metric} along ${parameter.name}, with all else as in ${through.name}.`,
    empty: told.length === 0 ? (answer.reason ?? "Nothing of this metric was observed yet.") : null,
  };
}

/** Logarithms as fractions of the greatest. */
const relative = (logs: number[]): number[] => {
  const most = Math.max(...logs);
  return logs.map((log) => Math.exp(log - most));
};

/** What another trial along a parameter is worth, relative to the best place along it. */
export function worth(parameter: Parameter, places: Place[], answer: PredictAnswer, through: Through, palette: Palette): PlotData {
  const values = relative(answer.log_expected_improvement ?? []);
  const xs = places.map((place) => place.at);
  const marks: Mark[] = isNamed(parameter)
    ? [{ type: "bars", x0: xs.map((x) => x - 0.3), x1: xs.map((x) => x + 0.3), y0: values.map(() => 0), y1: values, color: palette.good }]
    : [{ type: "band", xs, low: values.map(() => 0), high: values, color: palette.good }, { type: "line", xs, ys: values, color: palette.good, width: 2.5 }];
  marks.push({ type: "dots", xs, ys: values, color: palette.good, radius: 1.2, hit: (i) => ({ text: [`${parameter.name} ${shown(places[i]!.value)}`, `${number(100 * values[i]!, 3)} % of the most along here`] }) });
  const here = axisPlace(parameter, through.point[parameter.name]);
  if (here !== null) marks.push({ type: "rule", at: here, across: "x", color: palette.best, label: through.name });
  return {
    chart: { x: parameterAxis(parameter), y: { label: "expected improvement, relative", kind: "linear", domain: [0, 1.08] }, marks },
    rows: () => [[parameter.name, "relative", "log_expected_improvement"], ...places.map((place, i) => [cell(place.value), values[i]!, answer.log_expected_improvement![i]!])],
    summary: `What a trial along ${parameter.name} is expected to improve, with all else as in ${through.name}.`,
    empty: values.length === 0 ? "It is known once a result keeps every constraint." : null,
  };
}

const LAYERS: Record<Layer, string> = { mean: "posterior mean", sd: "standard deviation", worth: "log expected improvement" };

/** Values of equal share between neighbouring levels, so that a steep corner does not take all the colours. */
function levelsOf(values: number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  const levels = Array.from({ length: LEVELS }, (_, k) => sorted[Math.floor(((k + 1) / (LEVELS + 1)) * (sorted.length - 1))]!);
  return [...new Set(levels)];
}

/** The posterior over two parameters: its mean, its uncertainty, or what a trial is worth. */
export function contour(study: Study, columns: ColumnsAnswer | null, a: Parameter, b: Parameter, metric: string, layer: Layer, plane: { xs: Place[]; ys: Place[] }, answer: PredictAnswer, through: Through, palette: Palette): PlotData {
  const { xs, ys } = plane;
  const told = answer.predictions.map((each) => each[metric]);
  const values = layer === "worth" ? (answer.log_expected_improvement ?? []) : told.map((each) => (layer === "sd" ? each?.sd : each?.mean) ?? NaN);
  const known = values.length === xs.length * ys.length && values.every(Number.isFinite);
  // The better, the darker: what is minimized is turned round.
  const turn = layer === "mean" && study.metrics.find((each) => each.name === metric)?.goal === "minimize" ? -1 : 1;
  const turned = values.map((value) => turn * value);
  const words = (i: number) => {
    const seen = told[i];
    return {
      text: [
        `${a.name} ${shown(xs[i % xs.length]!.value)}`, `${b.name} ${shown(ys[Math.floor(i / xs.length)]!.value)}`,
        ...(seen ? [`${metric} ${number(seen.mean, 4)} ± ${number(seen.sd, 3)}`] : []),
        ...(layer === "worth" ? [`log expected improvement ${number(values[i], 4)}`] : []),
      ],
    };
  };
  const [axisA, axisB] = [parameterAxis(a), parameterAxis(b)];
  const marks: Mark[] = [];
  const levels = known ? levelsOf(turned) : [];
  const shade = (value: number) => ramp(palette.ramp, levels.filter((level) => level <= value).length / levels.length);
  if (known && isDense(a, xs) && isDense(b, ys)) {
    const nearest = (places: Place[], at: number, log: boolean) => {
      const far = (place: Place) => (log ? Math.abs(Math.log(place.at / at)) : Math.abs(place.at - at));
      return places.reduce((best, place, i) => (far(place) < far(places[best]!) ? i : best), 0);
    };
    marks.push({
      type: "field", values: turned, columns: xs.length, rows: ys.length, x: [xs[0]!.at, xs.at(-1)!.at], y: [ys[0]!.at, ys.at(-1)!.at], levels,
      hit: (x, y) => words(nearest(ys, y, axisB.kind === "log") * xs.length + nearest(xs, x, axisA.kind === "log")),
    });
  } else if (known) {
    const [ax, ay] = [edges(xs, axisA.kind === "log"), edges(ys, axisB.kind === "log")];
    const cell = (i: number): [number, number] => [i % xs.length, Math.floor(i / xs.length)];
    const at = turned.map((_, i) => cell(i));
    marks.push({ type: "bars", x0: at.map(([i]) => ax[i]!), x1: at.map(([i]) => ax[i + 1]!), y0: at.map(([, j]) => ay[j]!), y1: at.map(([, j]) => ay[j + 1]!), color: (i) => shade(turned[i]!), hit: words });
  }
  const trials = (columns?.numbers ?? [])
    .map((trial, i) => ({ trial, x: columns!.parameters[a.name]?.[i], y: columns!.parameters[b.name]?.[i], z: columns!.metrics[metric]?.[i] ?? null }))
    .filter((each): each is { trial: number; x: number; y: number; z: number | null } => each.x != null && each.y != null);
  const hit = (i: number) => ({ text: [`trial ${trials[i]!.trial}`, `${metric} ${number(trials[i]!.z)}`], trial: trials[i]!.trial });
  const dots = { xs: trials.map((each) => each.x), ys: trials.map((each) => each.y) };
  marks.push({ type: "dots", ...dots, color: palette.ground, radius: 3.1 }, { type: "dots", ...dots, color: palette.ink, radius: 2.1, hit });
  const [hereX, hereY] = [axisPlace(a, through.point[a.name]), axisPlace(b, through.point[b.name])];
  if (hereX !== null && hereY !== null) marks.push({ type: "dots", xs: [hereX], ys: [hereY], color: palette.best, radius: 7, hollow: true, hit: () => ({ text: [through.name] }) });
  const ends = (known ? [Math.min(...turned), levels[Math.floor(levels.length / 2)]!, Math.max(...turned)] : []).map((value) => turn * value);
  return {
    chart: {
      x: axisA, y: axisB, marks,
      legend: [...ends.map((value, i) => ({ color: ramp(palette.ramp, i / 2), label: number(value, 3), shape: "bar" as const })), { color: palette.ink, label: "trial", shape: "dot" }, { color: palette.best, label: through.name, shape: "ring" }],
    },
    rows: () => [[a.name, b.name, "mean", "sd", "log_expected_improvement"], ...told.map((each, i) => [cell(xs[i % xs.length]!.value), cell(ys[Math.floor(i / xs.length)]!.value), each?.mean ?? null, each?.sd ?? null, answer.log_expected_improvement?.[i] ?? null])],
    summary: `The ${LAYERS[layer]} of ${metric} over ${a.name} and ${b.name}, with all else as in ${through.name}.`,
    empty: known ? null : (answer.reason ?? "Nothing of this metric was observed yet."),
  };
}

/** The borders of cells around places. */
function edges(places: Place[], log: boolean): number[] {
  const scale = log ? Math.log : (at: number) => at;
  const back = log ? Math.exp : (at: number) => at;
  const at = places.map((place) => scale(place.at));
  const gap = (i: number) => (at.length > 1 ? at[Math.min(i + 1, at.length - 1)]! - at[Math.min(i, at.length - 2)]! : 1);
  return [at[0]! - gap(0) / 2, ...at.map((place, i) => place + gap(Math.min(i, at.length - 2)) / 2)].map(back);
}
