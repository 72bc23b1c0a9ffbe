// Networks that objectives run through: upload, inspect, delete, and begin a study through one.
import { useEffect, useState } from "preact/hooks";
import { api, type Network } from "../api";
import { count, number } from "../format";
import { useLoad, useNow } from "../live";
import { Card, Dialog, Empty, Fault, Field, Show, When, useAction } from "../parts/parts";
import { Link, go } from "../router";
import { ThroughForm } from "./through";

export function bytes(size: number): string {
  return size < 1000 ? `${size} B` : size < 1e6 ? `${number(size / 1e3, 3)} kB` : `${number(size / 1e6, 3)} MB`;
}

const shape = (ports: Network["inputs"]) => ports.map((port) => `${port.name} [${port.shape.join(" × ")}]`).join(", ");
export const lengthOf = (ports: Network["inputs"]): number => ports.reduce((sum, port) => sum + port.shape.reduce((product, n) => product * n, 1), 0);

export function NetworksPage() {
  const list = useLoad(() => api.networks({ limit: 1000, order: "desc" }), []);
  const now = useNow(10_000);
  return (
    <>
      <div class="page-head"><h1>Networks</h1></div>
      <div class="grid networks">
        <UploadCard />
        <Card title="Uploaded">
          <Show of={list}>
            {({ networks }) =>
              networks.length === 0 ? (
                <Empty title="No network yet">
                  <p>An objective that is a trained network, or partly one, is searched along its gradient. Export it as ONNX and upload it here.</p>
                </Empty>
              ) : (
                <div class="scroll tall" tabIndex={0} role="region" aria-label="Table of networks">
                  <table class="pairs left">
                    <thead><tr><th scope="col">Name</th><th scope="col">Inputs</th><th scope="col">Outputs</th><th scope="col">Gradient</th><th scope="col">Weights</th><th scope="col">Uploaded</th></tr></thead>
                    <tbody>
                      {networks.map((network) => (
                        <tr key={network.id}>
                          <th scope="row"><Link to={`/networks/${network.id}`}><bdi>{network.name}</bdi></Link></th>
                          <td><bdi>{shape(network.inputs)}</bdi></td>
                          <td><bdi>{shape(network.outputs)}</bdi></td>
                          <td>{network.gradient ? "exact" : "estimated"}</td>
                          <td>{count(network.weights)}</td>
                          <td class="soft"><When at={network.created_at} now={now} /></td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              )
            }
          </Show>
        </Card>
      </div>
    </>
  );
}

function UploadCard() {
  const [file, setFile] = useState<File | null>(null);
  const [name, setName] = useState("");
  const action = useAction();
  const upload = (event: Event) => {
    event.preventDefault();
    if (!file) return;
    action.run(async () => {
      const network = await api.uploadNetwork(name.trim() || file.name.replace(/\.onnx$/i, ""), file);
      go(`/networks/${network.id}`);
    });
  };
  return (
    <Card title="Upload">
      <form class="stack" onSubmit={upload}>
        <Field label="ONNX file" hint="At most 64 MiB, with everything in one file">
          <input type="file" accept=".onnx,application/octet-stream" onChange={(e) => setFile(e.currentTarget.files?.[0] ?? null)} />
        </Field>
        <Field label="Name" hint="The file's name where empty"><input value={name} autocomplete="off" onInput={(e) => setName(e.currentTarget.value)} /></Field>
        {action.refusal && <Fault refusal={action.refusal} />}
        <button type="submit" class="primary" disabled={!file || action.busy}>{action.busy ? "It is read and tried…" : "Upload"}</button>
      </form>
    </Card>
  );
}

export function NetworkPage({ id }: { id: string }) {
  const loaded = useLoad(() => api.network(id), [id]);
  const network = loaded.data;
  useEffect(() => {
    if (network) document.title = `${network.name.slice(0, 80)} – Tellus`;
  }, [network?.name]);
  if (loaded.error?.status === 404) {
    return (
      <Empty title="There is no such network" page>
        <p>It was deleted, or its address is mistyped.</p>
        <Link to="/networks" class="button">All networks</Link>
      </Empty>
    );
  }
  return <Show of={loaded}>{(data) => <Inspected network={data} />}</Show>;
}

function Inspected({ network }: { network: Network }) {
  const [deleting, setDeleting] = useState(false);
  const facts: [string, string][] = [
    ["Id", network.id],
    ["File", bytes(network.bytes)],
    ["Weights", count(network.weights)],
    ["Work", `about ${number(network.work, 3)} multiplications and additions an evaluation`],
    ["Input gradient", network.gradient ? "exact" : `estimated: nothing passes through ${network.flat_operators.join(", ") || "it"}`],
  ];
  return (
    <>
      <p class="crumb"><Link to="/networks">Networks</Link></p>
      <div class="page-head">
        <h1><bdi>{network.name}</bdi></h1>
        <button type="button" class="danger" onClick={() => setDeleting(true)}>Delete…</button>
      </div>
      <div class="grid setup">
        <div class="stack">
          <Card title="What it is">
            <table class="pairs left"><tbody>{facts.map(([name, fact]) => <tr key={name}><th scope="row">{name}</th><td>{name === "Id" ? <code>{fact}</code> : fact}</td></tr>)}</tbody></table>
          </Card>
          <Ports title="Inputs" ports={network.inputs} />
          <Ports title="Outputs" ports={network.outputs} />
        </div>
        <ThroughForm network={network} />
      </div>
      {deleting && <DeleteDialog network={network} onClose={() => setDeleting(false)} />}
    </>
  );
}

function Ports({ title, ports }: { title: string; ports: Network["inputs"] }) {
  return (
    <Card title={title}>
      <table class="pairs left">
        <thead><tr><th scope="col">Name</th><th scope="col">Shape</th></tr></thead>
        <tbody>{ports.map((port) => <tr key={port.name}><th scope="row"><bdi>{port.name}</bdi></th><td>{port.shape.join(" × ") || "one number"}</td></tr>)}</tbody>
      </table>
    </Card>
  );
}

function DeleteDialog({ network, onClose }: { network: Network; onClose: () => void }) {
  const action = useAction();
  const remove = () => action.run(async () => {
    await api.deleteNetwork(network.id);
    go("/networks");
  });
  return (
    <Dialog title="Delete this network?" onClose={onClose}>
      <div class="stack">
        <p><bdi>{network.name}</bdi> goes for good. One that a study refers to stays.</p>
        {action.refusal && <Fault refusal={action.refusal} />}
        <button type="button" class="danger" disabled={action.busy} onClick={remove}>Delete</button>
      </div>
    </Dialog>
  );
}
