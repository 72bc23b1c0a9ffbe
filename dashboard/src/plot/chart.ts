// A chart as data: two axes and marks between them. `paint` draws it on a surface; `nearest` finds what is under the
// pointer. Nothing here knows the page around it.
import { contours } from "d3-contour";
import { scaleLinear, scaleLog, scaleTime } from "d3-scale";
import { number } from "../format";
import { ramp, type Palette } from "../theme";
import type { Numbers, Surface } from "./surface";

export interface Axis {
  label: string;
  /** `names`: whole numbers that stand for names. */
  kind: "linear" | "log" | "time" | "names";
  domain: [number, number];
  names?: string[];
}

interface Hit { text: string[]; trial?: number }
export type Mark =
  | { type: "line"; xs: Numbers; ys: Numbers; color: string; width?: number; dash?: number[]; steps?: boolean; label?: string }
  | { type: "band"; xs: Numbers; low: Numbers; high: Numbers; color: string; alpha?: number }
  | { type: "dots"; xs: Numbers; ys: Numbers; color: string | ((i: number) => string); radius?: number; hollow?: boolean; alpha?: number; hit?: (i: number) => Hit }
  | { type: "bars"; x0: Numbers; x1: Numbers; y0: Numbers; y1: Numbers; color: string | ((i: number) => string); hit?: (i: number) => Hit }
  | { type: "rule"; at: number; across: "x" | "y"; color: string; label?: string; dash?: number[] }
  | { type: "field"; values: number[]; columns: number; rows: number; x: [number, number]; y: [number, number]; levels: number[]; hit?: (x: number, y: number) => Hit };

export interface Chart { x: Axis; y: Axis; marks: Mark[]; legend?: { color: string; label: string; shape: "dot" | "line" | "ring" | "area" | "bar" }[] }
export interface Frame { left: number; top: number; width: number; height: number }
export interface Scale { (value: number): number; invert(pixel: number): number; ticks: { value: number; label: string }[] }

function spread(axis: Axis, range: [number, number], room: number): Scale {
  let [low, high] = axis.domain;
  if (axis.kind === "log" && !(low > 0)) low = high > 0 ? high / 1e6 : 1e-6;
  if (!(high > low)) [low, high] = axis.kind === "log" ? [low / 2, low * 2] : [low - 0.5, low + 0.5];
  const wanted = Math.max(2, Math.floor(room));
  if (axis.kind === "names") {
    const scale = scaleLinear([low, high], range);
    const names = axis.names ?? [];
    const step = Math.max(1, Math.ceil(names.length / Math.max(wanted * 1.6, 2)));
    const ticks = names.map((label, value) => ({ value, label: clip(label, 14) })).filter((tick) => tick.value % step === 0 && tick.value >= low && tick.value <= high);
    return Object.assign((value: number) => scale(value), { invert: (pixel: number) => scale.invert(pixel), ticks });
  }
  if (axis.kind === "time") {
    const scale = scaleTime([low, high], range);
    const label = scale.tickFormat(wanted);
    const ticks = scale.ticks(wanted).map((at) => ({ value: at.getTime(), label: label(at) }));
    return Object.assign((value: number) => scale(value), { invert: (pixel: number) => scale.invert(pixel).getTime(), ticks });
  }
  if (axis.kind === "log") {
    const scale = scaleLog([low, high], range);
    const decades = Math.log10(high / low);
    let at = scale.ticks(wanted).filter((value) => decades < 1.2 || Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9);
    const every = Math.ceil(at.length / wanted);
    at = at.filter((_, i) => i % every === 0);
    return Object.assign((value: number) => (value > 0 ? scale(value) : NaN), { invert: (pixel: number) => scale.invert(pixel), ticks: at.map((value) => ({ value, label: tickLabel(value) })) });
  }
  const scale = scaleLinear([low, high], range);
  return Object.assign((value: number) => scale(value), { invert: (pixel: number) => scale.invert(pixel), ticks: scale.ticks(wanted).map((value) => ({ value, label: tickLabel(value) })) });
}

const tickLabel = (value: number): string => {
  const size = Math.abs(value);
  if (size >= 1e4 && size < 1e7 && size % 100 === 0) return `${number(value / 1000, 4)}k`;
  return number(value, 4);
};
export const clip = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

