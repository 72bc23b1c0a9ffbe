// A form that builds a study, checked by the service itself as one types, with the same thing as code beside it.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api, Refusal, type StudyCheck } from "../api";
import { count } from "../format";
import { Card, Code, Fault, Field, useAction } from "../parts/parts";
import { Link, go } from "../router";
import { blank, drafted, samples, START, type MetricForm, type ParameterForm, type StudyForm } from "../study-form";

/** How long typing rests before the service is asked. */
const REST = 250;

/** The service's word on what is written, a moment after it is. */
function useCheck(body: unknown): { check: StudyCheck | null; refusal: Refusal | null; fresh: boolean } {
  const [state, set] = useState<{ check: StudyCheck | null; refusal: Refusal | null; of: string }>({ check: null, refusal: null, of: "" });
  const text = JSON.stringify(body);
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => {
    const timer = setTimeout(() => {
      api.checkStudy(JSON.parse(text)).then(
        (check) => latest.current === text && set({ check, refusal: null, of: text }),
        (refusal: Refusal) => latest.current === text && set({ check: null, refusal, of: text }),
      );
    }, REST);
    return () => clearTimeout(timer);
  }, [text]);
  return { ...state, fresh: state.of === text };
}

export function CreatePage() {
  const [form, setForm] = useState<StudyForm>(START);
  const [touched, touch] = useState<Set<string>>(new Set());
  const body = useMemo(() => drafted(form), [form]);
  const { check, refusal, fresh } = useCheck(body);
  const action = useAction();
  const change = (part: Partial<StudyForm>) => setForm((before) => ({ ...before, ...part }));
  const seen = (pointer: string) => touch((before) => new Set(before).add(pointer));
  // A fault is shown at the field that it is of, once somebody was there; those of no field are listed at the end.
  const faults = check?.errors ?? [];
  const shown = new Set<string>();
  const fault = (pointer: string): string | undefined => {
    const found = faults.filter((each) => each.pointer === pointer || each.pointer.startsWith(`${pointer}/`));
    found.forEach((each) => shown.add(each.pointer + each.detail));
    return touched.has(pointer) || touched.has("all") ? found[0]?.detail : undefined;
  };
  const parameter = (i: number, part: Partial<ParameterForm>) => change({ parameters: form.parameters.map((each, k) => (k === i ? { ...each, ...part } : each)) });
  const metric = (i: number, part: Partial<MetricForm>) => change({ metrics: form.metrics.map((each, k) => (k === i ? { ...each, ...part } : each)) });
  const submit = (event: Event) => {
    event.preventDefault();
    touch(new Set(["all"]));
    if (fresh && faults.length > 0) return;
    action.run(async () => {
      const study = await api.createStudy(body);
      go(`/studies/${study.id}`);
    });
  };
  const others = () => faults.filter((each) => !shown.has(each.pointer + each.detail));
  return (
    <form class="create" onSubmit={submit} noValidate>
      <div class="page-head">
        <div>
          <p class="crumb"><Link to="/">Studies</Link></p>
          <h1>New study</h1>
        </div>
      </div>
      <div class="create-body">
        <div class="stack">
          <Card title="What it is">
            <Field label="Name" hint="Unique; other programs find the study by it" fault={fault("/name")}>
              <input name="name" value={form.name} autofocus autocomplete="off" onInput={(e) => change({ name: e.currentTarget.value })} onBlur={() => seen("/name")} />
            </Field>
          </Card>
          <Card title="What may be turned" tools={<button type="button" onClick={() => change({ parameters: [...form.parameters, blank(form.parameters.length)] })}>Add parameter</button>}>
            {form.parameters.map((each, i) => (
              <ParameterFields
                key={each.key}
                form={each}
                others={form.parameters.filter((other) => other !== each && (other.type === "categorical" || other.type === "ordinal"))}
                at={`/parameters/${i}`}
                fault={fault}
                seen={seen}
                change={(part) => parameter(i, part)}
                remove={form.parameters.length > 1 ? () => change({ parameters: form.parameters.filter((_, k) => k !== i) }) : undefined}
              />
            ))}
          </Card>
          <Card title="What is measured" tools={<button type="button" onClick={() => change({ metrics: [...form.metrics, { key: Math.random(), name: "", goal: "record", lower: "", upper: "" }] })}>Add metric</button>}>
            {form.metrics.map((each, i) => (
              <fieldset class="line" key={each.key}>
                <legend class="unseen">Metric {i + 1}</legend>
                <Field label="Name" fault={fault(`/metrics/${i}/name`)} class="grow">
                  <input value={each.name} autocomplete="off" onInput={(e) => metric(i, { name: e.currentTarget.value })} onBlur={() => seen(`/metrics/${i}/name`)} />
                </Field>
                <Field label="Goal">
                  <select value={each.goal} onChange={(e) => metric(i, { goal: e.currentTarget.value as MetricForm["goal"] })}>
                    <option value="minimize">minimize</option>
                    <option value="maximize">maximize</option>
                    <option value="constrain">keep within bounds</option>
                    <option value="record">record only</option>
                  </select>
                </Field>
                {each.goal === "constrain" && (
                  <>
                    <Field label="At least"><input class="short" inputMode="decimal" value={each.lower} onInput={(e) => metric(i, { lower: e.currentTarget.value })} onBlur={() => seen(`/metrics/${i}`)} /></Field>
                    <Field label="At most" fault={fault(`/metrics/${i}`)}><input class="short" inputMode="decimal" value={each.upper} onInput={(e) => metric(i, { upper: e.currentTarget.value })} onBlur={() => seen(`/metrics/${i}`)} /></Field>
                  </>
                )}
                {form.metrics.length > 1 && <button type="button" class="quiet remove" aria-label={`Remove metric ${each.name || i + 1}`} onClick={() => change({ metrics: form.metrics.filter((_, k) => k !== i) })}>✕</button>}
              </fieldset>
            ))}
            {fault("/metrics") && !form.metrics.some((_, i) => fault(`/metrics/${i}/name`) || fault(`/metrics/${i}`)) && <p class="fault-text" role="alert">{fault("/metrics")}</p>}
          </Card>
          <Card title="How far">
            <div class="line">
              <Field label="Budget of trials" hint="Empty: no end" fault={fault("/budget")}>
                <input class="short" inputMode="numeric" value={form.budget} onInput={(e) => change({ budget: e.currentTarget.value })} onBlur={() => seen("/budget")} />
              </Field>
              <Field label="How points are chosen" fault={fault("/algorithm")}>
                <input list="acquisitions" value={form.acquisition} onInput={(e) => change({ acquisition: e.currentTarget.value })} onBlur={() => seen("/algorithm")} />
                <datalist id="acquisitions"><option value="auto" /><option value="log_expected_improvement" /><option value="space_filling" /><option value="random" /></datalist>
              </Field>
              <Field label="Seed" hint="Empty: drawn" fault={fault("/seed")}>
                <input class="short" inputMode="numeric" value={form.seed} onInput={(e) => change({ seed: e.currentTarget.value })} onBlur={() => seen("/seed")} />
              </Field>
            </div>
          </Card>
        </div>
        <aside class="stack">
          <Card title="The service says" class="verdict">
            <div aria-live="polite">
              {refusal ? (
                <Fault refusal={refusal} />
              ) : !check ? (
                <p class="soft">Checking…</p>
              ) : faults.length === 0 ? (
                <>
                  <p class="good">✓ It can be created{check.existing ? ", and is there already: this leads to it" : ""}.</p>
                  {check.points != null && <p class="soft">The search space has {count(check.points)} points.</p>}
                </>
              ) : (
                <>
                  <p>{faults.length === 1 ? "One thing is" : `${faults.length} things are`} to be settled:</p>
                  <ul class="faults">
                    {faults.map((each) => <li key={each.pointer + each.detail} class={others().includes(each) ? "" : "placed"}><code>{each.pointer || "/"}</code> <bdi>{each.detail}</bdi></li>)}
                  </ul>
                </>
              )}
            </div>
            {action.refusal && <Fault refusal={action.refusal} />}
            <button type="submit" class="primary" disabled={action.busy || (fresh && faults.length > 0 && touched.has("all"))}>{action.busy ? "Creating…" : "Create study"}</button>
          </Card>
          <Card title="The same as code"><Code label="Create the study as code" samples={samples(body)} /></Card>
        </aside>
      </div>
    </form>
  );
}

