// What pages are put together from.
import { cloneElement, isValidElement, toChildArray, type ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Refusal } from "../api";
import type { Loaded } from "../live";
import { ago, time } from "../format";

interface CardProps { title?: ComponentChildren; tools?: ComponentChildren; wide?: boolean; id?: string; class?: string; children: ComponentChildren }

export function Card({ title, tools, wide, id, class: more, children }: CardProps) {
  return (
    <section class={`card${wide ? " wide" : ""}${more ? ` ${more}` : ""}`} id={id} aria-label={typeof title === "string" ? title : undefined}>
      {(title || tools) && (
        <header>
          {title && <h2>{title}</h2>}
          {tools && <div class="tools">{tools}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

const SHAPES: Record<string, string> = {
  active: "●", running: "●", completed: "✓", paused: "❚❚", queued: "○", failed: "✕", stopped: "■", abandoned: "–", expired: "⧗",
};

/** A state: by its word, a shape and a colour. */
export function State({ name }: { name: string }) {
  return (
    <span class={`state is-${name}`}>
      <span aria-hidden="true">{SHAPES[name] ?? "•"}</span>
      {name}
    </span>
  );
}

/** A time: how long ago, and exactly on hover. */
export function When({ at, now }: { at: string | null | undefined; now?: number }) {
  if (!at) return <span>–</span>;
  return (
    <time dateTime={at} title={time(at)}>
      {ago(at, now)}
    </time>
  );
}

/** A button that opens some more; closes when something was chosen, by Escape, or elsewhere. */
export function Menu({ label, face, children }: { label: string; face: ComponentChildren; children: ComponentChildren }) {
  const place = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      const menu = place.current;
      if (!menu?.open) return;
      if (event instanceof KeyboardEvent) {
        if (event.key === "Escape") {
          menu.open = false;
          menu.querySelector("summary")?.focus();
        }
      } else if (!menu.contains(event.target as Node)) menu.open = false;
    };
    addEventListener("click", close);
    addEventListener("keydown", close);
    return () => {
      removeEventListener("click", close);
      removeEventListener("keydown", close);
    };
  }, []);
  return (
    <details class="menu" ref={place}>
      <summary class="quiet" aria-label={label}>{face}</summary>
      <div class="menu-items" onClick={() => place.current && (place.current.open = false)}>{children}</div>
    </details>
  );
}

/** What went wrong, and what to do. */
export function Fault({ refusal, retry }: { refusal: Refusal; retry?: () => void }) {
  return (
    <div class="fault" role="alert">
      <strong>{refusal.title}</strong>
      <p><bdi>{refusal.detail}</bdi></p>
      {refusal.errors.length > 1 && (
        <ul>
          {refusal.errors.map((fault) => (
            <li key={fault.pointer + fault.detail}><code>{fault.pointer}</code> <bdi>{fault.detail}</bdi></li>
          ))}
        </ul>
      )}
      {retry && <button type="button" onClick={retry}>Try again</button>}
    </div>
  );
}

/** Nothing here, and what to do; `page` where it is all there is on the page. */
export function Empty({ title, page, children }: { title: string; page?: boolean; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <svg width="88" height="44" viewBox="0 0 88 44" fill="none" aria-hidden="true">
        <path d="M2 38c14 0 17-10 24-22S38 4 44 4s11 4 18 16 12 18 24 18" stroke="currentColor" stroke-width="2" stroke-dasharray="1 5" stroke-linecap="round" />
      </svg>
      {page ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  );
}

/** Grey bars where something will be. */
export function Waiting({ lines = 4, label = "Loading" }: { lines?: number; label?: string }) {
  return (
    <div class="waiting" role="status" aria-label={label}>
      {Array.from({ length: lines }, (_, i) => <span key={i} class={`w${i % 3}`} />)}
    </div>
  );
}

/** What was loaded, or that it loads, or why not. */
export function Show<T>({ of, children, lines }: { of: Loaded<T>; children: (data: T) => ComponentChildren; lines?: number }) {
  if (of.data !== null) return <>{children(of.data)}</>;
  if (of.error) return <Fault refusal={of.error} retry={of.reload} />;
  return <Waiting lines={lines} />;
}

/** A dialog in front of the page; the browser keeps the focus in it. */
export function Dialog({ title, onClose, children, side }: { title: ComponentChildren; onClose: () => void; children: ComponentChildren; side?: boolean }) {
  const place = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = place.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={place}
      class={side ? "side" : ""}
      aria-labelledby="dialog-title"
      onClose={onClose}
      onClick={(event) => event.target === place.current && place.current?.close()}
    >
      <header>
        <h2 id="dialog-title">{title}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick={() => place.current?.close()}>✕</button>
      </header>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}

interface FieldProps { label: ComponentChildren; hint?: ComponentChildren; fault?: string; children: ComponentChildren; class?: string }

/** A labelled input with its hint or fault, which describe it; the input is the first of the children. */
export function Field({ label, hint, fault, children, class: more }: FieldProps) {
  const id = useId();
  const [first, ...others] = toChildArray(children);
  const said = fault ?? hint;
  const input = isValidElement(first) ? cloneElement(first, { id, ...(said ? { "aria-describedby": `${id}-said` } : {}), ...(fault ? { "aria-invalid": "true" } : {}) }) : first;
  return (
    <div class={`field${fault ? " faulty" : ""}${more ? ` ${more}` : ""}`}>
      <label class="label" for={id}>{label}</label>
      {input}
      {others}
      {fault ? <span class="fault-text" id={`${id}-said`} role="alert">{fault}</span> : hint && <span class="hint" id={`${id}-said`}>{hint}</span>}
    </div>
  );
}

/** One of some options as a row of buttons. */
export function Choice({ label, value, options, onChange }: { label: string; value: string; options: [string, string][]; onChange: (value: string) => void }) {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([option, text]) => (
        <button key={option} type="button" aria-pressed={option === value} onClick={() => onChange(option)}>{text}</button>
      ))}
    </div>
  );
}

