// When trials ran, on whose hands, and how long they took.
import type { ColumnsAnswer } from "../api";
import { duration, time } from "../format";
import type { Palette } from "../theme";
import { extent } from "./chart";
import { isWide, type PlotData } from "./history";

/** Most lanes of a timeline; the busiest workers get them. */
const LANES = 16;

const STATE_COLORS: Record<string, keyof Palette> = { completed: "point", failed: "fail", running: "best", stopped: "other", abandoned: "faint", expired: "faint" };

function rowsOf(columns: ColumnsAnswer) {
  return columns.numbers.map((trial, i) => {
    const worker = columns.workers.rows[i];
    const state = columns.states.rows[i];
    return {
      trial, start: columns.started_at[i], end: columns.ended_at[i],
      worker: worker == null ? "unnamed" : (columns.workers.names[worker] ?? "unnamed"),
      state: state == null ? "" : (columns.states.names[state] ?? ""),
    };
  });
}

export function timeline(columns: ColumnsAnswer, palette: Palette): PlotData | null {
  const now = Date.now();
  const all = rowsOf(columns).filter((each) => each.start != null && (each.end != null || each.state === "running")).map((each) => ({ ...each, start: each.start!, end: each.end ?? now }));
  if (all.length === 0) return null;
  const busy = new Map<string, number>();
  for (const each of all) busy.set(each.worker, (busy.get(each.worker) ?? 0) + 1);
  const names = [...busy].sort((a, b) => b[1] - a[1]).slice(0, LANES).map(([name]) => name).sort();
  const rows = all.filter((each) => names.includes(each.worker));
  // Trials of one worker that ran at the same time lie above each other.
  const free = names.map(() => [] as number[]);
  const places = [...rows].sort((a, b) => a.start - b.start).map((each) => {
    const lane = names.indexOf(each.worker);
    let place = free[lane]!.findIndex((end) => end <= each.start);
    if (place < 0) place = free[lane]!.push(0) - 1;
    free[lane]![place] = each.end;
    return { ...each, lane, place };
  });
  const height = (lane: number) => 0.76 / Math.max(free[lane]!.length, 1);
  const low = (each: (typeof places)[number]) => each.lane - 0.38 + each.place * height(each.lane);
  const color = (state: string) => palette[STATE_COLORS[state] ?? "other"] as string;
  const states: string[] = [...new Set(rows.map((each) => each.state))];
  return {
    chart: {
      x: { label: "time", kind: "time", domain: extent(places.flatMap((each) => [each.start, each.end]), 0.02) },
      y: { label: "worker", kind: "names", domain: [-0.6, names.length - 0.4], names },
      marks: [{
        type: "bars", x0: places.map((each) => each.start), x1: places.map((each) => each.end), y0: places.map(low), y1: places.map((each) => low(each) + height(each.lane) * 0.86), color: (i) => color(places[i]!.state),
        hit: (i) => ({ text: [`trial ${places[i]!.trial}, ${places[i]!.state}`, `${places[i]!.worker}`, `${time(places[i]!.start)}, ${duration((places[i]!.end - places[i]!.start) / 1000)}`], trial: places[i]!.trial }),
      }],
      legend: states.map((state) => ({ color: color(state), label: state, shape: "bar" })),
    },
    rows: () => [["trial", "worker", "state", "started_at", "ended_at"], ...places.map((each) => [each.trial, each.worker, each.state, new Date(each.start).toISOString(), new Date(each.end).toISOString()])],
    summary: `${places.length} trials of ${names.length} workers.`,
    empty: null,
    note: busy.size > LANES ? `The ${LANES} busiest of ${busy.size} workers are drawn.` : undefined,
  };
}

export function durations(columns: ColumnsAnswer, palette: Palette): PlotData | null {
  const rows = rowsOf(columns).filter((each) => each.start != null && each.end != null).map((each) => ({ ...each, seconds: (each.end! - each.start!) / 1000 }));
  if (rows.length === 0) return null;
  const log = isWide(rows.map((each) => each.seconds));
  const last = Math.max(columns.trials - 1, 1);
  const sorted = rows.map((each) => each.seconds).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)]!;
  return {
    chart: {
      x: { label: "trial", kind: "linear", domain: [-last * 0.01, last * 1.01] },
      y: { label: "seconds", kind: log ? "log" : "linear", domain: log ? extent(sorted, 0.06, true) : [0, (sorted.at(-1) ?? 1) * 1.06 || 1] },
      marks: [
        { type: "dots", xs: rows.map((each) => each.trial), ys: rows.map((each) => each.seconds), color: (i) => palette[STATE_COLORS[rows[i]!.state] ?? "other"] as string, radius: 2.8, alpha: 0.75, hit: (i) => ({ text: [`trial ${rows[i]!.trial}`, duration(rows[i]!.seconds), rows[i]!.worker], trial: rows[i]!.trial }) },
        { type: "rule", at: median, across: "y", color: palette.best, label: `median ${duration(median)}` },
      ],
    },
    rows: () => [["trial", "seconds", "state", "worker"], ...rows.map((each) => [each.trial, each.seconds, each.state, each.worker])],
    summary: `The median of ${rows.length} durations is ${duration(median)}.`,
    empty: null,
  };
}
