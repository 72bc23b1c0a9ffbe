// One study, followed live: its head with what can be done to it, and the views on it.
import { useEffect, useState } from "preact/hooks";
import { api, type Study } from "../api";
import { count, number } from "../format";
import { useNow, useStudy, type LiveStudy } from "../live";
import { Counts } from "../parts/counts";
import { Dialog, Empty, Fault, Field, State, Waiting, When, Menu, useAction } from "../parts/parts";
import { Link, go, setQuery, useField } from "../router";
import { BenchView } from "./bench";
import { ModelView } from "./model";
import { OverviewView } from "./overview";
import { PlotsView } from "./plots";
import { SetupView } from "./setup";
import { goals, totalOf } from "./studies";
import { TrialPanel } from "./trial";
import { TrialsView } from "./trials";

const VIEWS: [string, string][] = [["", "Overview"], ["trials", "Trials"], ["plots", "Plots"], ["model", "Model"], ["bench", "By hand"], ["setup", "Setup"]];

export interface ViewProps { study: Study; live: LiveStudy }

export function StudyPage({ id, view }: { id: string; view: string }) {
  const live = useStudy(id);
  const { study, error } = live;
  useEffect(() => {
    if (study) document.title = `${study.name.slice(0, 80)} – Tellus`;
  }, [study?.name, view]);
  if (!study) {
    if (error?.status === 404) {
      return (
        <Empty title="There is no such study" page>
          <p>It was deleted, or its address is mistyped.</p>
          <Link to="/" class="button">All studies</Link>
        </Empty>
      );
    }
    return error ? <Fault refusal={error} retry={live.refresh} /> : <Waiting lines={8} label="Loading the study" />;
  }
  return (
    <>
      <StudyHead study={study} live={live} />
      <nav class="views" aria-label="Views of this study">
        {VIEWS.map(([name, label]) => (
          <Link key={name} to={`/studies/${id}${name ? `/${name}` : ""}`} {...(name === view ? { "aria-current": "page" as const } : {})}>{label}</Link>
        ))}
      </nav>
      {error && <Fault refusal={error} retry={live.refresh} />}
      {view === "" && <OverviewView study={study} live={live} />}
      {view === "trials" && <TrialsView study={study} live={live} />}
      {view === "plots" && <PlotsView study={study} live={live} />}
      {view === "model" && <ModelView study={study} live={live} />}
      {view === "bench" && <BenchView study={study} live={live} />}
      {view === "setup" && <SetupView study={study} live={live} />}
      <OpenTrial study={study} live={live} />
    </>
  );
}

function OpenTrial({ study, live }: ViewProps) {
  const [open] = useField("trial", "");
  if (!/^\d+$/.test(open)) return null;
  return <TrialPanel key={open} study={study} live={live} trial={Number(open)} onClose={() => setQuery({ trial: null })} />;
}

const CONNECTIONS = { connecting: "connecting", live: "live", lost: "connection lost, trying again" };

function StudyHead({ study, live }: ViewProps) {
  const now = useNow(10_000);
  const action = useAction();
  const [dialog, open] = useState<"budget" | "delete" | null>(null);
  const set = (state: "active" | "paused" | "completed") => action.run(async () => {
    await api.changeStudy(study.id, { state });
    live.refresh();
  });
  const total = totalOf(study);
  const budget = study.budget.trials;
  return (
    <div class="study-head">
      <p class="crumb"><Link to="/">Studies</Link></p>
      <div class="page-head">
        <h1><bdi>{study.name}</bdi></h1>
        <div class="actions">
          {study.state === "active" ? (
            <button type="button" disabled={action.busy} onClick={() => set("paused")}>Pause</button>
          ) : (
            <button type="button" class="primary" disabled={action.busy} onClick={() => set("active")}>{study.state === "paused" ? "Go on" : "Reopen"}</button>
          )}
          {study.state !== "completed" && <button type="button" disabled={action.busy} onClick={() => set("completed")}>Finish</button>}
          <Menu label="More actions" face="More">
            <button type="button" onClick={() => open("budget")}>Change the budget…</button>
            <button type="button" onClick={() => go(`/compare?studies=${study.id}`)}>Compare with others</button>
            <button type="button" class="danger" onClick={() => open("delete")}>Delete…</button>
          </Menu>
        </div>
      </div>
      <div class="study-facts">
        <State name={study.state} />
        <span class={`connection is-${live.connection}`} role="status"><span aria-hidden="true" />{CONNECTIONS[live.connection]}</span>
        <span class="soft"><bdi>{goals(study)}</bdi></span>
        <span class="study-progress">
          <b>{count(total)}</b> trials{budget ? ` of ${count(budget)}` : ""}
          <Counts counts={study.trial_counts} />
        </span>
        <span class="soft">changed <When at={study.updated_at} now={now} /></span>
      </div>
      {action.refusal && <Fault refusal={action.refusal} />}
      {dialog === "budget" && <BudgetDialog study={study} live={live} onClose={() => open(null)} />}
      {dialog === "delete" && <DeleteDialog study={study} onClose={() => open(null)} />}
    </div>
  );
}

function BudgetDialog({ study, live, onClose }: ViewProps & { onClose: () => void }) {
  const [trials, setTrials] = useState(study.budget.trials?.toString() ?? "");
  const [cost, setCost] = useState(study.budget.cost?.toString() ?? "");
  const action = useAction();
  const of = (text: string) => (text.trim() === "" ? undefined : Number(text));
  const save = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      await api.changeStudy(study.id, { budget: { trials: of(trials), cost: of(cost) } });
      live.refresh();
      onClose();
    });
  };
  return (
    <Dialog title="Budget" onClose={onClose}>
      <form class="stack" onSubmit={save}>
        <Field label="Trials" hint={`${count(study.spent.trials)} are spent. Empty: no end`}>
          <input inputMode="numeric" value={trials} onInput={(e) => setTrials(e.currentTarget.value)} />
        </Field>
        {study.cost_metric && (
          <Field label={<>Cost, as the sum of <bdi>{study.cost_metric}</bdi></>} hint={`${number(study.spent.cost)} is spent`}>
            <input inputMode="decimal" value={cost} onInput={(e) => setCost(e.currentTarget.value)} />
          </Field>
        )}
        {action.refusal && <Fault refusal={action.refusal} />}
        <button type="submit" class="primary" disabled={action.busy}>Save</button>
      </form>
    </Dialog>
  );
}

function DeleteDialog({ study, onClose }: { study: Study; onClose: () => void }) {
  const [typed, type] = useState("");
  const action = useAction();
  const remove = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      await api.deleteStudy(study.id);
      go("/");
    });
  };
  const wanted = study.name.length > 40 ? "delete" : study.name;
  return (
    <Dialog title="Delete this study?" onClose={onClose}>
      <form class="stack" onSubmit={remove}>
        <p>All its {count(totalOf(study))} trials go with it, for good. To go on, type <b><bdi>{wanted}</bdi></b>.</p>
        <Field label="Confirmation"><input value={typed} autocomplete="off" onInput={(e) => type(e.currentTarget.value)} /></Field>
        {action.refusal && <Fault refusal={action.refusal} />}
        <button type="submit" class="danger" disabled={typed !== wanted || action.busy}>Delete</button>
      </form>
    </Dialog>
  );
}
