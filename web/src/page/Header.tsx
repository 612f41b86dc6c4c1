// The bar on top: whose page this is, which model answers, and what concerns the whole conversation.
import type { JSX } from "preact";
import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { saveConversation, saveDrawing, saveSample, teachable } from "../exporting.ts";
import { model, notify, online, pictures, regions, startOver, turns } from "../state.ts";
import { stop } from "../talk.ts";
import { help } from "../stage/keys.ts";
import { pick } from "./Beginning.tsx";
import { Icon, Mark } from "./icons.tsx";

const theme = signal<"light" | "dark">(
  (localStorage.getItem("loupe-theme") as "light" | "dark" | null)
  ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
if (localStorage.getItem("loupe-theme")) document.documentElement.dataset.theme = theme.value;

function turnTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme.value;
  localStorage.setItem("loupe-theme", theme.value);
}

export function Header(): JSX.Element {
  const has = pictures.value.length > 0;
  return (
    <header class="top">
      <span class="brand"><Mark />loupe</span>
      <span class={`model${online.value === false ? " off" : ""}`} title={online.value === false ? "The server does not answer" : "The model that answers"}>
        <i aria-hidden="true" />{online.value === false ? "no answer from the server" : model.value?.id ?? "…"}
      </span>
      <span class="spacer" />
      {has && <button type="button" class="bar" onClick={anew} aria-label="New conversation" title="New conversation"><Icon name="fresh" size={18} /><span>New</span></button>}
      {has && <button type="button" class="bar" onClick={pick} aria-label="Open a picture" title="Open a picture"><Icon name="picture" size={18} /><span>Picture</span></button>}
      {has && <Export />}
      <button type="button" class="bar" onClick={() => (help.value = true)} aria-label="Keys" title="Keys (?)" aria-keyshortcuts="?"><Icon name="keys" size={18} /></button>
      <button type="button" class="bar" onClick={turnTheme} aria-label={theme.value === "dark" ? "Light colours" : "Dark colours"} title="Light or dark">
        <Icon name={theme.value === "dark" ? "sun" : "moon"} size={18} />
      </button>
    </header>
  );
}

const sure = signal(false);

/** Work is not thrown away by one slip: the second press within a few seconds does it. */
function anew(): void {
  if (sure.value || (!turns.value.length && !regions.value.length)) {
    sure.value = false;
    stop();
    startOver();
    return;
  }
  sure.value = true;
  setTimeout(() => (sure.value = false), 8000);
  notify("The conversation and its drawings will be gone.", { label: "Start anew", run: anew });
}

interface Choice { label: string; what: string; act(): Promise<void>; off?: boolean }

function Export(): JSX.Element {
  const open = useSignal(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open.value) return;
    box.current?.querySelector<HTMLButtonElement>("[role=menuitem]:not(:disabled)")?.focus();
    const away = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) open.value = false;
    };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [open.value]);
  const choices: Choice[] = [
    { label: "Picture with drawings", what: "PNG", act: saveDrawing },
    { label: "Conversation", what: "JSON", act: saveConversation },
    { label: "Loupe sample", what: "JSON, to train on", act: saveSample, off: !teachable() },
  ];
  const keys = (event: KeyboardEvent) => {
    const items = [...box.current!.querySelectorAll<HTMLButtonElement>("[role=menuitem]:not(:disabled)")];
    const at = items.indexOf(document.activeElement as HTMLButtonElement);
    if (event.key === "Escape") {
      open.value = false;
      box.current!.querySelector<HTMLButtonElement>(".bar")!.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      items[(at + (event.key === "ArrowDown" ? 1 : items.length - 1)) % items.length]?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="export" ref={box} onKeyDown={keys}>
      <button type="button" class="bar" aria-label="Export" title="Export" aria-haspopup="menu" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
        <Icon name="export" size={18} /><span>Export</span>
      </button>
      {open.value && (
        <div class="menu" role="menu" aria-label="Export">
          {choices.map((choice) => (
            <button type="button" role="menuitem" key={choice.label} disabled={choice.off} onClick={() => {
              open.value = false;
              choice.act().catch((error: Error) => notify(error.message));
            }}>{choice.label}<small>{choice.what}</small></button>
          ))}
        </div>
      )}
    </div>
  );
}

