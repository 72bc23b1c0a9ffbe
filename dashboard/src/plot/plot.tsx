// A plot on a card: hover, keyboard, zoom kept in the address, and export as PNG, SVG and CSV.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Card, Menu } from "../parts/parts";
import { useField } from "../router";
import { slug } from "../format";
import { usePalette, type Palette } from "../theme";
import { frameOf, nearest, paint, scalesOf, type Chart, type Found } from "./chart";
import { onCanvas, onSvg, type Surface } from "./surface";

/** Rows of a table behind a plot, the first of them its head. */
export type Rows = (string | number | boolean | null)[][];

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A cell that spreadsheets read as it is: quoted where needed, and no formula. */
function cell(value: string | number | boolean | null): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  const inert = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}

export function saveCsv(rows: Rows, name: string): void {
  const text = rows.map((row) => row.map(cell).join(",")).join("\r\n");
  save(new Blob([text], { type: "text/csv;charset=utf-8" }), `${name}.csv`);
}

type Draw = (surface: Surface, width: number, height: number, palette: Palette) => void;

function savePng(draw: Draw, width: number, height: number, palette: Palette, name: string): void {
  const scale = 2;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * scale, height * scale];
  const context = canvas.getContext("2d");
  if (!context) return;
  context.scale(scale, scale);
  context.fillStyle = palette.ground;
  context.fillRect(0, 0, width, height);
  draw(onCanvas(context), width, height, palette);
  canvas.toBlob((blob) => blob && save(blob, `${name}.png`));
}

function saveSvg(draw: Draw, width: number, height: number, palette: Palette, title: string, name: string): void {
  const surface = onSvg(width, height);
  draw(surface, width, height, palette);
  save(new Blob([surface.document(palette.ground, title)], { type: "image/svg+xml" }), `${name}.svg`);
}

/** What a plot of any kind can be saved as. */
export function Export({ draw, size, title, study, rows }: { draw: Draw; size: () => [number, number]; title: string; study: string; rows: () => Rows }) {
  const palette = usePalette();
  const name = `${slug(study)}-${slug(title)}`;
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(location.href).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    });
  };
  return (
    <Menu label={`Export ${title}`} face={copied ? "Link copied" : "Export"}>
      <button type="button" onClick={() => savePng(draw, ...size(), palette, name)}>Image (PNG)</button>
      <button type="button" onClick={() => saveSvg(draw, ...size(), palette, title, name)}>Drawing (SVG)</button>
      <button type="button" onClick={() => saveCsv(rows(), name)}>Numbers (CSV)</button>
      <button type="button" onClick={copy}>Copy link to this view</button>
    </Menu>
  );
}

/** A canvas as wide as its place, drawn anew when something changes. */
export function useCanvas(draw: Draw, height: number, dependencies: unknown[]) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const palette = usePalette();
  useLayoutEffect(() => {
    const place = canvas.current?.parentElement;
    if (!place) return;
    const observer = new ResizeObserver(() => setWidth(Math.floor(place.clientWidth)));
    observer.observe(place);
    setWidth(Math.floor(place.clientWidth));
    return () => observer.disconnect();
  }, []);
  const [fonts, setFonts] = useState(0);
  useEffect(() => void document.fonts?.ready.then(() => setFonts(1)), []);
  useLayoutEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || width === 0) return;
    const scale = devicePixelRatio || 1;
    [element.width, element.height] = [width * scale, height * scale];
    element.style.width = `${width}px`;
    element.style.height = `${height}px`;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(onCanvas(context), width, height, palette);
  }, [width, height, palette, fonts, ...dependencies]);
  return { canvas, width, palette };
}

interface PlotProps {
  id: string;
  title: string;
  study: string;
  chart: Chart;
  rows: () => Rows;
  /** What a reader who does not see the plot should know. */
  summary: string;
  height?: number;
  note?: ComponentChildren;
  controls?: ComponentChildren;
  wide?: boolean;
  empty?: string | null;
  onPick?: (trial: number) => void;
}

type Box = [number, number, number, number];

