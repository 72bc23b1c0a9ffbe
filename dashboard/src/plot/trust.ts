// Which parameters matter, and how far the model can be trusted.
import type { ModelInsight } from "../api";
import { number } from "../format";
import type { Palette } from "../theme";
import { extent, type Mark } from "./chart";
import { isWide, type PlotData } from "./history";

/** Parameters that are drawn, the most important ones. */
const SHOWN = 24;
/** Half the width of a 90 % interval of a normal distribution, in standard deviations. */
const HALF = 1.6449;

/** The share of the predicted variance that involves each parameter. */
export function importance(model: ModelInsight, palette: Palette): PlotData {
  const all = Object.entries(model.importances).sort((left, right) => left[1] - right[1]);
  const rows = all.slice(-SHOWN);
  const places = rows.map((_, i) => i);
  return {
    chart: {
      x: { label: `share of the variance of ${model.metric}`, kind: "linear", domain: [0, Math.max(1.02, ...rows.map(([, share]) => share * 1.02))] },
      y: { label: "", kind: "names", domain: [-0.6, rows.length - 0.4], names: rows.map(([name]) => name) },
      marks: [{
        type: "bars", x0: rows.map(() => 0), x1: rows.map(([, share]) => share), y0: places.map((i) => i - 0.34), y1: places.map((i) => i + 0.34), color: palette.model,
        hit: (i) => ({ text: [rows[i]![0], `${number(100 * rows[i]![1], 3)} %`, `lengthscale ${number(model.lengthscales[rows[i]![0]], 3)} of the range`] }),
      }],
    },
    rows: () => [["parameter", "share", "lengthscale"], ...[...all].reverse().map(([name, share]) => [name, share, model.lengthscales[name] ?? null])],
    summary: `${[...rows].reverse().slice(0, 3).map(([name, share]) => `${name} ${number(100 * share, 2)} %`).join(", ")} of the variance of ${model.metric}.`,
    empty: rows.length === 0 ? "There is no model yet." : null,
    note: all.length > SHOWN ? `The ${SHOWN} of ${all.length} parameters that matter most.` : undefined,
  };
}

/** What each trial would have been predicted as from all others. */
export function calibration(model: ModelInsight, palette: Palette): PlotData {
  // The prediction is of the noise-free value; what is observed has the noise on top.
  const rows = model.leave_one_out.map(({ number: trial, observed, predicted }) => {
    const half = HALF * Math.hypot(predicted.sd, model.noise_sd);
    return { trial, observed, mean: predicted.mean, low: predicted.mean - half, high: predicted.mean + half, within: Math.abs(observed - predicted.mean) <= half };
  });
  const within = rows.filter((each) => each.within).length;
  const log = isWide(rows.flatMap((each) => [each.observed, each.low]));
  const domain = extent(rows.flatMap((each) => [each.observed, each.mean]), 0.06, log);
  const of = (list: typeof rows, color: string): Mark[] => [
    ...list.map((each): Mark => ({ type: "line", xs: [each.observed, each.observed], ys: [each.low, each.high], color, width: list.length > 200 ? 0.6 : 1.2 })),
    { type: "dots", xs: list.map((each) => each.observed), ys: list.map((each) => each.mean), color, radius: 3, hit: (i) => ({ text: [`trial ${list[i]!.trial}`, `observed ${number(list[i]!.observed)}`, `predicted ${number(list[i]!.mean, 4)}, 90 % within ${number(list[i]!.low, 4)} to ${number(list[i]!.high, 4)}`], trial: list[i]!.trial }) },
  ];
  return {
    chart: {
      x: { label: `${model.metric}, observed`, kind: log ? "log" : "linear", domain },
      y: { label: "predicted from the others", kind: log ? "log" : "linear", domain },
      marks: [{ type: "line", xs: domain, ys: domain, color: palette.faint, width: 1.5, dash: [5, 4] }, ...of(rows.filter((each) => each.within), palette.point), ...of(rows.filter((each) => !each.within), palette.fail)],
      legend: [{ color: palette.point, label: "within its 90 % interval", shape: "dot" }, { color: palette.fail, label: "outside", shape: "dot" }],
    },
    rows: () => [["trial", "observed", "predicted", "low", "high"], ...rows.map((each) => [each.trial, each.observed, each.mean, each.low, each.high])],
    summary: `${within} of ${rows.length} results lie in the 90 % interval that the other results predict.`,
    empty: rows.length === 0 ? "There is no model yet." : null,
    note: rows.length ? `${within} of ${rows.length} results lie within the 90 % interval that the others predict for them; about ${Math.round(0.9 * rows.length)} should.` : undefined,
  };
}
