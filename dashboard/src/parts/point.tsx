// A point written by hand: one input a parameter, those that are switched off left out.
import type { Parameter, Study } from "../api";
import { number } from "../format";
import { Field } from "./parts";

export type PointForm = Record<string, string>;

export const labelsOf = (parameter: Parameter): unknown[] => (parameter.type === "categorical" ? parameter.choices : parameter.type === "ordinal" ? parameter.values : []);

/** The value that a text stands for. */
function read(parameter: Parameter, text: string): unknown {
  if (parameter.type === "float" || parameter.type === "int") return text.trim() === "" ? null : Number.isFinite(Number(text)) ? Number(text) : text;
  return labelsOf(parameter).find((label) => JSON.stringify(label) === text) ?? text;
}

/** Whether the conditions of a parameter hold. */
export function isActive(study: Study, parameter: Parameter, form: PointForm): boolean {
  const when = (parameter.when ?? {}) as Record<string, unknown[]>;
  return Object.entries(when).every(([name, values]) => {
    const parent = study.parameters.find((each) => each.name === name);
    return parent !== undefined && isActive(study, parent, form) && values.some((each) => JSON.stringify(each) === JSON.stringify(read(parent, form[name] ?? "")));
  });
}

/** A point's form: the middle of each range, or what is there already. */
export function pointForm(study: Study, from: Record<string, unknown> = {}): PointForm {
  return Object.fromEntries(
    study.parameters.map((parameter) => {
      const there = from[parameter.name];
      if (there !== undefined) return [parameter.name, parameter.type === "float" || parameter.type === "int" ? String(there) : JSON.stringify(there)];
      if (parameter.type === "float" || parameter.type === "int") {
        const middle = parameter.scale === "log" ? Math.sqrt(parameter.low * parameter.high) : (parameter.low + parameter.high) / 2;
        return [parameter.name, parameter.type === "int" ? String(Math.round(middle)) : String(Number(middle.toPrecision(4)))];
      }
      return [parameter.name, JSON.stringify(labelsOf(parameter)[0])];
    }),
  );
}

export function pointOf(study: Study, form: PointForm): Record<string, unknown> {
  return Object.fromEntries(study.parameters.filter((each) => isActive(study, each, form)).map((each) => [each.name, read(each, form[each.name] ?? "")]));
}

interface Props { study: Study; form: PointForm; change: (form: PointForm) => void; fault: (name: string) => string | undefined }

export function PointFields({ study, form, change, fault }: Props) {
  const set = (name: string, text: string) => change({ ...form, [name]: text });
  return (
    <div class="point-fields">
      {study.parameters.filter((each) => isActive(study, each, form)).map((parameter) => (
        <Field key={parameter.name} label={<bdi>{parameter.name}</bdi>} fault={fault(parameter.name)} hint={"low" in parameter ? `${number(parameter.low)} to ${number(parameter.high)}` : undefined}>
          {"low" in parameter ? (
            <input inputMode="decimal" value={form[parameter.name]} onInput={(e) => set(parameter.name, e.currentTarget.value)} />
          ) : (
            <select value={form[parameter.name]} onChange={(e) => set(parameter.name, e.currentTarget.value)}>
              {labelsOf(parameter).map((label) => {
                const text = JSON.stringify(label);
                return <option key={text} value={text}>{String(label).slice(0, 80)}</option>;
              })}
            </select>
          )}
        </Field>
      ))}
    </div>
  );
}
