// Parallel coordinates: a line for each trial over an axis for each parameter and metric. Dragging along an axis keeps
// those that pass through; what is kept is in the address.
import type { ComponentChildren } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import type { ColumnsAnswer, Study } from "../api";
import { count, number } from "../format";
import { Card } from "../parts/parts";
import { useField } from "../router";
import { ramp, type Palette } from "../theme";
import { clip, extent } from "./chart";
import { isWide } from "./history";
import { Export, Tip, useCanvas } from "./plot";
import { inWords, ranks } from "./space";
import type { Surface } from "./surface";

const HEIGHT = 360;
const [TOP, BOTTOM, SIDE] = [44, 26, 56];
/** Most axes that are drawn. */
const AXES = 24;

interface Axis { name: string; label: string; values: (number | null)[]; place: (value: number) => number; undo: (place: number) => number; ticks: [string, string]; words: (value: number) => string }

function axesOf(study: Study, columns: ColumnsAnswer, metric: string): Axis[] {
  const parameters = study.parameters.slice(0, AXES - 1).map((parameter): Axis => {
    const values = columns.parameters[parameter.name] ?? [];
    const words = (value: number) => inWords(parameter, value);
    if (parameter.type === "categorical" || parameter.type === "ordinal") {
      const last = (parameter.type === "categorical" ? parameter.choices : parameter.values).length - 1;
      return { name: `p:${parameter.name}`, label: parameter.name, values, place: (value) => value / last, undo: (place) => place * last, ticks: [words(0), words(last)], words };
    }
    const { low, high } = parameter;
    const log = parameter.scale === "log";
    return {
      name: `p:${parameter.name}`, label: parameter.name, values, words, ticks: [number(low, 4), number(high, 4)],
      place: log ? (value) => Math.log(value / low) / Math.log(high / low) : (value) => (value - low) / (high - low),
      undo: log ? (place) => low * Math.pow(high / low, place) : (place) => low + place * (high - low),
    };
  });
  const values = columns.metrics[metric] ?? [];
  const log = isWide(values);
  const [low, high] = extent(values, 0, log);
  const of: Axis = {
    name: `m:${metric}`, label: metric, values, words: (value) => number(value), ticks: [number(low, 4), number(high, 4)],
    place: log ? (value) => Math.log(value / low) / Math.log(high / low) : (value) => (value - low) / (high - low || 1),
    undo: log ? (place) => low * Math.pow(high / low, place) : (place) => low + place * (high - low),
  };
  return [...parameters, of];
}

/** Ranges as text: name~low~high, with semicolons between. */
const readRanges = (text: string): Map<string, [number, number]> =>
  new Map(text.split(";").map((part) => part.split("~")).filter((part) => part.length === 3).map(([name, low, high]) => [decodeURIComponent(name!), [Number(low), Number(high)]]));
const writeRanges = (ranges: Map<string, [number, number]>): string => [...ranges].map(([name, [low, high]]) => `${encodeURIComponent(name)}~${low}~${high}`).join(";");

interface Props { study: Study; columns: ColumnsAnswer; metric: string; controls?: ComponentChildren; onPick: (trial: number) => void }