/** Where the axes leave room. */
export function frameOf(chart: Chart, width: number, height: number): Frame {
  const probe = spread(chart.y, [height, 0], height / 44);
  const longest = Math.max(0, ...probe.ticks.map((tick) => tick.label.length));
  const left = Math.min(Math.max(30 + longest * 6, 44), width / 3);
  return { left, top: 10, width: Math.max(width - left - 14, 20), height: Math.max(height - 10 - 42, 20) };
}

export function scalesOf(chart: Chart, frame: Frame): { x: Scale; y: Scale } {
  return {
    x: spread(chart.x, [frame.left, frame.left + frame.width], frame.width / 80),
    y: spread(chart.y, [frame.top + frame.height, frame.top], frame.height / 44),
  };
}

/** Draws a chart. */
export function paint(surface: Surface, chart: Chart, width: number, height: number, palette: Palette): void {
  const frame = frameOf(chart, width, height);
  const { x, y } = scalesOf(chart, frame);
  const bottom = frame.top + frame.height;
  const right = frame.left + frame.width;
  for (const tick of y.ticks) {
    const at = y(tick.value);
    if (!(at >= frame.top - 1 && at <= bottom + 1)) continue;
    surface.line([frame.left, right], [at, at], { color: palette.grid });
    surface.text(frame.left - 8, at, tick.label, { color: palette.soft, anchor: "end" });
  }
  for (const tick of x.ticks) {
    const at = x(tick.value);
    if (!(at >= frame.left - 1 && at <= right + 1)) continue;
    surface.line([at, at], [bottom, bottom + 4], { color: palette.faint });
    surface.text(at, bottom + 9, tick.label, { color: palette.soft, anchor: "middle", baseline: "top" });
  }
  surface.line([frame.left, right], [bottom, bottom], { color: palette.faint });
  surface.text(frame.left + frame.width / 2, height - 3, clip(chart.x.label, Math.floor(frame.width / 6.4)), { color: palette.soft, anchor: "middle", baseline: "bottom", size: 11.5 });
  surface.text(11, frame.top + frame.height / 2, clip(chart.y.label, Math.floor(frame.height / 6.4)), { color: palette.soft, anchor: "middle", turn: -90, size: 11.5 });
  surface.clip(frame.left, frame.top - 4, frame.width + 6, frame.height + 8, () => {
    for (const mark of chart.marks) draw(surface, mark, x, y, frame, palette);
  });
}

function draw(surface: Surface, mark: Mark, x: Scale, y: Scale, frame: Frame, palette: Palette): void {
  const px = (values: Numbers) => Float64Array.from(values, x);
  const py = (values: Numbers) => Float64Array.from(values, y);
  switch (mark.type) {
    case "line": {
      let [xs, ys]: [Float64Array, Float64Array] = [px(mark.xs), py(mark.ys)];
      if (mark.steps) [xs, ys] = staircase(xs, ys);
      surface.line(xs, ys, { color: mark.color, width: mark.width ?? 2, dash: mark.dash });
      return;
    }
    case "band": {
      const xs = px(mark.xs);
      const [low, high] = [py(mark.low), py(mark.high)];
      const ring = [...xs].map((at, i) => [at, high[i]!]).concat([...xs].map((at, i) => [at, low[i]!]).reverse());
      if (ring.length > 2) surface.rings([ring], mark.color, mark.alpha ?? 0.18);
      return;
    }
    case "dots": {
      const radius = mark.radius ?? 3;
      for (let i = 0; i < mark.xs.length; i++) {
        const [cx, cy] = [x(mark.xs[i]!), y(mark.ys[i]!)];
        if (!Number.isFinite(cx) || !Number.isFinite(cy)) continue;
        const color = typeof mark.color === "string" ? mark.color : mark.color(i);
        if (mark.hollow) surface.dot(cx, cy, radius, null, { color, width: 1.5 }, mark.alpha);
        else surface.dot(cx, cy, radius, color, null, mark.alpha);
      }
      return;
    }
    case "bars":
      for (let i = 0; i < mark.x0.length; i++) {
        const [a, b] = [x(mark.x0[i]!), x(mark.x1[i]!)];
        const [c, d] = [y(mark.y0[i]!), y(mark.y1[i]!)];
        const color = typeof mark.color === "string" ? mark.color : mark.color(i);
        surface.rect(Math.min(a, b), Math.min(c, d), Math.max(Math.abs(b - a), 1.5), Math.max(Math.abs(d - c), 1), color);
      }
      return;
    case "rule": {
      const along = mark.across === "y";
      const at = along ? y(mark.at) : x(mark.at);
      if (!Number.isFinite(at)) return;
      const ends = along ? [[frame.left, frame.left + frame.width], [at, at]] : [[at, at], [frame.top, frame.top + frame.height]];
      surface.line(ends[0]!, ends[1]!, { color: mark.color, width: 1.25, dash: mark.dash ?? [5, 4] });
      if (mark.label) surface.text(along ? frame.left + frame.width - 4 : at + 5, along ? at - 7 : frame.top + 8, mark.label, { color: mark.color, anchor: along ? "end" : "start", size: 10.5 });
      return;
    }
    case "field": {
      const { columns, rows, levels } = mark;
      const gx = (i: number) => x(grid(mark.x, (i - 0.5) / (columns - 1), x));
      const gy = (j: number) => y(grid(mark.y, (j - 0.5) / (rows - 1), y));
      const base = Math.min(...mark.values);
      surface.rect(frame.left, frame.top, frame.width, frame.height, ramp(palette.ramp, 0));
      const shapes = contours().size([columns, rows]).thresholds(levels.filter((level) => level > base))(mark.values);
      shapes.forEach((shape) => {
        const place = levels.indexOf(shape.value);
        const rings = shape.coordinates.flatMap((polygon) => polygon.map((ring) => ring.map(([i, j]) => [gx(i!), gy(j!)])));
        if (rings.length) surface.rings(rings, ramp(palette.ramp, (place + 1) / levels.length));
      });
      return;
    }
  }
}

