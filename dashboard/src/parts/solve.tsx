// A study whose networks the service evaluates itself: start a solve, watch it, cancel it.
import { useState } from "preact/hooks";
import { api } from "../api";
import { count } from "../format";
import { useNow } from "../live";
import type { ViewProps } from "../pages/study";
import { Card, Fault, Field, State, When, useAction } from "./parts";

export function SolveCard({ study, live }: ViewProps) {
  const [evaluations, setEvaluations] = useState("250");
  const action = useAction();
  const now = useNow(5000);
  const solve = study.solve;
  const running = solve?.state === "running";
  const start = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      await api.solve(study.id, Number(evaluations));
      live.refresh();
    });
  };
  const cancel = () => action.run(async () => {
    await api.cancelSolve(study.id);
    live.refresh();
  });
  return (
    <Card title="Solve" wide tools={running && <button type="button" disabled={action.busy} onClick={cancel}>Cancel the solve</button>}>
      {solve && (
        <div class="solve">
          <State name={solve.state} />
          <progress max={solve.evaluations} value={solve.done} aria-label="Evaluations of the solve" />
          <span><b>{count(solve.done)}</b> of {count(solve.evaluations)} evaluations, {count(solve.passes)} passes through the networks</span>
          <span class="soft">moved on <When at={solve.updated_at} now={now} /></span>
        </div>
      )}
      {solve?.reason && <p class="note">Over because <bdi>{solve.reason}</bdi>.</p>}
      {!running && (
        <form class="line solve-start" onSubmit={start}>
          <Field label="Evaluations" hint="The service asks itself, evaluates the networks, and tells itself">
            <input inputMode="numeric" class="short" value={evaluations} onInput={(e) => setEvaluations(e.currentTarget.value)} />
          </Field>
          <button type="submit" class="primary" disabled={action.busy || study.state !== "active"}>{solve ? "Solve further" : "Start the solve"}</button>
        </form>
      )}
      {!running && study.state !== "active" && <p class="note">The study is {study.state}: reopen it to go on.</p>}
      {action.refusal && <Fault refusal={action.refusal} />}
    </Card>
  );
}