export function Parallel({ study, columns, metric, controls, onPick }: Props) {
  const [text, setText] = useField("parallel.keep", "");
  const ranges = useMemo(() => readRanges(text), [text]);
  const axes = useMemo(() => axesOf(study, columns, metric), [columns, metric, study.id]);
  const goal = study.metrics.find((each) => each.name === metric)?.goal ?? "minimize";
  const rank = useMemo(() => ranks(columns.metrics[metric] ?? [], goal), [columns, metric]);
  const kept = useMemo(() => {
    const through = (row: number) => axes.every((axis) => {
      const range = ranges.get(axis.name);
      const value = axis.values[row];
      return !range || (value != null && axis.place(value) >= range[0] && axis.place(value) <= range[1]);
    });
    return columns.numbers.map((_, row) => row).filter((row) => rank[row] !== null && through(row)).sort((a, b) => rank[a]! - rank[b]!);
  }, [axes, ranges, rank]);
  const [hover, setHover] = useState<{ row: number; x: number; y: number } | null>(null);
  const drag = useRef<{ axis: number; from: number } | null>(null);
  const at = (axis: number, width: number) => SIDE + (axis * (width - 2 * SIDE)) / Math.max(axes.length - 1, 1);
  const y = (place: number, height: number) => height - BOTTOM - place * (height - TOP - BOTTOM);
  const draw = (surface: Surface, width: number, height: number, palette: Palette) => {
    const path = (row: number) => axes.map((axis, i) => [at(i, width), axis.values[row] == null ? NaN : y(axis.place(axis.values[row]!), height)] as const);
    const stroke = (row: number, color: string, thick: number, alpha: number) => {
      const points = path(row).filter(([, down]) => Number.isFinite(down));
      surface.line(points.map(([x]) => x), points.map(([, down]) => down), { color, width: thick, alpha });
    };
    const thin = kept.length > 400;
    for (const row of kept) stroke(row, ramp(palette.ramp, rank[row]!), thin ? 1 : 1.4, (thin ? 0.25 : 0.4) + 0.45 * rank[row]! ** 3);
    axes.forEach((axis, i) => {
      const x = at(i, width);
      surface.line([x, x], [TOP, height - BOTTOM], { color: palette.faint, width: 1.2 });
      const room = Math.max(Math.floor((width - 2 * SIDE) / Math.max(axes.length - 1, 1) / 6.8), 3);
      surface.text(x, TOP - 26, clip(axis.label, room), { color: palette.ink, anchor: "middle", size: 11.5, weight: 600 });
      surface.text(x, TOP - 10, clip(axis.ticks[1], room), { color: palette.soft, anchor: "middle", size: 10.5 });
      surface.text(x, height - BOTTOM + 12, clip(axis.ticks[0], room), { color: palette.soft, anchor: "middle", size: 10.5 });
      const range = ranges.get(axis.name);
      if (range) surface.rect(x - 7, y(range[1], height), 14, y(range[0], height) - y(range[1], height), palette.best, 0.3);
    });
    if (hover) stroke(hover.row, palette.best, 3, 1);
  };
  const { canvas, width } = useCanvas(draw, HEIGHT, [kept, axes, hover, ranges]);
  const place = (event: PointerEvent): [number, number] => {
    const box = canvas.current!.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const gap = (width - 2 * SIDE) / Math.max(axes.length - 1, 1);
  const near = (x: number) => Math.min(Math.max(Math.round((x - SIDE) / gap), 0), axes.length - 1);
  const down = (event: PointerEvent) => {
    const [x, top] = place(event);
    const axis = near(x);
    if (Math.abs(x - at(axis, width)) > 16 || event.pointerType === "touch") return;
    canvas.current?.setPointerCapture(event.pointerId);
    drag.current = { axis, from: (HEIGHT - BOTTOM - top) / (HEIGHT - TOP - BOTTOM) };
  };
  const move = (event: PointerEvent) => {
    const [x, top] = place(event);
    if (drag.current) return;
    const i = Math.min(Math.max(Math.floor((x - SIDE) / gap), 0), axes.length - 2);
    const [left, right] = [axes[i], axes[i + 1]];
    if (!left || !right) return;
    const t = (x - at(i, width)) / gap;
    let found: typeof hover = null;
    let least = 9;
    for (const row of kept) {
      const [a, b] = [left.values[row], right.values[row]];
      if (a == null || b == null) continue;
      const height = y(left.place(a) * (1 - t) + right.place(b) * t, HEIGHT);
      if (Math.abs(height - top) < least) {
        least = Math.abs(height - top);
        found = { row, x, y: height };
      }
    }
    setHover(found);
  };
  const up = (event: PointerEvent) => {
    const begun = drag.current;
    drag.current = null;
    if (!begun) return void (hover && onPick(columns.numbers[hover.row]!));
    const to = (HEIGHT - BOTTOM - place(event)[1]) / (HEIGHT - TOP - BOTTOM);
    const next = new Map(ranges);
    const axis = axes[begun.axis]!;
    if (Math.abs(to - begun.from) < 0.02) next.delete(axis.name);
    else next.set(axis.name, [Math.min(begun.from, to), Math.max(begun.from, to)].map((each) => Number(Math.min(Math.max(each, -0.01), 1.01).toFixed(3))) as [number, number]);
    setText(writeRanges(next));
  };
  // By keyboard: from the best trial on down; a trial's line and values are read out.
  const key = (event: KeyboardEvent) => {
    if (event.key === "Escape") return setText("");
    const step = { ArrowRight: -1, ArrowLeft: 1, ArrowDown: -1, ArrowUp: 1 }[event.key];
    if (event.key === "Enter" && hover) return onPick(columns.numbers[hover.row]!);
    if (!step || !kept.length) return;
    event.preventDefault();
    const now = hover ? kept.indexOf(hover.row) : kept.length;
    const row = kept[(now + step + kept.length) % kept.length]!;
    setHover({ row, x: at(axes.length - 1, width), y: y(axes.at(-1)!.place(axes.at(-1)!.values[row]!), HEIGHT) });
  };
  const words = (row: number) => [`trial ${columns.numbers[row]}`, ...axes.filter((axis) => axis.values[row] != null).slice(0, 12).map((axis) => `${axis.label} ${axis.words(axis.values[row]!)}`)];
  const rows = () => [["trial", ...axes.map((axis) => axis.label)], ...kept.map((row) => [columns.numbers[row]!, ...axes.map((axis) => (axis.values[row] == null ? null : axis.name.startsWith("m:") ? axis.values[row]! : axis.words(axis.values[row]!)))])];
  return (
    <Card
      title="Parallel coordinates" wide id="plot-parallel"
      tools={
        <>
          {controls}
          {ranges.size > 0 && <button type="button" class="quiet" onClick={() => setText("")}>All trials</button>}
          <Export draw={draw} size={() => [Math.max(width, 760), HEIGHT]} title="Parallel coordinates" study={study.name} rows={rows} />
        </>
      }
    >
      <div class="plot" style={{ height: `${HEIGHT}px` }}>
        <canvas
          ref={canvas} tabIndex={0} role="img"
          aria-label={`Parallel coordinates. ${kept.length} trials over ${axes.map((axis) => axis.label).join(", ")}. Use the arrow keys to read trials from the best on.`}
          onPointerMove={move} onPointerDown={down} onPointerUp={up} onPointerLeave={() => setHover(null)} onKeyDown={key} onBlur={() => setHover(null)}
        />
        {hover && <Tip found={{ x: hover.x, y: hover.y, text: words(hover.row) }} width={width} />}
        <p class="unseen" aria-live="polite">{hover ? words(hover.row).join(", ") : ""}</p>
      </div>
      <p class="note">{ranges.size ? `${count(kept.length)} of ${count(columns.numbers.length)} trials pass.` : "Drag along an axis to keep the trials that pass there."}{study.parameters.length > AXES - 1 ? ` The first ${AXES - 1} parameters are drawn.` : ""} The better a trial, the stronger its line.</p>
    </Card>
  );
}
