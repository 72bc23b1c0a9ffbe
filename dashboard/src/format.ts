// Numbers, times and values as people read them; times are in the reader's zone.

/** A number with `digits` significant digits; powers of ten where it is very large or small. */
export function number(value: number | null | undefined, digits = 5): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return String(value).replace("-", "−");
  const text = size >= 1e6 || size < 1e-4 ? value.toExponential(digits - 2) : String(Number(value.toPrecision(digits)));
  return text.replace(/\.?0+e/, "e").replace("e+", "e").replaceAll("-", "−");
}

const grouped = new Intl.NumberFormat("en");
export const count = (value: number): string => grouped.format(value);

/** Any value of a parameter. */
export function value(of: unknown): string {
  if (typeof of === "number") return number(of);
  if (of === undefined || of === null) return "–";
  return typeof of === "string" ? of : JSON.stringify(of);
}

export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${number(seconds, 3)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${number(seconds / 86400, 3)} d`;
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
export const time = (at: string | number | null | undefined): string => (at ? clock.format(new Date(at)) : "–");
export const shortTime = (at: string | null | undefined): string => (at ? day.format(new Date(at)) : "–");

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const steps: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, "second"], [3600, "minute"], [86400, "hour"], [2592000, "day"], [31536000, "month"], [Infinity, "year"],
];
/** How long ago, or how far ahead. */
export function ago(at: string | null | undefined, now = Date.now()): string {
  if (!at) return "–";
  const seconds = (new Date(at).getTime() - now) / 1000;
  if (Math.abs(seconds) < 5) return "now";
  let size = 1;
  for (const [limit, unit] of steps) {
    if (Math.abs(seconds) < limit) return relative.format(Math.trunc(seconds / size), unit);
    size = limit;
  }
  return "–";
}

/** A name as a part of a file's name. */
export const slug = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60) || "study";
