// For owners and admins: tokens, projects with their quotas, and who changed what.
import { useState } from "preact/hooks";
import { api, type AuditEntry, type Project, type Quotas, type Token } from "../api";
import { count } from "../format";
import { useLoad, useNow } from "../live";
import { Card, Code, Dialog, Empty, Fault, Field, Select, Show, When, useAction } from "../parts/parts";
import { Link, useField } from "../router";
import type { Session } from "../session";
import { bytes } from "./networks";

const VIEWS: [string, string][] = [["", "Tokens"], ["projects", "Projects"], ["audit", "Audit"]];
const PAGE = 100;

export function AccessPage({ view, session }: { view: string; session: Session }) {
  if (!session.token) {
    return (
      <Empty title="Everybody may do everything here" page>
        <p>This server asks nobody who they are. Started with <code>--auth</code> it has tokens, projects with quotas, and a log of every change.</p>
      </Empty>
    );
  }
  return (
    <>
      <div class="page-head"><h1>Access</h1></div>
      <nav class="views" aria-label="Views of access">
        {VIEWS.map(([name, title]) => (
          <Link key={name} to={name ? `/access/${name}` : "/access"} {...(name === view ? { "aria-current": "page" as const } : {})}>{title}</Link>
        ))}
      </nav>
      {view === "" && <Tokens />}
      {view === "projects" && <Projects />}
      {view === "audit" && <Audit />}
    </>
  );
}

const rolesOf = (roles: Record<string, string>) => Object.entries(roles).map(([project, role]) => `${role} in ${project === "*" ? "every project" : project}`).join(", ");

function Tokens() {
  const list = useLoad(() => api.tokens({ limit: 1000, order: "desc" }), []);
  const now = useNow(30_000);
  const [revoking, setRevoking] = useState<Token | null>(null);
  return (
    <div class="grid networks">
      <NewToken onMade={list.reload} />
      <Card title="Tokens">
        <Show of={list}>
          {({ tokens }) =>
            tokens.length === 0 ? (
              <Empty title="No token that you may see"><p>Tokens of the projects that you own stand here.</p></Empty>
            ) : (
              <div class="scroll tall" tabIndex={0} role="region" aria-label="Table of tokens">
                <table class="pairs left">
                  <thead><tr><th scope="col">Name</th><th scope="col">Begins with</th><th scope="col">May</th><th scope="col">Last used</th><th scope="col">Until</th><th scope="col"><span class="unseen">Revoke</span></th></tr></thead>
                  <tbody>
                    {tokens.map((token) => (
                      <tr key={token.id}>
                        <th scope="row"><bdi>{token.name}</bdi></th>
                        <td>{token.person ? <span class="soft">signs in at {new URL(token.person.issuer).host}</span> : <code>{token.prefix}</code>}</td>
                        <td>{rolesOf(token.roles)}</td>
                        <td class="soft"><When at={token.last_used_at} now={now} /></td>
                        <td class="soft">{token.revoked_at ? "revoked" : token.expires_at ? <When at={token.expires_at} now={now} /> : "for ever"}</td>
                        <td>{!token.revoked_at && <button type="button" class="quiet" onClick={() => setRevoking(token)}>Revoke<span class="unseen"> {token.name}</span></button>}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )
          }
        </Show>
      </Card>
      {revoking && <Revoke token={revoking} onClose={() => setRevoking(null)} onDone={list.reload} />}
    </div>
  );
}

function Revoke({ token, onClose, onDone }: { token: Token; onClose: () => void; onDone: () => void }) {
  const action = useAction();
  const revoke = () =>
    action.run(async () => {
      await api.revokeToken(token.id);
      onDone();
      onClose();
    });
  return (
    <Dialog title="Revoke the token?" onClose={onClose}>
      <p><bdi>{token.name}</bdi> (<code>{token.prefix}</code>) and its sessions will be refused, for ever. What was done with it stays.</p>
      {action.refusal && <Fault refusal={action.refusal} />}
      <button type="button" class="danger" disabled={action.busy} onClick={revoke}>Revoke</button>
    </Dialog>
  );
}

const ROLES: [string, string][] = [["viewer", "viewer: reads"], ["experimenter", "experimenter: asks and tells"], ["owner", "owner: also deletes and makes tokens"], ["admin", "admin: everything, everywhere"]];

function NewToken({ onMade }: { onMade: () => void }) {
  const projects = useLoad(() => api.projects({ limit: 1000 }), []);
  const [name, setName] = useState("");
  const [project, setProject] = useState("default");
  const [role, setRole] = useState("experimenter");
  const [days, setDays] = useState("90");
  const [secret, setSecret] = useState("");
  const action = useAction();
  const make = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      const lasts = Number(days);
      const expires_at = days.trim() === "" ? undefined : new Date(Date.now() + lasts * 86_400_000).toISOString();
      const made = await api.createToken({ name: name.trim(), roles: { [role === "admin" ? "*" : project]: role }, expires_at });
      setSecret(made.secret);
      setName("");
      onMade();
    });
  };
  const named = projects.data?.projects.map((one): [string, string] => [one.name, one.name]) ?? [["default", "default"]];
  return (
    <Card title="New token">
      <form class="stack" onSubmit={make}>
        <Field label="Name" hint="Whose it is, or what for"><input value={name} required maxLength={200} autocomplete="off" onInput={(e) => setName(e.currentTarget.value)} /></Field>
        {role !== "admin" && <Select label="Project" value={project} options={named} onChange={setProject} />}
        <Select label="Role" value={role} options={ROLES} onChange={setRole} />
        <Field label="Days" hint="For ever where empty"><input type="number" min="1" max="3650" value={days} onInput={(e) => setDays(e.currentTarget.value)} /></Field>
        {action.refusal && <Fault refusal={action.refusal} />}
        <button type="submit" class="primary" disabled={!name.trim() || action.busy}>Make a token</button>
      </form>
      {secret && (
        <Dialog title="The token" onClose={() => setSecret("")}>
          <p>It is shown now and never again.</p>
          <Code label="The new token" samples={[["Token", secret]]} />
        </Dialog>
      )}
    </Card>
  );
}

