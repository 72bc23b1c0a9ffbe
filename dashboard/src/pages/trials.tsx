// All trials as a table that is only as long as the window: the service ranks, the page fetches the part in sight.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, type TableRow } from "../api";
import { count, duration, number, value } from "../format";
import { Empty, Fault, Select, State, When } from "../parts/parts";
import { STATES } from "../parts/counts";
import { saveCsv, type Rows } from "../plot/plot";
import { Link, setQuery, useField } from "../router";
import { slug } from "../format";
import { Refusal } from "../api";
import { openTrial } from "./overview";
import type { ViewProps } from "./study";

const ROW = 40;
const PAGE = 100;
/** Browsers draw no element higher than some million pixels; past it, rows share the way of the scroll bar. */
const TALLEST = 8_000_000;
/** Most trials of an export. */
const EXPORT = 20_000;

interface Blocks { of: string; total: number; rows: Map<number, TableRow[]> }

/** The rows of a ranking, a block at a time. */
function useBlocks(study: string, query: string, pulse: number) {
  const [state, set] = useState<Blocks>({ of: query, total: 0, rows: new Map() });
  const [error, setError] = useState<Refusal | null>(null);
  const [ready, setReady] = useState(false);
  const wanted = useRef(new Set<number>([0]));
  const fetching = useRef(new Set<string>());
  const load = (block: number) => {
    const name = `${query}#${block}#${pulse}`;
    if (fetching.current.has(name)) return;
    fetching.current.add(name);
    const fields = Object.fromEntries(new URLSearchParams(query));
    api.table(study, { ...fields, feasible: fields["feasible"] === "true", offset: block * PAGE, limit: PAGE }).then(
      (answer) => {
        setError(null);
        setReady(true);
        set((before) => {
          const rows = before.of === query ? new Map(before.rows) : new Map<number, TableRow[]>();
          rows.set(block, answer.rows);
          return { of: query, total: answer.total, rows };
        });
      },
      (refusal: Refusal) => {
        fetching.current.delete(name);
        setError(refusal);
      },
    );
  };
  useEffect(() => {
    fetching.current.clear();
    wanted.current.forEach(load);
  }, [study, query, pulse]);
  const want = (blocks: number[]) => {
    wanted.current = new Set(blocks);
    for (const block of blocks) if (state.of !== query || !state.rows.has(block)) load(block);
  };
  return { ...state, error, ready, want };
}

export function TrialsView({ study, live }: ViewProps) {
  const [sort] = useField("sort", "number");
  const [order, setOrder] = useField("order", "desc");
  const [filter, setFilter] = useField("show", "all");
  const query = new URLSearchParams({
    sort, order, ...(filter === "feasible" ? { feasible: "true" } : filter === "all" ? {} : { state: filter }),
  }).toString();
  const { total, rows, error, ready, want } = useBlocks(study.id, query, live.pulse);
  const place = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const read = () => setView({ top: element.scrollTop, height: element.clientHeight });
    read();
    element.addEventListener("scroll", read, { passive: true });
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", read);
      observer.disconnect();
    };
  }, [ready]);
  const tall = Math.min(total * ROW, TALLEST);
  const scale = total * ROW > TALLEST ? (total * ROW - view.height) / (TALLEST - view.height) : 1;
  const offset = view.top * scale;
  const first = Math.max(0, Math.floor(offset / ROW) - 6);
  const last = Math.min(total, Math.ceil((offset + view.height) / ROW) + 6);
  useEffect(() => {
    const blocks = [];
    for (let block = Math.floor(first / PAGE); block <= Math.floor(Math.max(last - 1, 0) / PAGE); block++) blocks.push(block);
    want(blocks);
  }, [first, last, query]);
  const sortBy = (by: string) => {
    if (sort === by) setOrder(order === "asc" ? "desc" : "asc");
    else setQuery({ sort: by === "number" ? null : by, order: by === "number" ? null : "asc" });
  };
  const head = (by: string | null, label: string, kind = "") => (
    <div role="columnheader" class={`cell ${kind}`} aria-sort={sort === by ? (order === "asc" ? "ascending" : "descending") : "none"}>
      {by ? (
        <button type="button" class="sort" onClick={() => sortBy(by)}>
          <bdi>{label}</bdi><span aria-hidden="true">{sort === by ? (order === "asc" ? "↑" : "↓") : ""}</span>
        </button>
      ) : (
        <bdi>{label}</bdi>
      )}
    </div>
  );
  const shown = study.parameters.slice(0, 12);
  const metrics = study.metrics.slice(0, 8);
  const columns = `76px 118px repeat(${metrics.length}, minmax(100px, 1fr)) repeat(${shown.length}, minmax(92px, 1fr)) minmax(110px, 1fr) 90px 110px minmax(120px, 1.2fr)`;
  const visible = Array.from({ length: Math.max(last - first, 0) }, (_, i) => first + i);
  const top = (index: number) => index * ROW - offset + view.top;
  return (
    <>
      <div class="filters">
        <Select label="Show" value={filter} options={[["all", "all trials"], ["feasible", "feasible results"], ...STATES.map((state) => [state, state] as [string, string])]} onChange={setFilter} />
        <span class="soft" aria-live="polite">{ready ? `${count(total)} ${total === 1 ? "trial" : "trials"}` : "loading"}</span>
        <span class="push" />
        <ExportTrials study={study} query={query} total={total} />
      </div>
      {error && <Fault refusal={error} />}
      {ready && total === 0 ? (
        <Empty title={filter === "all" ? "No trial yet" : "No trial fits"}>
          <p>{filter === "all" ? "Ask for the first by hand, or let a program ask." : "Show another state, or all of them."}</p>
          {filter === "all" ? <Link to={`/studies/${study.id}/bench`} class="button primary">Ask by hand</Link> : <button type="button" onClick={() => setFilter("all")}>Show all</button>}
        </Empty>
      ) : (
        <div class="table" role="table" aria-label="Trials" aria-rowcount={total + 1} ref={place} tabIndex={0}>
          <div role="row" class="table-head" style={{ gridTemplateColumns: columns }}>
            {head("number", "Trial")}
            {head(null, "State")}
            {metrics.map(({ name }) => head(`metric:${name}`, name, "figure"))}
            {shown.map(({ name }) => head(null, name, "figure"))}
            {head(null, "Worker")}
            {head("duration", "Took", "figure")}
            {head(null, "Ended")}
            {head(null, "Remarks")}
          </div>
          <div role="rowgroup" class="table-body" style={{ height: `${tall}px` }}>
            {visible.map((index) => {
              const row = rows.get(Math.floor(index / PAGE))?.[index % PAGE];
              return (
                <div role="row" key={index} aria-rowindex={index + 2} class="table-row" style={{ gridTemplateColumns: columns, transform: `translateY(${top(index)}px)` }} onClick={() => row && openTrial(row.number)}>
                  {row ? <Cells row={row} study={study} metrics={metrics} shown={shown} /> : <div role="cell" class="cell soft">…</div>}
                </div>
              );
            })}
          </div>
        </div>
      )}
    </>
  );
}

