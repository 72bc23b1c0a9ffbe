// For people at a bench: ask for the next batch, print it, tell what came out, and queue points of one's own.
import { useEffect, useState } from "preact/hooks";
import { api, type TableRow } from "../api";
import { number, shortTime, value } from "../format";
import { useLoad } from "../live";
import { Card, Empty, Fault, Field, Show, State, useAction } from "../parts/parts";
import { PointFields, pointForm, pointOf, type PointForm } from "../parts/point";
import { TellForm } from "../parts/tell";
import { useAddress } from "../router";
import { openTrial } from "./overview";
import type { ViewProps } from "./study";

const WORKER = "tellus-bench-worker";

export function BenchView({ study, live }: ViewProps) {
  const open = useLoad(async () => {
    const [running, queued] = await Promise.all([api.table(study.id, { state: "running", limit: 200 }), api.table(study.id, { state: "queued", limit: 100 })]);
    return { running: running.rows, queued: queued.rows, more: running.total - running.rows.length };
  }, [study.id, live.pulse]);
  const changed = () => {
    open.reload();
    live.refresh();
  };
  return (
    <div class="grid bench">
      <div class="stack">
        <AskCard study={study} changed={changed} />
        <QueueCard study={study} changed={changed} />
      </div>
      <div class="stack">
        <Card title="To be done" tools={<button type="button" onClick={() => print()} disabled={!open.data?.running.length}>Print the sheet</button>}>
          <Show of={open}>
            {({ running, queued }) => (
              <>
                {running.length === 0 && queued.length === 0 && (
                  <Empty title="Nothing is open">
                    <p>Ask for a trial, do the experiment it describes, and tell here what came out.</p>
                  </Empty>
                )}
                <ol class="open-trials">
                  {running.map((row) => <OpenTrial key={row.number} study={study} live={live} row={row} changed={changed} />)}
                </ol>
                {queued.length > 0 && (
                  <>
                    <h3>Queued</h3>
                    <p class="soft">Handed out by the next asks, before anything the model proposes.</p>
                    <ul class="open-trials">
                      {queued.map((row) => (
                        <li key={row.number} class="open-trial">
                          <div class="open-head"><button type="button" class="link" onClick={() => openTrial(row.number)}>Trial {row.number}</button><State name="queued" /></div>
                          <Point row={row} study={study} />
                        </li>
                      ))}
                    </ul>
                  </>
                )}
              </>
            )}
          </Show>
        </Card>
      </div>
      <Sheet study={study} rows={open.data?.running ?? []} />
    </div>
  );
}

function AskCard({ study, changed }: { study: ViewProps["study"]; changed: () => void }) {
  const [size, setSize] = useState("1");
  const [worker, setWorker] = useState(() => {
    try {
      return localStorage.getItem(WORKER) ?? "";
    } catch {
      return "";
    }
  });
  const [days, setDays] = useState("");
  const [asked, setAsked] = useState<number[] | null>(null);
  const action = useAction();
  const ask = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      try {
        localStorage.setItem(WORKER, worker);
      } catch {
        // Then it is typed again next time.
      }
      const { trials } = await api.ask(study.id, { count: Number(size), sticky: false, ...(worker ? { worker } : {}), ...(days.trim() ? { lease_seconds: Math.round(Number(days) * 86_400) } : {}) });
      setAsked(trials.map((trial) => trial.number));
      changed();
    });
  };
  const fault = (pointer: string) => action.refusal?.errors.find((each) => each.pointer === pointer)?.detail;
  return (
    <Card title="Ask for the next trials">
      <form class="stack" onSubmit={ask}>
        <div class="line">
          <Field label="How many" fault={fault("/count")}><input class="short" inputMode="numeric" value={size} onInput={(e) => setSize(e.currentTarget.value)} /></Field>
          <Field label="Who does them" fault={fault("/worker")} class="grow"><input value={worker} placeholder="your name" onInput={(e) => setWorker(e.currentTarget.value)} /></Field>
          <Field label="Within days" hint="Empty: the study's lease"><input class="short" inputMode="decimal" value={days} onInput={(e) => setDays(e.currentTarget.value)} /></Field>
        </div>
        {action.refusal && <Fault refusal={action.refusal} />}
        <div class="actions">
          <button type="submit" class="primary" disabled={action.busy || study.state !== "active"}>{action.busy ? "Asking…" : "Ask"}</button>
          <span class="soft" role="status">{study.state !== "active" ? `The study is ${study.state}: it hands out no trials.` : asked ? (asked.length === 1 ? `Trial ${asked[0]} is yours.` : `Trials ${asked[0]} to ${asked.at(-1)} are yours.`) : ""}</span>
        </div>
      </form>
    </Card>
  );
}

