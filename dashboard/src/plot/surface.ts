// What plots are drawn on: one set of strokes, with a canvas behind it for the screen and for PNG, and an SVG document
// for export. A plot is drawn once in code and comes out the same on both.

export interface Stroke { color: string; width?: number; dash?: number[]; alpha?: number }
export interface Letters { color: string; size?: number; anchor?: "start" | "middle" | "end"; baseline?: "top" | "middle" | "bottom"; weight?: number; turn?: number }
export type Numbers = ArrayLike<number>;

export interface Surface {
  /** A line through points; NaN breaks it. */
  line(xs: Numbers, ys: Numbers, stroke: Stroke): void;
  /** The closed rings, filled even-odd. */
  rings(rings: number[][][], fill: string, alpha?: number): void;
  dot(x: number, y: number, radius: number, fill: string | null, stroke: Stroke | null, alpha?: number): void;
  rect(x: number, y: number, width: number, height: number, fill: string, alpha?: number): void;
  text(x: number, y: number, text: string, letters: Letters): void;
  /** Draws inside a rectangle alone. */
  clip(x: number, y: number, width: number, height: number, draw: () => void): void;
}

export const FONT = '"Inter Variable", system-ui, sans-serif';

export function onCanvas(context: CanvasRenderingContext2D): Surface {
  return {
    line(xs, ys, { color, width = 1, dash = [], alpha = 1 }) {
      context.save();
      context.beginPath();
      let open = false;
      for (let i = 0; i < xs.length; i++) {
        const [x, y] = [xs[i]!, ys[i]!];
        if (!(Number.isFinite(x) && Number.isFinite(y))) open = false;
        else if (open) context.lineTo(x, y);
        else {
          context.moveTo(x, y);
          open = true;
        }
      }
      context.globalAlpha = alpha;
      context.strokeStyle = color;
      context.lineWidth = width;
      context.lineJoin = "round";
      context.setLineDash(dash);
      context.stroke();
      context.restore();
    },
    rings(rings, fill, alpha = 1) {
      context.save();
      context.beginPath();
      for (const ring of rings) {
        ring.forEach(([x, y], i) => (i ? context.lineTo(x!, y!) : context.moveTo(x!, y!)));
        context.closePath();
      }
      context.globalAlpha = alpha;
      context.fillStyle = fill;
      context.fill("evenodd");
      context.restore();
    },
    dot(x, y, radius, fill, stroke, alpha = 1) {
      context.globalAlpha = alpha;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      if (fill) {
        context.fillStyle = fill;
        context.fill();
      }
      if (stroke) {
        context.strokeStyle = stroke.color;
        context.lineWidth = stroke.width ?? 1;
        context.stroke();
      }
      context.globalAlpha = 1;
    },
    rect(x, y, width, height, fill, alpha = 1) {
      context.globalAlpha = alpha;
      context.fillStyle = fill;
      context.fillRect(x, y, width, height);
      context.globalAlpha = 1;
    },
    text(x, y, text, { color, size = 11, anchor = "start", baseline = "middle", weight = 400, turn = 0 }) {
      context.save();
      context.translate(x, y);
      context.rotate((turn * Math.PI) / 180);
      context.fillStyle = color;
      context.font = `${weight} ${size}px ${FONT}`;
      context.textAlign = anchor === "middle" ? "center" : anchor;
      context.textBaseline = baseline;
      context.fillText(text, 0, 0);
      context.restore();
    },
    clip(x, y, width, height, draw) {
      context.save();
      context.beginPath();
      context.rect(x, y, width, height);
      context.clip();
      draw();
      context.restore();
    },
  };
}

const escape = (text: string) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const short = (value: number) => String(Math.round(value * 100) / 100);

export function onSvg(width: number, height: number): Surface & { document(ground: string, title: string): string } {
  const parts: string[] = [];
  let clips = 0;
  const strokes = ({ color, width = 1, dash = [], alpha = 1 }: Stroke) =>
    `stroke="${color}" stroke-width="${width}"${dash.length ? ` stroke-dasharray="${dash.join(" ")}"` : ""}${alpha < 1 ? ` stroke-opacity="${alpha}"` : ""}`;
  return {
    line(xs, ys, stroke) {
      let path = "";
      let open = false;
      for (let i = 0; i < xs.length; i++) {
        const [x, y] = [xs[i]!, ys[i]!];
        const there = Number.isFinite(x) && Number.isFinite(y);
        if (there) path += `${open ? "L" : "M"}${short(x)} ${short(y)}`;
        open = there;
      }
      if (path) parts.push(`<path d="${path}" fill="none" stroke-linejoin="round" ${strokes(stroke)}/>`);
    },
    rings(rings, fill, alpha = 1) {
      const path = rings.map((ring) => `M${ring.map(([x, y]) => `${short(x!)} ${short(y!)}`).join("L")}Z`).join("");
      parts.push(`<path d="${path}" fill="${fill}" fill-rule="evenodd" fill-opacity="${alpha}"/>`);
    },
    dot(x, y, radius, fill, stroke, alpha = 1) {
      parts.push(`<circle cx="${short(x)}" cy="${short(y)}" r="${radius}" fill="${fill ?? "none"}"${alpha < 1 ? ` opacity="${alpha}"` : ""} ${stroke ? strokes(stroke) : ""}/>`);
    },
    rect(x, y, w, h, fill, alpha = 1) {
      parts.push(`<rect x="${short(x)}" y="${short(y)}" width="${short(w)}" height="${short(h)}" fill="${fill}"${alpha < 1 ? ` fill-opacity="${alpha}"` : ""}/>`);
    },
    text(x, y, text, { color, size = 11, anchor = "start", baseline = "middle", weight = 400, turn = 0 }) {
      const drop = baseline === "middle" ? size * 0.36 : baseline === "top" ? size * 0.8 : -size * 0.2;
      const turned = turn ? ` transform="rotate(${turn} ${short(x)} ${short(y)})"` : "";
      parts.push(`<text x="${short(x)}" y="${short(y + drop)}" fill="${color}" font-size="${size}" font-weight="${weight}" text-anchor="${anchor}"${turned}>${escape(text)}</text>`);
    },
    clip(x, y, w, h, draw) {
      const id = `c${++clips}`;
      parts.push(`<clipPath id="${id}"><rect x="${x}" y="${y}" width="${w}" height="${h}"/></clipPath><g clip-path="url(#${id})">`);
      draw();
      parts.push("</g>");
    },
    document: (ground, title) =>
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="Inter, system-ui, sans-serif">` +
      `<title>${escape(title)}</title><rect width="100%" height="100%" fill="${ground}"/>${parts.join("")}</svg>`,
  };
}
