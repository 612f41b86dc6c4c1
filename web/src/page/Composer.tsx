// Where a question is written: words, chips of regions, and what to do with them.
import type { JSX } from "preact";
import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Region } from "../shapes.ts";
import type { Mode, Part } from "../state.ts";
import { busy, can, mode, model, notify, picture, regions, selected, turns } from "../state.ts";
import { ask, current, find, outline, stop } from "../talk.ts";
import { drafted } from "../stage/focus.ts";
import { Icon } from "./icons.tsx";
import type { IconName } from "./icons.tsx";
import { Words } from "./Words.tsx";
import type { Pen } from "./Words.tsx";

const MODES: { mode: Mode; label: string; icon: IconName; hint: string; needs?: string }[] = [
  { mode: "ask", label: "Ask", icon: "ask", hint: "Ask about the picture…" },
  { mode: "find", label: "Find", icon: "find", hint: "What shall be found? “the red circle”", needs: "locate" },
  { mode: "outline", label: "Outline", icon: "outline", hint: "What shall be outlined? “the red circle”", needs: "segment" },
];
const FIRST = ["What does the picture show?", "Describe the picture in a sentence and box each thing you name."];

let pen: Pen | null = null;

/** Put a region into the question that is being written. */
export function mention(region: Region): void {
  pen?.insert(region);
  pen?.focus();
}

export const write = () => pen?.focus();

/** A question asked by a button: chips that only waited for it go. */
export function clearChips(): void {
  if (pen?.read().every((p) => typeof p !== "string")) pen.write([]);
}

function hasWords(parts: Part[]): boolean {
  return parts.some((p) => typeof p === "string" && p.trim());
}

function send(): void {
  const parts = current(pen?.read() ?? []);
  if (busy.value || !picture.value) return;
  if (!hasWords(parts)) {
    if (parts.length) notify("Write a question beside the regions, or use the buttons beside a region.");
    return;
  }
  pen!.write([]);
  selected.value = null; // the answer needs the room
  const phrase = parts.map((p) => (typeof p === "string" ? p : "")).join("").trim();
  const plain = parts.every((p) => typeof p === "string");
  if (mode.value === "find" && plain) void find(phrase);
  else if (mode.value === "outline" && plain) void outline(phrase);
  else if (mode.value === "find") void ask(["Where is ", ...parts, "?"]);
  else void ask(parts);
}

export function Composer(): JSX.Element {
  const ref = useRef<Pen>(null);
  const seen = useRef(new Map<string, Region>());

  // Regions drawn go into the question; regions deleted leave it.
  useSignalEffect(() => {
    const now = regions.value;
    pen = ref.current;
    const told = new Set(turns.peek().flatMap((t) => t.parts.flatMap((p) => (typeof p === "string" ? [] : [p.id]))));
    for (const region of now) {
      if (region.by === "person" && !seen.current.has(region.id) && !told.has(region.id)) pen?.insert(region);
    }
    const gone = [...seen.current.keys()].filter((id) => !now.some((r) => r.id === id));
    if (gone.length && pen) {
      const parts = pen.read();
      const left = parts.filter((p) => typeof p === "string" || !gone.includes(p.id));
      if (left.length < parts.length || parts.length === 0) pen.write(left.every((p) => p === " ") ? [] : left);
    }
    seen.current = new Map(now.map((r) => [r.id, r]));
  });

  const noted = () => {
    const ids = ref.current?.read().flatMap((p) => (typeof p === "string" ? [] : [p.id])) ?? [];
    if (ids.join() !== drafted.peek().join()) drafted.value = ids;
  };
  const offered = MODES.filter((m) => !m.needs || !model.value || can(m.needs));
  const chosen = offered.find((m) => m.mode === mode.value) ?? offered[0];
  return (
    <form class="composer" aria-label="Question" onSubmit={(event) => {
      event.preventDefault();
      send();
    }}>
      {!turns.value.length && picture.value && <Suggestions />}
      <div class="writing" onClick={(event) => event.target === event.currentTarget && ref.current?.focus()}>
        <Words pen={ref} label="Your question" hint={chosen.hint} onSend={send} onInput={noted} />
        <div class="composer-row">
          {offered.length > 1 && (
            <div class="modes" role="radiogroup" aria-label="What to do with the words">
              {offered.map((m) => (
                <label key={m.mode} class={m.mode === chosen.mode ? "on" : ""}>
                  <input type="radio" name="mode" value={m.mode} checked={m.mode === chosen.mode}
                    onChange={() => (mode.value = m.mode)} />
                  <Icon name={m.icon} size={16} />{m.label}
                </label>
              ))}
            </div>
          )}
          <span class="spacer" />
          {busy.value
            ? <button type="button" class="send" onClick={stop} aria-label="Stop the answer" title="Stop the answer"><Icon name="stop" /></button>
            : <button type="submit" class="send" disabled={!picture.value} aria-label="Send" title="Send (Enter)"><Icon name="send" /></button>}
        </div>
      </div>
    </form>
  );
}

function Suggestions(): JSX.Element {
  return (
    <div class="suggestions">
      {FIRST.map((text) => <button type="button" key={text} onClick={() => void ask([text])}>{text}</button>)}
    </div>
  );
}
