// Several objectives: the trials in the plane of two, the front among them, and the hypervolume as it grew.
import type { ColumnsAnswer, HistoryAnswer, Study } from "../api";
import { number } from "../format";
import type { Palette } from "../theme";
import { extent, type Mark } from "./chart";
import { isWide, type PlotData } from "./history";

export function front(study: Study, history: HistoryAnswer, columns: ColumnsAnswer, x: string, y: string, palette: Palette): PlotData {
  // The history holds the first objective's extremes, the columns a sample with the best: together they show both.
  const seen = new Map<number, { trial: number; x: number; y: number; ok: boolean }>();
  const add = (numbers: number[], xs: (number | null)[] | undefined, ys: (number | null)[] | undefined, ok: (boolean | null)[]) =>
    numbers.forEach((trial, i) => {
      if (xs?.[i] != null && ys?.[i] != null && ok[i] !== null) seen.set(trial, { trial, x: xs[i]!, y: ys[i]!, ok: ok[i] ?? false });
    });
  add(history.results.numbers, history.results.values[x], history.results.values[y], history.results.feasible);
  add(columns.numbers, columns.metrics[x], columns.metrics[y], columns.feasible);
  const on = new Set(history.front);
  const rows = [...seen.values()];
  // From the best of the objective across on, so that the steps bound what is dominated.
  const way = study.metrics.find((each) => each.name === x)?.goal === "maximize" ? -1 : 1;
  const best = rows.filter((each) => on.has(each.trial)).sort((a, b) => way * (a.x - b.x));
  const others = rows.filter((each) => !on.has(each.trial));
  const hit = (list: typeof rows) => (i: number) => ({ text: [`trial ${list[i]!.trial}`, `${x} ${number(list[i]!.x)}`, `${y} ${number(list[i]!.y)}`], trial: list[i]!.trial });
  const dots = (list: typeof rows, color: string, hollow: boolean, radius: number, alpha: number): Mark => ({ type: "dots", xs: list.map((each) => each.x), ys: list.map((each) => each.y), color, hollow, radius, alpha, hit: hit(list) });
  const [logX, logY] = [isWide(rows.map((each) => each.x)), isWide(rows.map((each) => each.y))];
  const marks: Mark[] = [dots(others.filter((each) => !each.ok), palette.fail, true, 3, 0.7), dots(others.filter((each) => each.ok), palette.point, false, 3, 0.55)];
  const two = study.metrics.filter((each) => each.goal === "minimize" || each.goal === "maximize").length === 2;
  if (two) marks.push({ type: "line", xs: best.map((each) => each.x), ys: best.map((each) => each.y), color: palette.best, width: 2, steps: true });
  marks.push(dots(best, palette.best, false, 4.5, 1));
  if (history.reference && two) {
    marks.push({ type: "rule", at: history.reference[0]!, across: "x", color: palette.faint, dash: [2, 4] }, { type: "rule", at: history.reference[1]!, across: "y", color: palette.faint, dash: [2, 4] });
  }
  return {
    chart: {
      x: { label: x, kind: logX ? "log" : "linear", domain: extent(rows.map((each) => each.x), 0.06, logX) },
      y: { label: y, kind: logY ? "log" : "linear", domain: extent(rows.map((each) => each.y), 0.06, logY) },
      marks,
      legend: [{ color: palette.best, label: "front", shape: "dot" }, { color: palette.point, label: "dominated", shape: "dot" }, ...(rows.some((each) => !each.ok) ? [{ color: palette.fail, label: "not feasible", shape: "ring" as const }] : [])],
    },
    rows: () => [["trial", x, y, "feasible", "front"], ...rows.map((each) => [each.trial, each.x, each.y, each.ok, on.has(each.trial)])],
    summary: `${history.front.length} trials on the front.`,
    empty: rows.length === 0 ? "No result yet." : null,
  };
}

export function hypervolume(history: HistoryAnswer, palette: Palette): PlotData {
  const { numbers, values } = history.hypervolume;
  const last = Math.max(history.trials - 1, 1);
  return {
    chart: {
      x: { label: "trial", kind: "linear", domain: [-last * 0.01, last * 1.01] },
      y: { label: "hypervolume", kind: "linear", domain: extent([0, ...values]) },
      marks: [
        { type: "line", xs: [...numbers, last], ys: [...values, values.at(-1) ?? 0], color: palette.best, width: 2.5, steps: true },
        { type: "dots", xs: numbers, ys: values, color: palette.best, radius: 2.5, hit: (i) => ({ text: [`trial ${numbers[i]}`, `hypervolume ${number(values[i])}`] }) },
      ],
    },
    rows: () => [["trial", "hypervolume"], ...numbers.map((n, i) => [n, values[i]!])],
    summary: `The front dominates ${number(values.at(-1))} from the reference ${history.reference?.map((each) => number(each)).join(", ")}.`,
    empty: values.length === 0 ? "It begins with the first feasible result." : null,
    note: history.reference ? `Measured from ${history.reference.map((each) => number(each)).join(", ")}.` : undefined,
  };
}
