// The history of a study as a chart: results, the best so far, and what failed.
import type { HistoryAnswer, Study } from "../api";
import { number } from "../format";
import type { Palette } from "../theme";
import { extent, type Chart, type Mark } from "./chart";
import type { Rows } from "./plot";

export interface PlotData { chart: Chart; rows: () => Rows; summary: string; empty: string | null; note?: string }

/** A log axis where all values are positive and far apart. */
export function isWide(values: (number | null | undefined)[]): boolean {
  let [low, high] = [Infinity, 0];
  for (const value of values) {
    if (value === null || value === undefined) continue;
    if (value <= 0) return false;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return high / low > 500;
}

export function historyPlot(study: Study, history: HistoryAnswer, metric: string, palette: Palette, scale?: string): PlotData {
  const { numbers, values, feasible } = history.results;
  const column = values[metric] ?? [];
  const objectives = study.metrics.filter((each) => each.goal === "minimize" || each.goal === "maximize");
  const single = objectives.length === 1 && objectives[0]!.name === metric;
  const told = numbers.map((n, i) => ({ n, value: column[i], ok: feasible[i] })).filter((each): each is { n: number; value: number; ok: boolean } => each.value != null);
  const log = scale === "log" || (scale !== "linear" && isWide(told.map((each) => each.value)));
  const last = Math.max(history.trials - 1, 1);
  const good = told.filter((each) => each.ok);
  const bad = told.filter((each) => !each.ok);
  const domain = extent(told.map((each) => each.value), 0.06, log);
  const marks: Mark[] = [];
  const dense = told.length > 700;
  const dots = (list: typeof told, color: string, hollow: boolean): Mark => ({
    type: "dots", xs: list.map((each) => each.n), ys: list.map((each) => each.value), color, hollow, radius: dense ? 2 : 3.2, alpha: dense ? 0.5 : 0.8,
    hit: (i) => ({ text: [`trial ${list[i]!.n}`, `${metric} ${number(list[i]!.value)}`, ...(hollow ? ["not feasible"] : [])], trial: list[i]!.n }),
  });
  if (bad.length) marks.push(dots(bad, palette.fail, true));
  marks.push(dots(good, palette.point, false));
  if (history.failed.length) {
    const floor = domain[0];
    marks.push({ type: "dots", xs: history.failed, ys: history.failed.map(() => floor), color: palette.fail, radius: 2.5, hit: (i) => ({ text: [`trial ${history.failed[i]}`, "failed"], trial: history.failed[i] }) });
  }
  if (single && history.best.numbers.length) {
    marks.push({ type: "line", xs: [...history.best.numbers, last], ys: [...history.best.values, history.best.values.at(-1)!], color: palette.best, width: 2.5, steps: true });
  }
  const goal = study.metrics.find((each) => each.name === metric);
  for (const bound of [goal?.lower, goal?.upper]) if (bound != null) marks.push({ type: "rule", at: bound, across: "y", color: palette.other, label: `bound ${number(bound)}` });
  const legend: Chart["legend"] = [{ color: palette.point, label: "result", shape: "dot" }];
  if (single) legend.push({ color: palette.best, label: "best so far", shape: "line" });
  if (bad.length) legend.push({ color: palette.fail, label: "not feasible", shape: "ring" });
  if (history.failed.length) legend.push({ color: palette.fail, label: "failed", shape: "dot" });
  const bestNow = single ? history.best.values.at(-1) : undefined;
  const thinned = numbers.length < (study.trial_counts["completed"] ?? 0);
  return {
    chart: { x: { label: "trial", kind: "linear", domain: [-last * 0.01, last * 1.01] }, y: { label: metric, kind: log ? "log" : "linear", domain }, marks, legend },
    rows: () => [["trial", metric, "feasible"], ...told.map((each) => [each.n, each.value, each.ok])],
    summary: `${history.trials} trials${bestNow === undefined ? "" : `, best ${metric} ${number(bestNow)}`}.`,
    empty: told.length === 0 && history.failed.length === 0 ? "No result yet. Points appear as they are told." : null,
    note: thinned ? "Of each stretch of trials the least and the greatest result are drawn." : undefined,
  };
}
