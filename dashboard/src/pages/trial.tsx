// One trial beside the page: its point, what was told, its times, and what people noted.
import { useEffect, useMemo, useState } from "preact/hooks";
import { api, type Trial } from "../api";
import { duration, number, time } from "../format";
import { useLoad, useNow } from "../live";
import { Dialog, Fault, Field, Show, State, useAction } from "../parts/parts";
import { TellForm } from "../parts/tell";
import { curves } from "../plot/curves";
import { Plot } from "../plot/plot";
import { usePalette } from "../theme";
import { PointTable, openTrial } from "./overview";
import { go } from "../router";
import type { ViewProps } from "./study";

const ENDED = ["completed", "failed", "stopped", "abandoned"];

export function TrialPanel({ study, live, trial, onClose }: ViewProps & { trial: number; onClose: () => void }) {
  const loaded = useLoad(() => api.trial(study.id, trial), [study.id, trial, live.pulse]);
  return (
    <Dialog title={`Trial ${trial}`} onClose={onClose} side>
      <Show of={loaded} lines={10}>
        {(data) => <Panel study={study} live={live} trial={data} reload={loaded.reload} />}
      </Show>
    </Dialog>
  );
}

function Panel({ study, live, trial, reload }: ViewProps & { trial: Trial; reload: () => void }) {
  const [amending, amend] = useState(false);
  // Somebody else may have told it meanwhile: what was being amended is no more.
  useEffect(() => amend(false), [trial.state, trial.revisions.length]);
  const now = useNow(1000);
  const ended = ENDED.includes(trial.state);
  const lasted = trial.started_at ? ((trial.ended_at ? Date.parse(trial.ended_at) : now) - Date.parse(trial.started_at)) / 1000 : null;
  const changed = () => {
    amend(false);
    reload();
    live.refresh();
  };
  return (
    <div class="stack">
      <div class="study-facts">
        <State name={trial.state} />
        {trial.superseded && <span class="tag">superseded by its retry</span>}
        {trial.outside && <span class="tag">outside the space</span>}
        {trial.retry_of != null && <span>a retry of <button type="button" class="link" onClick={() => openTrial(trial.retry_of!)}>{trial.retry_of}</button></span>}
      </div>
      <section aria-label="Point">
        <h3>Point</h3>
        <PointTable study={study} parameters={trial.parameters as Record<string, unknown>} />
        <p class="note">
          Proposed by <b>{trial.origin.replaceAll("_", " ")}</b> from revision {trial.history_revision}.{" "}
          <button type="button" class="link" onClick={() => go(`/studies/${study.id}/model?through=${trial.number}`)}>Why this point?</button>
        </p>
      </section>
      {trial.metrics && (
        <section aria-label="Results">
          <h3>Results</h3>
          <table class="pairs">
            <tbody>
              {Object.entries(trial.metrics).map(([name, seen]) => (
                <tr key={name}><th scope="row"><bdi>{name}</bdi></th><td>{number(seen.value, 8)}{seen.sem != null && ` ± ${number(seen.sem, 3)}`}</td></tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      <Measurements study={study} live={live} trial={trial} />
      {trial.reason && <p><b>Reason:</b> <bdi>{trial.reason}</bdi></p>}
      {!ended && (
        <section aria-label="Tell">
          <h3>What became of it?</h3>
          <TellForm study={study} trial={trial} done={changed} />
        </section>
      )}
      {ended && !amending && (
        <div class="actions">
          <button type="button" onClick={() => amend(true)}>Amend…</button>
          <button type="button" onClick={() => go(`/studies/${study.id}/bench?from=${trial.number}`)}>Try the point again…</button>
        </div>
      )}
      {amending && (
        <section aria-label="Amend">
          <h3>Amend</h3>
          <p class="soft">The whole outcome is replaced; what was told before is kept below.</p>
          <TellForm study={study} trial={trial} amend done={changed} />
        </section>
      )}
      <Annotations study={study} live={live} trial={trial} done={changed} />
      <section aria-label="Times">
        <h3>Times</h3>
        <table class="pairs">
          <tbody>
            <tr><th scope="row">Worker</th><td><bdi>{trial.worker ?? "–"}</bdi></td></tr>
            <tr><th scope="row">Created</th><td>{time(trial.created_at)}</td></tr>
            <tr><th scope="row">Handed out</th><td>{time(trial.started_at)}</td></tr>
            <tr><th scope="row">Ended</th><td>{time(trial.ended_at)}</td></tr>
            <tr><th scope="row">Took</th><td>{duration(lasted)}</td></tr>
            {trial.state === "running" && <tr><th scope="row">Lease ends</th><td>{trial.lease_expires_at ? time(trial.lease_expires_at) : "never"}</td></tr>}
          </tbody>
        </table>
      </section>
      {trial.revisions.length > 0 && (
        <section aria-label="Told before">
          <h3>Told before</h3>
          <ol class="revisions">
            {trial.revisions.map((past) => (
              <li key={past.replaced_at}>
                <State name={past.state} /> <bdi>{past.metrics ? Object.entries(past.metrics).map(([name, seen]) => `${name} ${number(seen.value)}`).join(", ") : past.reason}</bdi>
                <span class="soft"> until {time(past.replaced_at)}</span>
              </li>
            ))}
          </ol>
        </section>
      )}
    </div>
  );
}

/** What it reported while it ran. */
function Measurements({ study, trial }: ViewProps & { trial: Trial }) {
  const palette = usePalette();
  const metric = study.metrics.find(({ name }) => trial.measurements.some((each) => each.metrics[name]))?.name;
  const plot = useMemo(() => {
    if (!metric) return null;
    const told = trial.measurements.filter((each) => each.metrics[metric]);
    const curve = { number: trial.number, state: trial.state, steps: told.map((each) => each.step), values: told.map((each) => each.metrics[metric]!.value) };
    return curves({ revision: 0, curves: [curve] }, metric, "minimize", palette);
  }, [trial.measurements.length, metric, palette]);
  return plot && <Plot id="curve" title="While it ran" study={study.name} {...plot} height={180} />;
}

function Annotations({ study, trial, done }: ViewProps & { trial: Trial; done: () => void }) {
  // What is being written; what others write in the meantime shows where nothing is.
  const [ownNote, setNote] = useState<string | null>(null);
  const [ownTags, setTags] = useState<string | null>(null);
  const action = useAction();
  const note = ownNote ?? trial.note ?? "";
  const tags = ownTags ?? trial.tags.join(", ");
  const changed = note !== (trial.note ?? "") || tags !== trial.tags.join(", ");
  const save = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      await api.changeTrial(study.id, trial.number, {
        ...(ownNote === null ? {} : { note: note.trim() === "" ? null : note }),
        ...(ownTags === null ? {} : { tags: tags.split(",").map((tag) => tag.trim()).filter(Boolean) }),
      });
      setNote(null);
      setTags(null);
      done();
    });
  };
  return (
    <form onSubmit={save} aria-label="Note and tags">
      <h3>Note and tags</h3>
      <Field label="Note"><textarea rows={2} value={note} onInput={(e) => setNote(e.currentTarget.value)} /></Field>
      <Field label="Tags" hint="With commas between"><input value={tags} onInput={(e) => setTags(e.currentTarget.value)} /></Field>
      {action.refusal && <Fault refusal={action.refusal} />}
      {changed && <button type="submit" disabled={action.busy}>Save note and tags</button>}
    </form>
  );
}