export function Plot({ id, title, study, chart, rows, summary, height = 280, note, controls, wide, empty, onPick }: PlotProps) {
  const [zoomText, setZoom] = useField(`zoom.${id}`, "");
  const zoom = useMemo(() => {
    const parts = zoomText.split(",").map(Number);
    return parts.length === 4 && parts.every(Number.isFinite) ? (parts as Box) : null;
  }, [zoomText]);
  const shown = useMemo<Chart>(
    () => (zoom ? { ...chart, x: { ...chart.x, domain: [zoom[0], zoom[1]] }, y: { ...chart.y, domain: [zoom[2], zoom[3]] } } : chart),
    [chart, zoom],
  );
  const draw: Draw = (surface, width, tall, palette) => paint(surface, shown, width, tall, palette);
  const { canvas, width, palette } = useCanvas(draw, height, [shown, empty]);
  const [found, setFound] = useState<Found | null>(null);
  const [drag, setDrag] = useState<Box | null>(null);
  const frame = width ? frameOf(shown, width, height) : null;

  const at = (event: PointerEvent): [number, number] => {
    const box = canvas.current!.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const move = (event: PointerEvent) => {
    if (!frame) return;
    const [x, y] = at(event);
    if (drag) setDrag([drag[0], drag[1], x, y]);
    else {
      const inside = x >= frame.left - 6 && x <= frame.left + frame.width + 6 && y >= frame.top - 6 && y <= frame.top + frame.height + 6;
      setFound(inside ? nearest(shown, frame, x, y) : null);
    }
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    const [x, y] = at(event);
    canvas.current?.setPointerCapture(event.pointerId);
    setDrag([x, y, x, y]);
  };
  const up = (event: PointerEvent) => {
    if (!drag || !frame) return;
    const [x0, y0] = drag;
    const [x1, y1] = at(event);
    setDrag(null);
    if (Math.abs(x1 - x0) < 8 && Math.abs(y1 - y0) < 8) {
      if (found?.trial !== undefined && onPick) onPick(found.trial);
      return;
    }
    const { x, y } = scalesOf(shown, frame);
    const range = (a: number, b: number, from: number, length: number, thin: boolean) =>
      thin ? [from, from + length] : [Math.max(Math.min(a, b), from), Math.min(Math.max(a, b), from + length)];
    const [left, right] = range(x0, x1, frame.left, frame.width, Math.abs(x1 - x0) < 8);
    const [top, bottom] = range(y0, y1, frame.top, frame.height, Math.abs(y1 - y0) < 8);
    const box = [x.invert(left!), x.invert(right!), y.invert(bottom!), y.invert(top!)];
    setZoom(box.map((value) => Number(value.toPrecision(7))).join(","));
    setFound(null);
  };
  // The keyboard goes from point to point of the marks that tell something, in their order.
  const key = (event: KeyboardEvent) => {
    if (event.key === "Escape") return setZoom("");
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Enter" && found?.trial !== undefined && onPick) return onPick(found.trial);
    if (!step || !frame) return;
    event.preventDefault();
    const scales = scalesOf(shown, frame);
    const places: Found[] = [];
    for (const mark of shown.marks) {
      if (mark.type === "dots" && mark.hit) for (let i = 0; i < mark.xs.length; i++) places.push({ x: scales.x(mark.xs[i]!), y: scales.y(mark.ys[i]!), ...mark.hit(i) });
      if (mark.type === "bars" && mark.hit) for (let i = 0; i < mark.x0.length; i++) places.push({ x: scales.x((mark.x0[i]! + mark.x1[i]!) / 2), y: scales.y(mark.y1[i]!), ...mark.hit(i) });
    }
    places.sort((a, b) => a.x - b.x || a.y - b.y);
    if (!places.length) return;
    const now = found ? places.findIndex((place) => place.x === found.x && place.y === found.y) : -1;
    setFound(places[(now + step + places.length) % places.length] ?? null);
  };
  return (
    <Card
      title={title}
      wide={wide}
      id={`plot-${id}`}
      tools={
        <>
          {controls}
          {zoom && <button type="button" class="quiet" onClick={() => setZoom("")}>Whole range</button>}
          <Export draw={draw} size={() => [Math.max(width, 640), Math.max(height, 360)]} title={title} study={study} rows={rows} />
        </>
      }
    >
      {chart.legend && chart.legend.length > 0 && !empty && (
        <ul class="legend">
          {chart.legend.map(({ color, label, shape }) => (
            <li key={label}>
              <svg width="16" height="10" aria-hidden="true">
                {shape === "line" && <path d="M0 5h16" stroke={color} stroke-width="2.5" />}
                {shape === "dot" && <circle cx="8" cy="5" r="3.5" fill={color} />}
                {shape === "ring" && <circle cx="8" cy="5" r="3.5" fill="none" stroke={color} stroke-width="1.5" />}
                {shape === "bar" && <rect x="4" width="8" height="10" fill={color} />}
                {shape === "area" && <rect width="16" height="10" fill={color} opacity=".25" />}
              </svg>
              <bdi>{label}</bdi>
            </li>
          ))}
        </ul>
      )}
      <div class="plot" style={{ height: `${height}px` }}>
        {empty ? (
          <p class="plot-empty">{empty}</p>
        ) : (
          <>
            <canvas
              ref={canvas}
              tabIndex={0}
              role="img"
              aria-label={`${title}. ${summary} Use the arrow keys to read points, Escape for the whole range.`}
              onPointerMove={move}
              onPointerDown={down}
              onPointerUp={up}
              onPointerLeave={() => setFound(null)}
              onDblClick={() => setZoom("")}
              onKeyDown={key}
              onBlur={() => setFound(null)}
            />
            {drag && <div class="zoom-box" style={{ left: `${Math.min(drag[0], drag[2])}px`, top: `${Math.min(drag[1], drag[3])}px`, width: `${Math.abs(drag[2] - drag[0])}px`, height: `${Math.abs(drag[3] - drag[1])}px` }} />}
            {found && frame && <Tip found={found} width={width} color={palette.best} />}
            <p class="unseen" aria-live="polite">{found?.text.join(", ")}</p>
          </>
        )}
      </div>
      {note && <p class="note">{note}</p>}
    </Card>
  );
}

export function Tip({ found, width }: { found: Found; width: number; color?: string }) {
  const right = found.x > width * 0.6;
  const style = { top: `${Math.max(found.y - 12, 0)}px`, ...(right ? { right: `${width - found.x + 14}px` } : { left: `${found.x + 14}px` }) };
  return (
    <>
      <div class="tip-mark" style={{ left: `${found.x}px`, top: `${found.y}px` }} />
      <div class="tip" style={style}>
        {found.text.map((line, i) => (
          <div key={i}><bdi>{line}</bdi></div>
        ))}
      </div>
    </>
  );
}
