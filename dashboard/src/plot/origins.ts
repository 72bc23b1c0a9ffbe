// What proposed the trials, and how the best so far went from hand to hand.
import type { ColumnsAnswer, HistoryAnswer } from "../api";
import { number } from "../format";
import type { Palette } from "../theme";
import { extent, type Mark } from "./chart";
import { isWide, type PlotData } from "./history";

/** Results of one objective by what proposed them; the best so far in the colour of what found it. */
export function origins(history: HistoryAnswer, columns: ColumnsAnswer, metric: string, palette: Palette): PlotData | null {
  const values = columns.metrics[metric] ?? [];
  const rows = columns.numbers
    .map((trial, i) => ({ trial, value: values[i], origin: columns.origins.names[columns.origins.rows[i] ?? -1] ?? "", ok: columns.feasible[i] }))
    .filter((each): each is { trial: number; value: number; origin: string; ok: boolean | null } => each.value != null);
  const many = new Map<string, number>();
  for (const each of rows) many.set(each.origin, (many.get(each.origin) ?? 0) + 1);
  if (many.size < 2) return null;
  const names = [...many].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  const color = (origin: string) => palette.series[names.indexOf(origin)] ?? palette.other;
  const log = isWide(rows.map((each) => each.value));
  const dense = rows.length > 700;
  const last = Math.max(columns.trials - 1, 1);
  const marks: Mark[] = [{
    type: "dots", xs: rows.map((each) => each.trial), ys: rows.map((each) => each.value), color: (i) => color(rows[i]!.origin), radius: dense ? 2 : 3.2, alpha: dense ? 0.6 : 0.85,
    hit: (i) => ({ text: [`trial ${rows[i]!.trial}`, `${metric} ${number(rows[i]!.value)}`, rows[i]!.origin.replaceAll("_", " "), ...(rows[i]!.ok === false ? ["not feasible"] : [])], trial: rows[i]!.trial }),
  }];
  // Each improvement belongs to what proposed it, until the next one.
  const found = new Map(rows.map((each) => [each.trial, each.origin]));
  const { numbers, values: best } = history.best;
  numbers.forEach((trial, i) => {
    const until = numbers[i + 1] ?? last;
    marks.push({ type: "line", xs: [trial, until], ys: [best[i]!, best[i]!], color: color(found.get(trial) ?? ""), width: 3.5 });
  });
  const led = numbers.filter((trial) => found.has(trial)).map((trial) => found.get(trial)!);
  const leads = names.map((name) => [name, led.filter((each) => each === name).length] as const).filter(([, times]) => times > 0);
  return {
    chart: {
      x: { label: "trial", kind: "linear", domain: [-last * 0.01, last * 1.01] }, y: { label: metric, kind: log ? "log" : "linear", domain: extent(rows.map((each) => each.value), 0.06, log) }, marks,
      legend: names.map((name) => ({ color: color(name), label: name.replaceAll("_", " "), shape: "dot" })),
    },
    rows: () => [["trial", metric, "origin", "feasible"], ...rows.map((each) => [each.trial, each.value, each.origin, each.ok])],
    summary: `${rows.length} results of ${metric} by ${names.length} kinds of proposals.`,
    empty: null,
    note: leads.length ? `Improvements: ${leads.map(([name, times]) => `${times} by ${name.replaceAll("_", " ")}`).join(", ")}.` : undefined,
  };
}
