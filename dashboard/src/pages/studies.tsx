// All studies: search, filter, sort, and how each stands.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, type Study } from "../api";
import { count, number } from "../format";
import { useLoad, useNow } from "../live";
import { Choice, Empty, Fault, Select, State, Waiting, When } from "../parts/parts";
import { Counts } from "../parts/counts";
import { Link, go, useField } from "../router";
import { usePalette } from "../theme";

/** How often the list is read again. */
const EVERY = 5000;
const PAGE = 100;
/** Studies beyond this draw no small curve: reading them all would be slow. */
const SPARK_TRIALS = 20_000;

const SORTS: [string, string][] = [["updated", "Last change"], ["created", "Creation"], ["name", "Name"], ["trials", "Trials"]];

export const totalOf = (study: Study): number => Object.values(study.trial_counts).reduce((sum, n) => sum + n, 0);

function sorted(studies: Study[], by: string): Study[] {
  const of: Record<string, (a: Study, b: Study) => number> = {
    updated: (a, b) => b.updated_at.localeCompare(a.updated_at),
    name: (a, b) => a.name.localeCompare(b.name),
    trials: (a, b) => totalOf(b) - totalOf(a),
  };
  return of[by] ? [...studies].sort(of[by]) : studies;
}

export function goals(study: Study): string {
  const words = study.metrics.map((metric) => {
    if (metric.goal === "constrain") {
      const bounds = [metric.lower != null && `≥ ${number(metric.lower)}`, metric.upper != null && `≤ ${number(metric.upper)}`];
      return `${metric.name} ${bounds.filter(Boolean).join(", ")}`;
    }
    return metric.goal === "record" ? "" : `${metric.goal} ${metric.name}`;
  });
  return words.filter(Boolean).join(" · ");
}

export function StudiesPage() {
  const [search, setSearch] = useField("search", "");
  const [state, setState] = useField("state", "all");
  const [sort, setSort] = useField("sort", "updated");
  const [pages, setPages] = useState(1);
  const [turn, setTurn] = useState(0);
  const now = useNow(EVERY);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && setTurn((n) => n + 1), EVERY);
    return () => clearInterval(timer);
  }, []);
  const list = useLoad(async () => {
    const studies: Study[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < pages; page++) {
      const answer = await api.studies({ search: search || undefined, state: state === "all" ? undefined : state, order: "desc", limit: PAGE, cursor });
      studies.push(...answer.studies);
      cursor = answer.next_cursor ?? undefined;
      if (!cursor) break;
    }
    return { studies, more: cursor !== undefined };
  }, [search, state, pages, turn]);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  const filtered = search !== "" || state !== "all";
  return (
    <>
      <div class="page-head">
        <h1>Studies</h1>
        <Link to="/new" class="button primary">New study</Link>
      </div>
      <div class="filters">
        <input ref={field} type="search" placeholder="Search names" aria-label="Search names" value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
        <Choice label="State" value={state} options={[["all", "All"], ["active", "Active"], ["paused", "Paused"], ["completed", "Completed"]]} onChange={setState} />
        <Select label="Sort by" value={sort} options={SORTS} onChange={setSort} />
      </div>
      {list.error && list.data && <Fault refusal={list.error} retry={list.reload} />}
      {!list.data ? (
        list.error ? <Fault refusal={list.error} retry={list.reload} /> : <Waiting lines={8} label="Loading studies" />
      ) : list.data.studies.length === 0 ? (
        filtered ? (
          <Empty title="No study fits">
            <p>Search for another name, or show all of them.</p>
            <button type="button" onClick={() => go("/")}>Show all</button>
          </Empty>
        ) : (
          <Empty title="No study yet">
            <p>A study is one thing to be optimized: what may be turned, and what is measured. Describe it once, then ask which experiment to run next.</p>
            <Link to="/new" class="button primary">Create the first study</Link>
          </Empty>
        )
      ) : (
        <>
          <ul class="studies">
            {sorted(list.data.studies, sort).map((study, i) => <StudyRow key={study.id} study={study} now={now} spark={i < 30} />)}
          </ul>
          {list.data.more && <button type="button" onClick={() => setPages(pages + 1)}>Show more</button>}
        </>
      )}
    </>
  );
}

function StudyRow({ study, now, spark }: { study: Study; now: number; spark: boolean }) {
  const total = totalOf(study);
  return (
    <li>
      <Link to={`/studies/${study.id}`} class="study-row">
        <span class="study-name">
          <strong><bdi>{study.name}</bdi></strong>
          <span class="soft"><bdi>{goals(study)}</bdi></span>
        </span>
        <State name={study.state} />
        <span class="study-trials">
          <span><b>{count(total)}</b> {total === 1 ? "trial" : "trials"}{study.budget.trials ? ` of ${count(study.budget.trials)}` : ""}</span>
          <Counts counts={study.trial_counts} />
        </span>
        <span class="study-spark">{spark && study.trial_counts["completed"]! > 1 && total <= SPARK_TRIALS && <Spark study={study} />}</span>
        <span class="soft study-when"><When at={study.updated_at} now={now} /></span>
      </Link>
    </li>
  );
}

/** The best so far as a small curve. */
function Spark({ study }: { study: Study }) {
  const palette = usePalette();
  const { data } = useLoad(() => api.history(study.id, { limit: 40 }), [study.id, study.revision]);
  if (!data) return null;
  const { numbers, values } = data.best.numbers.length ? data.best : data.hypervolume;
  if (!numbers.length) return null;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const last = Math.max(data.trials - 1, 1);
  const x = (n: number) => 2 + (116 * n) / last;
  const y = (value: number) => 4 + 24 * (1 - (high > low ? (value - low) / (high - low) : 0.5));
  const path = numbers.map((n, i) => (i ? `H${x(n).toFixed(1)}V${y(values[i]!).toFixed(1)}` : `M${x(n).toFixed(1)} ${y(values[i]!).toFixed(1)}`)).join("");
  const final = values[values.length - 1]!;
  return (
    <>
      <svg width="120" height="32" aria-hidden="true"><path d={`${path}H118`} fill="none" stroke={palette.best} stroke-width="2" stroke-linejoin="round" /></svg>
      <span class="figure">{number(final, 4)}</span>
    </>
  );
}
