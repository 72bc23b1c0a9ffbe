// Studies side by side: their best so far over trials, and what each found.
import { useMemo, useState } from "preact/hooks";
import { api, type HistoryAnswer, type Study } from "../api";
import { count, number } from "../format";
import { useLoad } from "../live";
import { Card, Empty, Fault, State, Waiting } from "../parts/parts";
import { extent, type Mark } from "../plot/chart";
import { isWide } from "../plot/history";
import { Plot } from "../plot/plot";
import { Link, useField } from "../router";
import { usePalette } from "../theme";
import { objectivesOf } from "./plots";
import { totalOf } from "./studies";

const MOST = 6;

export function ComparePage() {
  const [text, setText] = useField("studies", "");
  const ids = useMemo(() => text.split(",").filter((id) => /^[0-9a-f-]{36}$/.test(id)).slice(0, MOST), [text]);
  const loaded = useLoad(async () => {
    const found = await Promise.all(ids.map(async (id) => {
      const [study, history] = await Promise.all([api.study(id), api.history(id, { limit: 500 })]);
      return { study, history };
    }));
    return found;
  }, [text]);
  const set = (next: string[]) => setText(next.join(","));
  return (
    <>
      <div class="page-head"><h1>Compare studies</h1></div>
      <div class="grid compare">
        <Chooser chosen={ids} set={set} />
        {ids.length === 0 ? (
          <Empty title="Choose studies to compare"><p>Up to {MOST} of them, best with the same objective. The address then leads to the comparison.</p></Empty>
        ) : loaded.error ? <Fault refusal={loaded.error} retry={loaded.reload} /> : !loaded.data ? <Waiting lines={8} /> : <Comparison found={loaded.data} />}
      </div>
    </>
  );
}

function Chooser({ chosen, set }: { chosen: string[]; set: (ids: string[]) => void }) {
  const [search, setSearch] = useState("");
  const list = useLoad(() => api.studies({ search: search || undefined, order: "desc", limit: 40 }), [search]);
  return (
    <Card title="Studies">
      <input type="search" placeholder="Search names" aria-label="Search names" value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
      {list.error && <Fault refusal={list.error} />}
      <ul class="picks">
        {list.data?.studies.map((study) => (
          <li key={study.id}>
            <label>
              <input
                type="checkbox" checked={chosen.includes(study.id)} disabled={!chosen.includes(study.id) && chosen.length >= MOST}
                onChange={(e) => set(e.currentTarget.checked ? [...chosen, study.id] : chosen.filter((id) => id !== study.id))}
              />
              <bdi>{study.name}</bdi><span class="soft">{count(totalOf(study))}</span>
            </label>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Comparison({ found }: { found: { study: Study; history: HistoryAnswer }[] }) {
  const palette = usePalette();
  const curves = found.map(({ study, history }) => ({ study, history, curve: history.best.numbers.length ? history.best : history.hypervolume }));
  const plot = useMemo(() => {
    const values = curves.flatMap(({ curve }) => curve.values);
    const log = isWide(values);
    const last = Math.max(...curves.map(({ history }) => history.trials - 1), 1);
    const labels = [...new Set(curves.map(({ study }) => (objectivesOf(study).length > 1 ? "hypervolume" : objectivesOf(study)[0]!.name)))];
    const marks: Mark[] = curves.flatMap(({ study, history, curve }, i): Mark[] => {
      const color = palette.series[i % palette.series.length]!;
      const end = Math.max(history.trials - 1, 0);
      return [
        { type: "line", xs: [...curve.numbers, end], ys: [...curve.values, curve.values.at(-1) ?? NaN], color, width: 2.5, steps: true },
        { type: "dots", xs: curve.numbers, ys: curve.values, color, radius: 2.6, hit: (k) => ({ text: [study.name, `trial ${curve.numbers[k]}`, number(curve.values[k])] }) },
      ];
    });
    return {
      chart: {
        x: { label: "trial", kind: "linear" as const, domain: [-last * 0.01, last * 1.01] as [number, number] },
        y: { label: `best ${labels.join(", ")}`, kind: log ? ("log" as const) : ("linear" as const), domain: extent(values, 0.06, log) },
        marks,
        legend: curves.map(({ study }, i) => ({ color: palette.series[i % palette.series.length]!, label: study.name.slice(0, 60), shape: "line" as const })),
      },
      rows: () => [["study", "trial", "best"], ...curves.flatMap(({ study, curve }) => curve.numbers.map((n, k) => [study.name, n, curve.values[k]!]))],
      summary: curves.map(({ study, curve }) => `${study.name}: ${number(curve.values.at(-1))}`).join("; "),
      empty: values.length ? null : "None of these has a result yet.",
    };
  }, [found, palette]);
  return (
    <div class="stack">
      <Plot id="compare" title="Best so far" study="comparison" height={360} {...plot} />
      <Card title="Side by side">
        <div class="scroll" tabIndex={0} role="region" aria-label="Studies side by side">
          <table class="pairs">
            <thead><tr><th scope="col">Study</th><th scope="col">State</th><th scope="col">Objectives</th><th scope="col">Trials</th><th scope="col">Failed</th><th scope="col">Best</th><th scope="col">Chosen by</th></tr></thead>
            <tbody>
              {curves.map(({ study, curve }) => (
                <tr key={study.id}>
                  <th scope="row"><Link to={`/studies/${study.id}`}><bdi>{study.name}</bdi></Link></th>
                  <td><State name={study.state} /></td>
                  <td><bdi>{objectivesOf(study).map((each) => `${each.goal} ${each.name}`).join(", ")}</bdi></td>
                  <td>{count(totalOf(study))}</td>
                  <td>{count(study.trial_counts["failed"] ?? 0)}</td>
                  <td>{number(curve.values.at(-1))}</td>
                  <td>{(study.algorithm.acquisition ?? "auto").replaceAll("_", " ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Card>
    </div>
  );
}