/** The value a fraction of the way along an axis, by pixels: even on a log axis too. */
function grid([low, high]: [number, number], t: number, scale: Scale): number {
  const [a, b] = [scale(low), scale(high)];
  return scale.invert(a + (b - a) * t);
}

function staircase(xs: Float64Array, ys: Float64Array): [Float64Array, Float64Array] {
  const [sx, sy] = [new Float64Array(Math.max(2 * xs.length - 1, 0)), new Float64Array(Math.max(2 * ys.length - 1, 0))];
  for (let i = 0; i < xs.length; i++) {
    [sx[2 * i], sy[2 * i]] = [xs[i]!, ys[i]!];
    if (i > 0) [sx[2 * i - 1], sy[2 * i - 1]] = [xs[i]!, ys[i - 1]!];
  }
  return [sx, sy];
}

export interface Found { x: number; y: number; text: string[]; trial?: number }

/** What is under the pointer, if anything. */
export function nearest(chart: Chart, frame: Frame, x: number, y: number): Found | null {
  const scales = scalesOf(chart, frame);
  let found: Found | null = null;
  let least = 18 * 18;
  for (const mark of chart.marks) {
    if (mark.type === "dots" && mark.hit) {
      for (let i = 0; i < mark.xs.length; i++) {
        const [cx, cy] = [scales.x(mark.xs[i]!), scales.y(mark.ys[i]!)];
        const distance = (cx - x) ** 2 + (cy - y) ** 2;
        if (distance <= least) {
          least = distance;
          found = { x: cx, y: cy, ...mark.hit(i) };
        }
      }
    } else if (mark.type === "bars" && mark.hit) {
      for (let i = 0; i < mark.x0.length; i++) {
        const [a, b] = [scales.x(mark.x0[i]!), scales.x(mark.x1[i]!)];
        const [c, d] = [scales.y(mark.y0[i]!), scales.y(mark.y1[i]!)];
        if (x >= Math.min(a, b) - 3 && x <= Math.max(a, b) + 3 && y >= Math.min(c, d) && y <= Math.max(c, d)) found = { x: (a + b) / 2, y: Math.min(c, d), ...mark.hit(i) };
      }
    }
  }
  if (found) return found;
  for (const mark of chart.marks) {
    if (mark.type === "field" && mark.hit) return { x, y, ...mark.hit(scales.x.invert(x), scales.y.invert(y)) };
  }
  return null;
}

/** The extent of values, a little wider; one that a log axis can show where asked. */
export function extent(values: Iterable<number | null | undefined>, margin = 0.05, log = false): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || value === undefined || !Number.isFinite(value) || (log && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return log ? [0.1, 1] : [0, 1];
  if (log) {
    const wide = Math.pow(high / low || 1, margin);
    return low === high ? [low / 2, high * 2] : [low / wide, high * wide];
  }
  const wide = (high - low) * margin || Math.abs(high) * 0.1 || 0.5;
  return [low - wide, high + wide];
}