export function Select({ label, value, options, onChange, unseen }: { label: string; value: string; options: [string, string][]; onChange: (value: string) => void; unseen?: boolean }) {
  return (
    <label class="select">
      <span class={unseen ? "unseen" : "label"}>{label}</span>
      <select value={value} aria-label={label} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([option, text]) => <option key={option} value={option}>{text.length > 60 ? `${text.slice(0, 59)}…` : text}</option>)}
      </select>
    </label>
  );
}

/** Code to copy, in several languages. */
export function Code({ samples, label }: { samples: [string, string][]; label: string }) {
  const [chosen, choose] = useState(0);
  const [copied, setCopied] = useState(false);
  const text = samples[chosen]?.[1] ?? "";
  const copy = () => {
    void navigator.clipboard?.writeText(text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    });
  };
  return (
    <div class="code">
      <div class="code-head">
        {samples.length > 1 ? (
          <Choice label={label} value={String(chosen)} options={samples.map(([name], i) => [String(i), name])} onChange={(i) => choose(Number(i))} />
        ) : (
          <span>{samples[0]?.[0]}</span>
        )}
        <button type="button" class="quiet" onClick={copy}>{copied ? "Copied" : "Copy"}</button>
      </div>
      <pre tabIndex={0} aria-label={label}><code>{text}</code></pre>
    </div>
  );
}

/** Runs something once at a time, and keeps why it was refused. */
export function useAction(): { busy: boolean; refusal: Refusal | null; run: (work: () => Promise<void>) => void; clear: () => void } {
  const [state, set] = useState<{ busy: boolean; refusal: Refusal | null }>({ busy: false, refusal: null });
  const run = (work: () => Promise<void>) => {
    set({ busy: true, refusal: null });
    work().then(
      () => set({ busy: false, refusal: null }),
      (refusal: Refusal) => set({ busy: false, refusal }),
    );
  };
  return { ...state, run, clear: () => set({ busy: false, refusal: null }) };
}