interface ParameterProps {
  form: ParameterForm;
  others: ParameterForm[];
  at: string;
  fault: (pointer: string) => string | undefined;
  seen: (pointer: string) => void;
  change: (part: Partial<ParameterForm>) => void;
  remove?: () => void;
}

function ParameterFields({ form, others, at, fault, seen, change, remove }: ParameterProps) {
  const numeric = form.type === "float" || form.type === "int";
  const list = form.type === "categorical" ? "choices" : "values";
  const input = (name: "low" | "high" | "step") => (
    <input class="short" inputMode="decimal" value={form[name]} onInput={(e) => change({ [name]: e.currentTarget.value })} onBlur={() => seen(`${at}/${name}`)} />
  );
  return (
    <fieldset class="line">
      <legend class="unseen">Parameter {form.name || "without a name"}</legend>
      <Field label="Name" fault={fault(`${at}/name`)} class="grow">
        <input value={form.name} autocomplete="off" onInput={(e) => change({ name: e.currentTarget.value })} onBlur={() => seen(`${at}/name`)} />
      </Field>
      <Field label="Kind">
        <select value={form.type} onChange={(e) => change({ type: e.currentTarget.value as ParameterForm["type"] })}>
          <option value="float">real number</option>
          <option value="int">whole number</option>
          <option value="categorical">choice</option>
          <option value="ordinal">ordered values</option>
        </select>
      </Field>
      {numeric ? (
        <>
          <Field label="From" fault={fault(`${at}/low`)}>{input("low")}</Field>
          <Field label="To" fault={fault(`${at}/high`)}>{input("high")}</Field>
          <Field label="Scale" fault={fault(`${at}/scale`)}>
            <select value={form.scale} onChange={(e) => change({ scale: e.currentTarget.value as ParameterForm["scale"] })}>
              <option value="linear">linear</option>
              <option value="log">logarithmic</option>
            </select>
          </Field>
          <Field label="Step" fault={fault(`${at}/step`)}>{input("step")}</Field>
        </>
      ) : (
        <Field label={form.type === "categorical" ? "Choices, with commas between" : "Values in order, with commas between"} fault={fault(`${at}/${list}`)} class="grow2">
          <input value={form.labels} onInput={(e) => change({ labels: e.currentTarget.value })} onBlur={() => seen(`${at}/${list}`)} />
        </Field>
      )}
      {others.length > 0 && (
        <Field label="Exists" fault={fault(`${at}/when`)}>
          <select value={form.whenName} onChange={(e) => change({ whenName: e.currentTarget.value, whenValues: others.find((other) => other.name === e.currentTarget.value)?.labels.split(",")[0]?.trim() ?? "" })}>
            <option value="">always</option>
            {others.filter((other) => other.name).map((other) => <option key={other.key} value={other.name}>when {other.name.slice(0, 40)} is</option>)}
          </select>
        </Field>
      )}
      {form.whenName && (
        <Field label="one of"><input value={form.whenValues} onInput={(e) => change({ whenValues: e.currentTarget.value })} onBlur={() => seen(`${at}/when`)} /></Field>
      )}
      {remove && <button type="button" class="quiet remove" aria-label={`Remove parameter ${form.name}`} onClick={remove}>✕</button>}
    </fieldset>
  );
}
