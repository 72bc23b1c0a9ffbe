// Telling by hand what became of a trial, and amending it.
import { useState } from "preact/hooks";
import { api, type Study, type TableRow, type Trial } from "../api";
import { Choice, Fault, Field, useAction } from "./parts";

type Told = Pick<Trial, "number" | "state"> & { metrics?: Trial["metrics"] | TableRow["metrics"] | null };

interface Props { study: Study; trial: Told; amend?: boolean; done: (trial: Trial) => void }

export function TellForm({ study, trial, amend, done }: Props) {
  const [kind, setKind] = useState("metrics");
  const [values, setValues] = useState<Record<string, string>>(() => Object.fromEntries(study.metrics.map(({ name }) => [name, amend ? (trial.metrics?.[name]?.value?.toString() ?? "") : ""])));
  const [reason, setReason] = useState("");
  const [note, setNote] = useState("");
  const action = useAction();
  const fault = (pointer: string) => action.refusal?.errors.find((each) => each.pointer === pointer || each.pointer.startsWith(`${pointer}/`))?.detail;
  const escaped = (name: string) => name.replaceAll("~", "~0").replaceAll("/", "~1");
  const tell = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      // A comma is the decimal point of many keyboards.
      const given = study.metrics.filter(({ name }) => values[name]?.trim()).map(({ name }) => [name, Number(values[name]!.trim().replace(",", "."))]);
      const outcome = kind === "metrics" ? { metrics: Object.fromEntries(given) as Record<string, number> } : kind === "failed" ? { failed: reason } : kind === "stopped" ? { stopped: true } : { abandoned: reason };
      let told = await api.tell(study.id, trial.number, { ...outcome, ...(amend ? { amend: true } : {}) });
      if (note.trim()) told = await api.changeTrial(study.id, trial.number, { note: note.trim() });
      done(told);
    });
  };
  return (
    <form class="tell" onSubmit={tell} aria-label={`Tell trial ${trial.number}`}>
      <Choice label="What became of it" value={kind} options={[["metrics", "Measured"], ["failed", "Failed"], ["stopped", "Stopped"], ["abandoned", "Given up"]]} onChange={setKind} />
      {kind === "metrics" ? (
        <div class="point-fields">
          {study.metrics.map((metric) => (
            <Field key={metric.name} label={<bdi>{metric.name}</bdi>} hint={metric.goal === "constrain" ? "a constraint" : metric.goal === "record" ? "may be left out" : metric.goal} fault={fault(`/metrics/${escaped(metric.name)}`)}>
              <input name={metric.name} inputMode="decimal" value={values[metric.name]} onInput={(e) => setValues({ ...values, [metric.name]: e.currentTarget.value })} />
            </Field>
          ))}
        </div>
      ) : kind === "stopped" ? (
        <p class="soft">Ended early: the point is not proposed again, and nothing else is learned from it.</p>
      ) : (
        <Field label="Why" hint={kind === "failed" ? "The point itself cannot be evaluated: it is learned from, and not proposed again" : "Says nothing about the point, which may be proposed again"}>
          <input value={reason} onInput={(e) => setReason(e.currentTarget.value)} />
        </Field>
      )}
      {amend && <Field label="Note" hint="Why it is amended"><input value={note} onInput={(e) => setNote(e.currentTarget.value)} /></Field>}
      {action.refusal && <Fault refusal={action.refusal} />}
      <button type="submit" class="primary" disabled={action.busy}>{amend ? "Amend" : "Tell"}</button>
    </form>
  );
}