const QUOTAS: [keyof Quotas, string, keyof Project["usage"] | null][] = [
  ["studies", "Studies", "studies"], ["trials", "Trials", "trials"], ["networks", "Networks", "networks"], ["bytes", "Bytes of networks", "bytes"],
  ["asks_a_minute", "Asks a minute", null], ["requests_a_minute", "Requests a minute", null],
];

function Projects() {
  const list = useLoad(() => api.projects({ limit: 1000 }), []);
  const [changing, setChanging] = useState<Project | null>(null);
  return (
    <div class="grid networks">
      <NewProject onMade={list.reload} />
      <Show of={list}>
        {({ projects }) => (
          <div class="stack">
            {projects.map((project) => (
              <Card key={project.name} title={<bdi>{project.name}</bdi>} tools={project.role === "admin" && <button type="button" class="quiet" onClick={() => setChanging(project)}>Quotas…<span class="unseen"> of {project.name}</span></button>}>
                <p class="soft">You are {project.role} in it.</p>
                <table class="pairs">
                  <thead><tr><th scope="col">What</th><th scope="col">Used</th><th scope="col">Quota</th></tr></thead>
                  <tbody>
                    {QUOTAS.map(([quota, title, usage]) => (
                      <tr key={quota}>
                        <th scope="row">{title}</th>
                        <td>{usage ? shown(quota, project.usage[usage]) : "–"}</td>
                        <td>{project.quotas[quota] == null ? "none" : shown(quota, project.quotas[quota])}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Card>
            ))}
          </div>
        )}
      </Show>
      {changing && <QuotaForm project={changing} onClose={() => setChanging(null)} onDone={list.reload} />}
    </div>
  );
}

const shown = (quota: keyof Quotas, value: number) => (quota === "bytes" ? bytes(value) : count(value));

function NewProject({ onMade }: { onMade: () => void }) {
  const [name, setName] = useState("");
  const action = useAction();
  const make = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      await api.createProject({ name: name.trim() });
      setName("");
      onMade();
    });
  };
  return (
    <Card title="New project">
      <form class="stack" onSubmit={make}>
        <Field label="Name" hint="Letters, digits, . _ -"><input value={name} required maxLength={100} autocomplete="off" onInput={(e) => setName(e.currentTarget.value)} /></Field>
        {action.refusal && <Fault refusal={action.refusal} />}
        <button type="submit" class="primary" disabled={!name.trim() || action.busy}>Create</button>
      </form>
    </Card>
  );
}

