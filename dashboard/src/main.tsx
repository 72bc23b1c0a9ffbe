// The frame around every page: where to go, light or dark, and what is shown at an address.
import "./style/base.css";
import "./style/parts.css";
import "./style/pages.css";
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { AccessPage } from "./pages/access";
import { ComparePage } from "./pages/compare";
import { CreatePage } from "./pages/create";
import { NetworkPage, NetworksPage } from "./pages/networks";
import { SignInPage } from "./pages/sign-in";
import { StudiesPage } from "./pages/studies";
import { StudyPage } from "./pages/study";
import { Empty, Waiting } from "./parts/parts";
import { Link, useAddress } from "./router";
import { useSession, type Session } from "./session";
import { setTheme, useTheme, type Theme } from "./theme";

const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };

function Head({ path, session }: { path: string; session: Session }) {
  const theme = useTheme();
  const here = (on: boolean) => (on ? { "aria-current": "page" as const } : {});
  return (
    <header class="head">
      <a class="skip" href="#main">Skip to the page</a>
      <Link to="/" class="brand"><img src="/assets/icon.svg" width="26" height="26" alt="" />Tellus</Link>
      <nav aria-label="Main">
        <Link to="/" {...here(path === "/" || path.startsWith("/studies") || path === "/new")}>Studies</Link>
        <Link to="/networks" {...here(path.startsWith("/networks"))}>Networks</Link>
        <Link to="/compare" {...here(path === "/compare")}>Compare</Link>
        {session.token && <Link to="/access" {...here(path.startsWith("/access"))}>Access</Link>}
        <a href="/docs/">API</a>
      </nav>
      {session.token && (
        <button type="button" class="quiet who" onClick={session.signOut} aria-label={`Signed in as ${session.token.name}. Sign out`}>
          <bdi>{session.token.name}</bdi> · Sign out
        </button>
      )}
      <button type="button" class="quiet theme" onClick={() => setTheme(NEXT[theme])} aria-label={`Colours: ${theme}. Change to ${NEXT[theme]}`}>
        <svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">
          <circle cx="9" cy="9" r="6.5" fill="none" stroke="currentColor" stroke-width="1.5" />
          {theme !== "light" && <path d={theme === "dark" ? "M9 2.500a6.500 6.500 0 0 0 0 13 6.500 6.500 0 0 0 0-13" : "M9 2.500a6.500 6.500 0 0 1 0 13z"} fill="currentColor" />}
        </svg>
        <span>{theme}</span>
      </button>
    </header>
  );
}

function Page({ path, session }: { path: string; session: Session }) {
  const [, room, id, view] = path.split("/");
  if (session.state === "unknown") return <Waiting />;
  if (session.state === "out") return <SignInPage session={session} />;
  if (path === "/") return <StudiesPage />;
  if (room === "access") return <AccessPage view={id ?? ""} session={session} />;
  if (path === "/new") return <CreatePage />;
  if (path === "/compare") return <ComparePage />;
  if (path === "/networks") return <NetworksPage />;
  if (room === "networks" && id && !view) return <NetworkPage key={id} id={id} />;
  if (room === "studies" && id) return <StudyPage key={id} id={id} view={view ?? ""} />;
  return (
    <Empty title="There is no such page" page>
      <p>The address may be mistyped, or what it led to was deleted.</p>
      <Link to="/" class="button">All studies</Link>
    </Empty>
  );
}

function App() {
  const { path } = useAddress();
  const session = useSession();
  useEffect(() => {
    document.title = "Tellus";
  }, [path]);
  return (
    <>
      <Head path={path} session={session} />
      <main id="main" tabIndex={-1}><Page path={path} session={session} /></main>
    </>
  );
}

const root = document.getElementById("app");
if (root) render(<App />, root);
