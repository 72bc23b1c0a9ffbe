// Where one says who one is: at the lab's issuer, where there is one, or with a token.
import { useState } from "preact/hooks";
import { api } from "../api";
import { useLoad } from "../live";
import { Card, Fault, Field, useAction } from "../parts/parts";
import type { Session } from "../session";

/** Why a sign-in at the issuer came to nothing, by what the service calls it. */
const REFUSALS: Record<string, string> = {
  expired: "It took too long, or began in another window. Sign in again.",
  refused: "The sign-in was refused. Sign in again; if that does not help, ask who hosts this server: its log says why.",
  "no-role": "You are known, and have no role here. Ask who hosts this server for one.",
  unavailable: "The sign-in cannot be reached just now. Try again in a moment, or use a token.",
};

export function SignInPage({ session }: { session: Session }) {
  const options = useLoad(() => api.sessionOptions(), []);
  const issuer = options.data?.issuer;
  const refusal = REFUSALS[new URLSearchParams(location.search).get("sign_in") ?? ""];
  return (
    <div class="sign-in">
      <div class="page-head"><h1>Sign in</h1></div>
      <Card>
        <div class="stack">
          {refusal && <p class="fault" role="alert">{refusal}</p>}
          {issuer && (
            <>
              <a class="button primary" href={`/v1/sign-in?to=${encodeURIComponent(here())}`}>Sign in with {issuer}</a>
              <p class="or soft"><span>or with a token</span></p>
            </>
          )}
          <TokenForm session={session} first={!issuer} />
          <p class="soft">The session ends after twelve hours, or when you sign out. The page keeps no token.</p>
        </div>
      </Card>
    </div>
  );
}

function TokenForm({ session, first }: { session: Session; first: boolean }) {
  const [token, setToken] = useState("");
  const action = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    action.run(() => session.signIn(token.trim()));
  };
  return (
    <form class="stack" onSubmit={submit}>
      <Field label="Token" hint={<>An owner of your project makes one under Access; the first one the host: <code>tellus token create NAME</code></>}>
        <input type="password" name="token" value={token} autocomplete="current-password" spellcheck={false} required onInput={(e) => setToken(e.currentTarget.value)} />
      </Field>
      {action.refusal && <Fault refusal={action.refusal} />}
      <button type="submit" class={first ? "primary" : ""} disabled={!token.trim() || action.busy}>Sign in</button>
    </form>
  );
}

/** Where one is, to come back to; not the reason why one is here. */
function here(): string {
  const query = new URLSearchParams(location.search);
  query.delete("sign_in");
  return `${location.pathname}${query.size ? `?${query}` : ""}`;
}
