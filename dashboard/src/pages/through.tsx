// A study through a network, evaluated by the service: its parameters are the network's inputs.
import { useMemo, useState } from "preact/hooks";
import { api, type Network } from "../api";
import { useLoad } from "../live";
import { Card, Code, Fault, Field, Select, useAction } from "../parts/parts";
import { go } from "../router";
import { samples } from "../study-form";
import { lengthOf } from "./networks";

/** Inputs that are written out as parameters by the form; larger ones are a program's work. */
const MOST_INPUTS = 200;

const numeric = (text: string): number | string => (text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);

export function ThroughForm({ network }: { network: Network }) {
  const [form, setForm] = useState({ name: `through ${network.name}`.slice(0, 190), low: "-1", high: "1", goal: "maximize", coefficients: "", second: "", evaluations: "250" });
  const others = useLoad(() => api.networks({ limit: 1000 }), [network.id]);
  const action = useAction();
  const change = (part: Partial<typeof form>) => setForm((before) => ({ ...before, ...part }));
  const [inputs, outputs] = [lengthOf(network.inputs), lengthOf(network.outputs)];
  const body = useMemo(() => {
    const given = form.coefficients.split(",").map((part) => part.trim()).filter(Boolean);
    const linear = given.length ? given.map(numeric) : Array.from({ length: outputs }, () => 1);
    return {
      name: form.name,
      parameters: Array.from({ length: Math.min(inputs, MOST_INPUTS) }, (_, i) => ({ name: `x${i + 1}`, type: "float", low: numeric(form.low), high: numeric(form.high) })),
      metrics: [{ name: "value", goal: form.goal }],
      network: { phi: network.id, goal: form.second ? { network: form.second } : { linear }, evaluate: "server" },
    };
  }, [form, network.id]);
  const submit = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      const study = await api.createStudy(body);
      await api.solve(study.id, Number(form.evaluations));
      go(`/studies/${study.id}`);
    });
  };
  // Goals take what this network gives, and give one number.
  const goals = (others.data?.networks ?? []).filter((each) => lengthOf(each.inputs) === outputs && lengthOf(each.outputs) === 1);
  if (inputs > MOST_INPUTS) {
    return (
      <Card title="A study through it">
        <p class="soft">It has {inputs} inputs: write the study with a program. A study refers to the network by its id.</p>
        <Code label="The network block of a study" samples={[["network", JSON.stringify(body.network, null, 2)]]} />
      </Card>
    );
  }
  return (
    <Card title="A study through it">
      <form class="stack" onSubmit={submit}>
        <Field label="Name"><input value={form.name} autocomplete="off" onInput={(e) => change({ name: e.currentTarget.value })} /></Field>
        <div class="line">
          <Field label="Inputs from" class="grow"><input inputMode="decimal" value={form.low} onInput={(e) => change({ low: e.currentTarget.value })} /></Field>
          <Field label="to" class="grow"><input inputMode="decimal" value={form.high} onInput={(e) => change({ high: e.currentTarget.value })} /></Field>
        </div>
        <Select label="Goal" value={form.goal} options={[["maximize", "maximize"], ["minimize", "minimize"]]} onChange={(goal) => change({ goal })} />
        {goals.length > 0 && <Select label="Of" value={form.second} options={[["", "a linear form of the outputs"], ...goals.map((each) => [each.id, each.name] as [string, string])]} onChange={(second) => change({ second })} />}
        {!form.second && (
          <Field label={outputs === 1 ? "Times" : `Coefficients of the ${outputs} outputs`} hint="With commas between; 1 each where empty">
            <input value={form.coefficients} onInput={(e) => change({ coefficients: e.currentTarget.value })} />
          </Field>
        )}
        <Field label="Evaluations" hint="The service evaluates the network itself; more can follow later"><input inputMode="numeric" value={form.evaluations} onInput={(e) => change({ evaluations: e.currentTarget.value })} /></Field>
        {action.refusal && <Fault refusal={action.refusal} />}
        <button type="submit" class="primary" disabled={action.busy}>Create and solve</button>
        <Code label="This study as code" samples={samples(body)} />
      </form>
    </Card>
  );
}
