// Intermediate values: how trials went while they ran.
import type { CurvesAnswer } from "../api";
import { number } from "../format";
import { ramp, type Palette } from "../theme";
import { extent, type Mark } from "./chart";
import { isWide, type PlotData } from "./history";

/** Curves of trials over their steps, the better their last value the stronger their colour. */
export function curves(answer: CurvesAnswer, metric: string, goal: string, palette: Palette): PlotData {
  const way = goal === "maximize" ? 1 : -1;
  const sorted = [...answer.curves].sort((a, b) => way * (a.values.at(-1)! - b.values.at(-1)!));
  const values = sorted.flatMap((curve) => curve.values);
  const log = isWide(values);
  const color = (i: number) => (sorted[i]!.state === "stopped" ? palette.other : ramp(palette.ramp, sorted.length > 1 ? 0.15 + (0.85 * i) / (sorted.length - 1) : 1));
  const lines = sorted.map((curve, i): Mark => ({ type: "line", xs: curve.steps, ys: curve.values, color: color(i), width: 1.6, dash: curve.state === "stopped" ? [4, 3] : undefined }));
  const ends: Mark = {
    type: "dots", xs: sorted.map((curve) => curve.steps.at(-1)!), ys: sorted.map((curve) => curve.values.at(-1)!), color, radius: 3.2,
    hit: (i) => ({ text: [`trial ${sorted[i]!.number}, ${sorted[i]!.state}`, `step ${sorted[i]!.steps.at(-1)}`, `${metric} ${number(sorted[i]!.values.at(-1))}`], trial: sorted[i]!.number }),
  };
  return {
    chart: {
      x: { label: "step", kind: "linear", domain: extent(sorted.flatMap((curve) => curve.steps), 0.02) },
      y: { label: metric, kind: log ? "log" : "linear", domain: extent(values, 0.06, log) },
      marks: [...lines, ends],
      legend: sorted.some((curve) => curve.state === "stopped") ? [{ color: palette.other, label: "stopped early", shape: "line" }] : [],
    },
    rows: () => [["trial", "state", "step", metric], ...sorted.flatMap((curve) => curve.steps.map((step, i) => [curve.number, curve.state, step, curve.values[i]!]))],
    summary: `${sorted.length} trials reported ${metric} while they ran.`,
    empty: sorted.length === 0 ? "No trial reported values while it ran." : null,
  };
}