function Cells({ row, metrics, shown }: { row: TableRow; study: ViewProps["study"]; metrics: ViewProps["study"]["metrics"]; shown: ViewProps["study"]["parameters"] }) {
  const took = row.started_at && row.ended_at ? (Date.parse(row.ended_at) - Date.parse(row.started_at)) / 1000 : null;
  const remarks = [row.feasible === false ? "not feasible" : null, row.reason, row.note, row.amendments ? `amended ${row.amendments}×` : null].filter(Boolean).join(" · ");
  return (
    <>
      <div role="cell" class="cell"><button type="button" class="link" onClick={(event) => { event.stopPropagation(); openTrial(row.number); }}>{row.number}</button></div>
      <div role="cell" class="cell"><State name={row.state} /></div>
      {metrics.map(({ name, ...bounds }) => (
        <div role="cell" key={name} class={`cell figure${breaks(row.metrics[name]?.value, bounds) ? " bad" : ""}`}>
          {number(row.metrics[name]?.value)}{row.metrics[name]?.sem != null && <span class="soft"> ± {number(row.metrics[name]!.sem, 2)}</span>}
        </div>
      ))}
      {shown.map(({ name }) => <div role="cell" key={name} class="cell figure"><bdi>{value(row.parameters[name])}</bdi></div>)}
      <div role="cell" class="cell"><bdi>{row.worker ?? "–"}</bdi></div>
      <div role="cell" class="cell figure">{duration(took)}</div>
      <div role="cell" class="cell soft"><When at={row.ended_at} /></div>
      <div role="cell" class="cell">
        {row.tags.map((tag) => <span class="tag" key={tag}><bdi>{tag}</bdi></span>)}
        <bdi class="soft">{remarks}</bdi>
      </div>
    </>
  );
}

/** Whether a value breaks the bounds of its metric. */
const breaks = (told: number | undefined, { lower, upper }: { lower?: number | null; upper?: number | null }): boolean =>
  told !== undefined && ((lower != null && told < lower) || (upper != null && told > upper));

function ExportTrials({ study, query, total }: { study: ViewProps["study"]; query: string; total: number }) {
  const [part, setPart] = useState<number | null>(null);
  const save = async () => {
    const names = study.parameters.map((each) => each.name);
    const metrics = study.metrics.map((each) => each.name);
    const out: Rows = [["trial", "state", ...metrics, ...names, "feasible", "origin", "worker", "started_at", "ended_at"]];
    const fields = Object.fromEntries(new URLSearchParams(query));
    const end = Math.min(total, EXPORT);
    for (let offset = 0; offset < end; offset += 200) {
      setPart(offset / end);
      const { rows } = await api.table(study.id, { ...fields, feasible: fields["feasible"] === "true", offset, limit: 200 });
      for (const row of rows) {
        const plain = (each: unknown) => (typeof each === "string" || typeof each === "number" || typeof each === "boolean" ? each : null);
        out.push([row.number, row.state, ...metrics.map((name) => row.metrics[name]?.value ?? null), ...names.map((name) => plain(row.parameters[name])), row.feasible ?? null, row.origin, row.worker ?? null, row.started_at ?? null, row.ended_at ?? null]);
      }
    }
    saveCsv(out, `${slug(study.name)}-trials`);
  };
  return (
    <button type="button" disabled={part !== null || total === 0} onClick={() => void save().finally(() => setPart(null))}>
      {part === null ? (total > EXPORT ? `Export the first ${count(EXPORT)} (CSV)` : "Export (CSV)") : `${Math.round(part * 100)} %`}
    </button>
  );
}