function QuotaForm({ project, onClose, onDone }: { project: Project; onClose: () => void; onDone: () => void }) {
  const [texts, setTexts] = useState(() => Object.fromEntries(QUOTAS.map(([quota]) => [quota, project.quotas[quota]?.toString() ?? ""])));
  const action = useAction();
  const save = (event: Event) => {
    event.preventDefault();
    action.run(async () => {
      const set = QUOTAS.filter(([quota]) => texts[quota]?.trim()).map(([quota]) => [quota, Number(texts[quota])]);
      await api.changeProject(project.name, Object.fromEntries(set) as Quotas);
      onDone();
      onClose();
    });
  };
  return (
    <Dialog title={<>Quotas of <bdi>{project.name}</bdi></>} onClose={onClose}>
      <form class="stack" onSubmit={save}>
        {QUOTAS.map(([quota, title]) => (
          <Field key={quota} label={title} hint="None where empty">
            <input type="number" min="0" value={texts[quota]} onInput={(e) => setTexts({ ...texts, [quota]: e.currentTarget.value })} />
          </Field>
        ))}
        {action.refusal && <Fault refusal={action.refusal} />}
        <button type="submit" class="primary" disabled={action.busy}>Save</button>
      </form>
    </Dialog>
  );
}

function Audit() {
  const [action, setAction] = useField("action", "");
  const [pages, setPages] = useState(1);
  const now = useNow(30_000);
  const list = useLoad(async () => {
    const entries: AuditEntry[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < pages; page++) {
      const answer = await api.audit({ action: action || undefined, order: "desc", limit: PAGE, cursor });
      entries.push(...answer.entries);
      cursor = answer.next_cursor ?? undefined;
      if (!cursor) break;
    }
    return { entries, more: cursor !== undefined };
  }, [action, pages]);
  return (
    <Card title="Who changed what">
      <div class="filters">
        <label class="select"><span class="label">Action</span>
          <input value={action} placeholder="all, or tell, create_study …" onChange={(e) => setAction(e.currentTarget.value.trim())} />
        </label>
      </div>
      <Show of={list}>
        {({ entries, more }) =>
          entries.length === 0 ? (
            <Empty title="Nothing yet"><p>Every change to your projects stands here: who, what, when, and from where.</p></Empty>
          ) : (
            <>
              <div class="scroll tall" tabIndex={0} role="region" aria-label="Table of changes">
                <table class="pairs left">
                  <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">Where</th><th scope="col">From</th></tr></thead>
                  <tbody>
                    {entries.map((entry) => (
                      <tr key={entry.id}>
                        <td><When at={entry.at} now={now} /></td>
                        <td><bdi>{entry.who}</bdi></td>
                        <td><code>{entry.action}</code></td>
                        <td>{entry.study ? <Link to={`/studies/${entry.study}`}>{entry.number == null ? "study" : `trial ${entry.number}`}</Link> : (entry.project ?? "server")}</td>
                        <td class="soft">{entry.address ?? "–"}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              {more && <button type="button" onClick={() => setPages(pages + 1)}>Older</button>}
            </>
          )
        }
      </Show>
    </Card>
  );
}
