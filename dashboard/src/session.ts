// Who is signed in. The service says whether it wants to know at all.
import { useEffect, useState } from "preact/hooks";
import { api, Refusal, SIGNED_OUT, type Token } from "./api";

export interface Session {
  /** `open`: the service asks nobody who they are. */
  state: "unknown" | "open" | "in" | "out";
  token: Token | null;
  signIn: (token: string) => Promise<void>;
  signOut: () => void;
}

export function useSession(): Session {
  const [[state, token], set] = useState<[Session["state"], Token | null]>(["unknown", null]);
  useEffect(() => {
    const out = () => set(["out", null]);
    addEventListener(SIGNED_OUT, out);
    api.self().then(
      (own) => set(["in", own]),
      (refusal: Refusal) => refusal.status !== 401 && set(["open", null]),
    );
    return () => removeEventListener(SIGNED_OUT, out);
  }, []);
  const signIn = async (secret: string) => set(["in", await api.signIn(secret)]);
  // A session that ended by itself is over as well.
  const signOut = () => void api.signOut().catch(() => {}).then(() => set(["out", null]));
  return { state, token, signIn, signOut };
}
