// What is fetched, and kept up to date: a study is followed over server-sent events, and whatever is drawn from it is
// fetched again when its revision moved on, at most every so often.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, Refusal, type Study, type StudyEvent } from "./api";

export interface Loaded<T> {
  data: T | null;
  error: Refusal | null;
  loading: boolean;
  reload: () => void;
}

const asRefusal = (error: unknown): Refusal =>
  error instanceof Refusal ? error : new Refusal(0, "The page has a defect", String(error));

/** Fetches when a dependency changes; what was there stays until the new is. `null` fetches nothing. */
export function useLoad<T>(fetchIt: (() => Promise<T>) | null, dependencies: unknown[]): Loaded<T> {
  const [state, set] = useState<{ data: T | null; error: Refusal | null; loading: boolean }>({ data: null, error: null, loading: true });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!fetchIt) return;
    let current = true;
    set((before) => ({ ...before, loading: true }));
    fetchIt().then(
      (data) => current && set({ data, error: null, loading: false }),
      (error: unknown) => current && set((before) => ({ data: before.data, error: asRefusal(error), loading: false })),
    );
    return () => {
      current = false;
    };
  }, [...dependencies, turn, fetchIt === null]);
  return { ...state, reload: () => setTurn((count) => count + 1) };
}

export type Connection = "connecting" | "live" | "lost";

export interface LiveStudy {
  study: Study | null;
  error: Refusal | null;
  connection: Connection;
  /** The latest events, newest first. */
  events: StudyEvent[];
  /** Moves on, at most every so often, when the study did. */
  pulse: number;
  refresh: () => void;
}

const KINDS = [
  "study_created", "study_changed", "trial_created", "trial_started", "trial_told", "trial_amended", "trial_expired",
  "trial_revived", "trial_changed", "trial_measured", "measurement", "solve_changed", "reset",
];
/** Shortest time between two fetches, in milliseconds. */
const PACE = 700;
const KEPT_EVENTS = 40;

/** A study, followed. */
export function useStudy(id: string): LiveStudy {
  const [study, setStudy] = useState<Study | null>(null);
  const [error, setError] = useState<Refusal | null>(null);
  const [connection, setConnection] = useState<Connection>("connecting");
  const [events, setEvents] = useState<StudyEvent[]>([]);
  const [pulse, setPulse] = useState(0);
  const fetchNow = useRef<() => void>(() => {});

  useEffect(() => {
    let alive = true;
    let source: EventSource | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let last = 0;
    let waiting: StudyEvent[] = [];
    setStudy(null);
    setError(null);
    setEvents([]);

    const fetchStudy = async () => {
      last = Date.now();
      const came = waiting;
      waiting = [];
      try {
        const fresh = await api.study(id);
        if (!alive) return;
        setStudy(fresh);
        setError(null);
        setPulse((count) => count + 1);
        if (came.length) setEvents((before) => [...came.reverse(), ...before].slice(0, KEPT_EVENTS));
        if (!source) follow(fresh.revision);
      } catch (refused) {
        if (!alive) return;
        setError(asRefusal(refused));
        if (asRefusal(refused).status !== 404) timer = setTimeout(fetchStudy, 4000);
      }
    };
    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(fetchStudy, Math.max(0, PACE - (Date.now() - last)));
    };
    const follow = (revision: number) => {
      source = new EventSource(api.events(id, Math.max(0, revision - 12)));
      let begin = true;
      setTimeout(() => (begin = false), 300);
      source.onopen = () => setConnection("live");
      source.onerror = () => setConnection("lost");
      for (const kind of KINDS) {
        source.addEventListener(kind, (message) => {
          const data: unknown = JSON.parse(message.data || "null");
          if (kind !== "reset" && data && typeof data === "object") waiting.push(data as StudyEvent);
          if (waiting.length > KEPT_EVENTS) waiting = waiting.slice(-KEPT_EVENTS);
          const event = data as StudyEvent;
          if (begin && kind !== "reset" && event.id <= revision) {
            // What led to the state that was just read: shown, not fetched for.
            const shown = waiting;
            waiting = [];
            setEvents((before) => [...shown.reverse(), ...before].slice(0, KEPT_EVENTS));
          } else soon();
        });
      }
    };
    fetchNow.current = () => void fetchStudy();
    void fetchStudy();
    return () => {
      alive = false;
      clearTimeout(timer);
      source?.close();
    };
  }, [id]);
  return { study, error, connection, events, pulse, refresh: () => fetchNow.current() };
}

/** The time, every so often. */
export function useNow(every = 1000): number {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
