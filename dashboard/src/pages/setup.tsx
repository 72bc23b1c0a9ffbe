// What a study was created with, and how programs work on it.
import { useMemo } from "preact/hooks";
import type { Parameter } from "../api";
import { duration, number, value, time } from "../format";
import { labelsOf } from "../parts/point";
import { Card, Code } from "../parts/parts";
import { Link } from "../router";
import { compact, samples } from "../study-form";
import type { ViewProps } from "./study";

function domain(parameter: Parameter): string {
  if (parameter.type === "categorical" || parameter.type === "ordinal") return labelsOf(parameter).map(value).join(", ");
  const step = parameter.step != null ? `, step ${number(parameter.step)}` : "";
  return `${number(parameter.low)} to ${number(parameter.high)}${parameter.scale === "log" ? ", logarithmic" : ""}${step}`;
}

const KINDS = { float: "real number", int: "whole number", categorical: "choice", ordinal: "ordered values" };

export function SetupView({ study }: ViewProps) {
  // What to send to create the same study: the definition without what is the default.
  const body = useMemo(() => {
    const { name, parameters, metrics, parameter_constraints, cost_metric, algorithm, network, budget, default_lease_seconds, retry_expired, seed } = study;
    return {
      name, parameters, metrics,
      ...(parameter_constraints.length ? { parameter_constraints } : {}),
      ...(cost_metric ? { cost_metric } : {}),
      ...(algorithm.acquisition !== "auto" || algorithm.initial_trials != null ? { algorithm } : {}),
      ...(network ? { network } : {}),
      ...(budget.trials != null || budget.cost != null ? { budget } : {}),
      ...(default_lease_seconds !== 86_400 ? { default_lease_seconds } : {}),
      ...(retry_expired ? { retry_expired } : {}),
      seed,
    };
  }, [study]);
  const metadata = Object.keys(study.metadata as object).length > 0;
  return (
    <div class="grid setup">
      <div class="stack">
        <Card title="Parameters">
          <div class="scroll" tabIndex={0} role="region" aria-label="Table of parameters">
            <table class="pairs left">
              <thead><tr><th scope="col">Name</th><th scope="col">Kind</th><th scope="col">Values</th><th scope="col">Exists</th></tr></thead>
              <tbody>
                {study.parameters.map((parameter) => (
                  <tr key={parameter.name}>
                    <th scope="row"><bdi>{parameter.name}</bdi></th>
                    <td>{KINDS[parameter.type]}</td>
                    <td><bdi>{domain(parameter)}</bdi></td>
                    <td class="soft"><bdi>{Object.entries((parameter.when ?? {}) as Record<string, unknown[]>).map(([name, values]) => `${name} is ${values.map(value).join(" or ")}`).join(" and ") || "always"}</bdi></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {study.parameter_constraints.map((constraint, i) => (
            <p class="note" key={i}>
              <bdi>{Object.entries(constraint.sum).map(([name, weight]) => `${number(weight)} · ${name}`).join(" + ")}</bdi>
              {constraint.equals != null ? ` = ${number(constraint.equals)}` : `${constraint.lower != null ? ` ≥ ${number(constraint.lower)}` : ""}${constraint.upper != null ? ` ≤ ${number(constraint.upper)}` : ""}`}
            </p>
          ))}
        </Card>
        <Card title="Metrics">
          <table class="pairs left">
            <thead><tr><th scope="col">Name</th><th scope="col">Goal</th><th scope="col">Bounds</th></tr></thead>
            <tbody>
              {study.metrics.map((metric) => (
                <tr key={metric.name}>
                  <th scope="row"><bdi>{metric.name}</bdi></th>
                  <td>{metric.goal}{study.cost_metric === metric.name ? ", the cost" : ""}</td>
                  <td>{[metric.lower != null && `≥ ${number(metric.lower)}`, metric.upper != null && `≤ ${number(metric.upper)}`, metric.reference != null && `reference ${number(metric.reference)}`].filter(Boolean).join(", ") || "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Card>
        <Card title="Settings">
          <table class="pairs left">
            <tbody>
              <tr><th scope="row">Id</th><td><code>{study.id}</code></td></tr>
              <tr><th scope="row">Points are chosen by</th><td>{(study.algorithm.acquisition ?? "auto").replaceAll("_", " ")}{study.algorithm.initial_trials != null ? `, after ${study.algorithm.initial_trials} initial trials` : ""}</td></tr>
              {study.network && <tr><th scope="row">Runs through</th><td><Link to={`/networks/${study.network.phi}`}>a network</Link>, evaluated by {study.network.evaluate === "server" ? "the service" : "clients"}</td></tr>}
              <tr><th scope="row">Seed</th><td>{study.seed}</td></tr>
              <tr><th scope="row">Lease</th><td>{study.default_lease_seconds == null ? "for ever" : duration(study.default_lease_seconds)}</td></tr>
              <tr><th scope="row">Expired points</th><td>{study.retry_expired ? "are handed out again" : "are not handed out again"}</td></tr>
              <tr><th scope="row">Created</th><td>{time(study.created_at)}</td></tr>
              <tr><th scope="row">Revision</th><td>{study.revision}</td></tr>
            </tbody>
          </table>
          {metadata && <Code label="Metadata" samples={[["Metadata", compact(study.metadata)]]} />}
        </Card>
      </div>
      <Card title="The same as code"><Code label="This study as code" samples={samples(body)} /></Card>
    </div>
  );
}
