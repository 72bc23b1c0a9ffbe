// Results over the search space: along one parameter, and over two.
import type { ColumnsAnswer, Parameter, Study } from "../api";
import { number, value as shown } from "../format";
import { labelsOf } from "../parts/point";
import { ramp, type Palette } from "../theme";
import { extent, type Axis, type Mark } from "./chart";
import { isWide, type PlotData } from "./history";

/** The axis of a parameter, over its whole range. */
export function parameterAxis(parameter: Parameter): Axis {
  if (parameter.type === "categorical" || parameter.type === "ordinal") {
    const names = labelsOf(parameter).map(shown);
    return { label: parameter.name, kind: "names", domain: [-0.5, names.length - 0.5], names };
  }
  const log = parameter.scale === "log";
  const margin = log ? Math.pow(parameter.high / parameter.low, 0.02) : (parameter.high - parameter.low) * 0.02;
  return { label: parameter.name, kind: log ? "log" : "linear", domain: log ? [parameter.low / margin, parameter.high * margin] : [parameter.low - margin, parameter.high + margin] };
}

/** A parameter's value in words, of its number in the columns. */
export function inWords(parameter: Parameter, value: number | null | undefined): string {
  if (value === null || value === undefined) return "off";
  return parameter.type === "categorical" || parameter.type === "ordinal" ? shown(labelsOf(parameter)[value]) : number(value);
}

/** Spreads marks that share a place, a little and always the same way. */
const jitter = (parameter: Parameter, value: number, trial: number): number =>
  parameter.type === "categorical" || parameter.type === "ordinal" ? value + (((trial * 0.618034) % 1) - 0.5) * 0.5 : value;

/** From the worst to the best: 0 to 1 by rank, so that an outlier does not take all the colours. */
export function ranks(values: (number | null | undefined)[], goal: string): (number | null)[] {
  const order = values.map((value, i) => ({ value, i })).filter((each): each is { value: number; i: number } => each.value != null).sort((a, b) => (goal === "maximize" ? a.value - b.value : b.value - a.value));
  const out: (number | null)[] = values.map(() => null);
  order.forEach(({ i }, rank) => (out[i] = order.length > 1 ? rank / (order.length - 1) : 1));
  return out;
}

const goalOf = (study: Study, metric: string) => study.metrics.find((each) => each.name === metric)?.goal ?? "minimize";

export function slice(study: Study, columns: ColumnsAnswer, name: string, metric: string, palette: Palette): PlotData {
  const parameter = study.parameters.find((each) => each.name === name) ?? study.parameters[0]!;
  const xs = columns.parameters[parameter.name] ?? [];
  const ys = columns.metrics[metric] ?? [];
  const rows = columns.numbers.map((trial, i) => ({ trial, x: xs[i], y: ys[i], ok: columns.feasible[i] })).filter((each): each is { trial: number; x: number; y: number; ok: boolean | null } => each.x != null && each.y != null);
  const log = isWide(rows.map((each) => each.y));
  const last = Math.max(columns.trials - 1, 1);
  const dots = (list: typeof rows, hollow: boolean): Mark => ({
    type: "dots", xs: list.map((each) => jitter(parameter, each.x, each.trial)), ys: list.map((each) => each.y), hollow, radius: 3.4, alpha: 0.85,
    color: hollow ? palette.fail : (i) => ramp(palette.ramp, 0.1 + (0.85 * list[i]!.trial) / last),
    hit: (i) => ({ text: [`trial ${list[i]!.trial}`, `${parameter.name} ${inWords(parameter, list[i]!.x)}`, `${metric} ${number(list[i]!.y)}`], trial: list[i]!.trial }),
  });
  const bad = rows.filter((each) => each.ok === false);
  return {
    chart: {
      x: parameterAxis(parameter),
      y: { label: metric, kind: log ? "log" : "linear", domain: extent(rows.map((each) => each.y), 0.06, log) },
      marks: [dots(bad, true), dots(rows.filter((each) => each.ok !== false), false)],
      legend: [{ color: ramp(palette.ramp, 0.1), label: "early trial", shape: "dot" }, { color: ramp(palette.ramp, 0.95), label: "late trial", shape: "dot" }, ...(bad.length ? [{ color: palette.fail, label: "not feasible", shape: "ring" as const }] : [])],
    },
    rows: () => [["trial", parameter.name, metric, "feasible"], ...rows.map((each) => [each.trial, inWords(parameter, each.x), each.y, each.ok])],
    summary: `${rows.length} results of ${metric} along ${parameter.name}.`,
    empty: rows.length === 0 ? "No result has a value of both yet." : null,
  };
}

export function plane(study: Study, columns: ColumnsAnswer, first: string, second: string, metric: string, palette: Palette): PlotData {
  const [a, b] = [first, second].map((name) => study.parameters.find((each) => each.name === name) ?? study.parameters[0]!) as [Parameter, Parameter];
  const rank = ranks(columns.metrics[metric] ?? [], goalOf(study, metric));
  const rows = columns.numbers
    .map((trial, i) => ({ trial, x: columns.parameters[a.name]?.[i], y: columns.parameters[b.name]?.[i], z: columns.metrics[metric]?.[i] ?? null, rank: rank[i] ?? null }))
    .filter((each): each is { trial: number; x: number; y: number; z: number | null; rank: number | null } => each.x != null && each.y != null)
    .sort((left, right) => (left.rank ?? -1) - (right.rank ?? -1));
  const without = rows.some((each) => each.rank === null);
  const marks: Mark[] = [
    {
      type: "dots", xs: rows.map((each) => jitter(a, each.x, each.trial)), ys: rows.map((each) => jitter(b, each.y, each.trial * 2 + 1)), radius: 4,
      color: (i) => (rows[i]!.rank === null ? palette.faint : ramp(palette.ramp, rows[i]!.rank!)),
      hit: (i) => ({ text: [`trial ${rows[i]!.trial}`, `${a.name} ${inWords(a, rows[i]!.x)}`, `${b.name} ${inWords(b, rows[i]!.y)}`, `${metric} ${number(rows[i]!.z)}`], trial: rows[i]!.trial }),
    },
  ];
  return {
    chart: {
      x: parameterAxis(a), y: parameterAxis(b), marks,
      legend: [{ color: ramp(palette.ramp, 0), label: "worst", shape: "dot" }, { color: ramp(palette.ramp, 0.5), label: "median", shape: "dot" }, { color: ramp(palette.ramp, 1), label: "best", shape: "dot" }, ...(without ? [{ color: palette.faint, label: "no value", shape: "dot" as const }] : [])],
    },
    rows: () => [["trial", a.name, b.name, metric], ...rows.map((each) => [each.trial, inWords(a, each.x), inWords(b, each.y), each.z])],
    summary: `${rows.length} trials over ${a.name} and ${b.name}, coloured by the rank of ${metric}.`,
    empty: rows.length === 0 ? "No trial has a value of both." : null,
  };
}
