// How many trials stand where, as a bar.
import { count } from "../format";

export const STATES = ["completed", "running", "queued", "failed", "stopped", "abandoned", "expired"] as const;

export function Counts({ counts }: { counts: Record<string, number> }) {
  const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const there = STATES.filter((state) => counts[state]);
  const words = there.map((state) => `${count(counts[state]!)} ${state}`).join(", ") || "no trials";
  return (
    <span class="counts" role="img" aria-label={words} title={words}>
      {there.map((state) => <span key={state} class={`fill-${state}`} style={{ flexGrow: Math.max(counts[state]! / total, 0.02) }} />)}
    </span>
  );
}
