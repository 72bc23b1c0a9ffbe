// Where the reader is: the path names the page, the query holds everything that makes a view, so that its address
// reproduces it.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

const listeners = new Set<() => void>();
const notify = () => listeners.forEach((listener) => listener());
addEventListener("popstate", notify);

/** Goes to a path of the dashboard. */
export function go(to: string, replace = false): void {
  history[replace ? "replaceState" : "pushState"](null, "", to);
  notify();
}

/** The present path and query; the component is drawn anew when they change. */
export function useAddress(): { path: string; query: URLSearchParams } {
  const [, turn] = useState(0);
  useEffect(() => {
    const listener = () => turn((count) => count + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

/** Sets fields of the query; empty ones are removed. */
export function setQuery(fields: Record<string, string | null>, replace = true): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  go(location.pathname + (text ? `?${text}` : ""), replace);
}

/** A field of the query with its setter. */
export function useField(name: string, fallback: string): [string, (value: string) => void] {
  const { query } = useAddress();
  return [query.get(name) ?? fallback, (value) => setQuery({ [name]: value === fallback ? null : value })];
}

interface LinkProps {
  to: string;
  class?: string;
  "aria-current"?: "page";
  children: ComponentChildren;
}

/** A link inside the dashboard. */
export function Link({ to, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
    scrollTo(0, 0);
  };
  return (
    <a href={to} onClick={follow} {...rest}>
      {children}
    </a>
  );
}
