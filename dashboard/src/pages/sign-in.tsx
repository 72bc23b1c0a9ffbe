// Where one says who one is.
import { useState } from "preact/hooks";
import { Card, Fault, Field, useAction } from "../parts/parts";
import type { Session } from "../session";

export function SignInPage({ session }: { session: Session }) {
  const [token, setToken] = useState("");
  const action = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    action.run(() => session.signIn(token.trim()));
  };
  return (
    <div class="sign-in">
      <div class="page-head"><h1>Sign in</h1></div>
      <Card>
        <form class="stack" onSubmit={submit}>
          <Field label="Token" hint={<>An owner of your project makes one under Access; the first one the host: <code>tellus token create NAME</code></>}>
            <input type="password" name="token" value={token} autocomplete="current-password" spellcheck={false} required onInput={(e) => setToken(e.currentTarget.value)} />
          </Field>
          {action.refusal && <Fault refusal={action.refusal} />}
          <button type="submit" class="primary" disabled={!token.trim() || action.busy}>Sign in</button>
          <p class="soft">The session ends after twelve hours, or when you sign out. The page keeps no token.</p>
        </form>
      </Card>
    </div>
  );
}