function QueueCard({ study, changed }: { study: ViewProps["study"]; changed: () => void }) {
  const { query } = useAddress();
  const from = query.get("from");
  const [form, setForm] = useState<PointForm>(() => pointForm(study));
  const [queued, setQueued] = useState<number | null>(null);
  const action = useAction();
  useEffect(() => {
    if (from === null || !/^\d+$/.test(from)) return;
    void api.trial(study.id, Number(from)).then((trial) => setForm(pointForm(study, trial.parameters as Record<string, unknown>)), () => {});
  }, [from]);
  const fault = (name: string) => action.refusal?.errors.find((each) => each.pointer === `/trials/0/parameters/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`)?.detail;
  const queue = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      const { numbers } = await api.attach(study.id, { trials: [{ parameters: pointOf(study, form) }] });
      setQueued(numbers[0] ?? null);
      changed();
    });
  };
  return (
    <Card title="Queue a point of your own">
      <form class="stack" onSubmit={queue}>
        <PointFields study={study} form={form} change={setForm} fault={fault} />
        {action.refusal && <Fault refusal={action.refusal} />}
        <div class="actions">
          <button type="submit" disabled={action.busy}>Queue it</button>
          <span class="soft" role="status">{queued !== null ? `It is trial ${queued}, and is handed out next.` : ""}</span>
        </div>
      </form>
    </Card>
  );
}

function Point({ row, study }: { row: TableRow; study: ViewProps["study"] }) {
  return (
    <dl class="point">
      {study.parameters.filter(({ name }) => name in row.parameters).map(({ name }) => (
        <div key={name}><dt><bdi>{name}</bdi></dt><dd><bdi>{value(row.parameters[name])}</bdi></dd></div>
      ))}
    </dl>
  );
}

function OpenTrial({ study, row, changed }: ViewProps & { row: TableRow; changed: () => void }) {
  const [telling, tell] = useState(false);
  return (
    <li class="open-trial">
      <div class="open-head">
        <button type="button" class="link" onClick={() => openTrial(row.number)}>Trial {row.number}</button>
        <span class="soft clip"><bdi>{row.worker ?? ""}</bdi></span>
        <span class="soft">{row.lease_expires_at ? `until ${shortTime(row.lease_expires_at)}` : ""}</span>
        {!telling && <button type="button" onClick={() => tell(true)} aria-label={`Tell trial ${row.number}`}>Tell…</button>}
      </div>
      <Point row={row} study={study} />
      {telling && <TellForm study={study} trial={row} done={changed} />}
    </li>
  );
}

/** What is printed: each open trial with room to write. */
function Sheet({ study, rows }: { study: ViewProps["study"]; rows: TableRow[] }) {
  return (
    <section class="sheet" aria-hidden="true">
      <h2><bdi>{study.name}</bdi></h2>
      <p>{shortTime(new Date().toISOString())} · {location.origin}/studies/{study.id}/bench</p>
      <table>
        <thead>
          <tr><th>Trial</th>{study.parameters.map(({ name }) => <th key={name}><bdi>{name}</bdi></th>)}{study.metrics.map(({ name }) => <th key={name}><bdi>{name}</bdi></th>)}<th>Remarks</th></tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.number}>
              <th>{row.number}</th>
              {study.parameters.map(({ name }) => <td key={name}>{typeof row.parameters[name] === "number" ? number(row.parameters[name] as number, 6) : value(row.parameters[name])}</td>)}
              {study.metrics.map(({ name }) => <td key={name} class="write" />)}
              <td class="write" />
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
