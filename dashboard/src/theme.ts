// Light, dark, or as the system says. Plots take their colours from the same variables as the rest of the page.
import { useEffect, useState } from "preact/hooks";

export type Theme = "auto" | "light" | "dark";
const KEY = "tellus-theme";
const listeners = new Set<() => void>();
const system = matchMedia("(prefers-color-scheme: dark)");
const tell = () => listeners.forEach((listener) => listener());
system.addEventListener("change", tell);

function kept(): Theme {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === "light" || theme === "dark" ? theme : "auto";
  } catch {
    return "auto";
  }
}

function apply(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}
apply(kept());

export function setTheme(theme: Theme): void {
  try {
    if (theme === "auto") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Without storage it holds for this page.
  }
  apply(theme);
  tell();
}

/** The colours of plots. */
export interface Palette {
  ink: string; soft: string; faint: string; grid: string; ground: string;
  point: string; best: string; model: string; fail: string; good: string; other: string;
  series: string[];
  ramp: string[];
}

function read(): Palette {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: of("ink"), soft: of("ink-soft"), faint: of("ink-faint"), grid: of("grid"), ground: of("panel"),
    point: of("plot-point"), best: of("plot-best"), model: of("plot-model"), fail: of("plot-fail"), good: of("plot-good"), other: of("plot-other"),
    series: [1, 2, 3, 4, 5, 6].map((i) => of(`series-${i}`)),
    ramp: of("ramp").split(/\s+/),
  };
}

export function usePalette(): Palette {
  const [palette, set] = useState(read);
  useEffect(() => {
    const listener = () => set(read());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return palette;
}

export function useTheme(): Theme {
  const [theme, set] = useState(kept);
  useEffect(() => {
    const listener = () => set((document.documentElement.dataset["theme"] as Theme | undefined) ?? "auto");
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return theme;
}

/** The colour at `t` in [0, 1] of a ramp of #rrggbb colours. */
export function ramp(colors: string[], t: number): string {
  const at = Math.min(Math.max(t, 0), 1) * (colors.length - 1);
  const i = Math.min(Math.floor(at), colors.length - 2);
  const part = (color: string, k: number) => parseInt(color.slice(1 + 2 * k, 3 + 2 * k), 16);
  const [a, b] = [colors[i] ?? "#888888", colors[i + 1] ?? "#888888"];
  const mix = [0, 1, 2].map((k) => Math.round(part(a, k) + (part(b, k) - part(a, k)) * (at - i)));
  return `rgb(${mix.join(" ")})`;
}
