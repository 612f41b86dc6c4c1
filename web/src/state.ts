// What the page knows, as signals; and the changes a person can take back.
import { batch, computed, signal } from "@preact/signals";
import type { Region, Shape, Size } from "./shapes.ts";
import { sameShape, spoken } from "./shapes.ts";

export interface Picture extends Size {
  name: string;
  blob: Blob; // what is shown: the file as given, or the server's upright copy where the browser cannot read it
  url: string; // of what is shown
  bitmap: HTMLImageElement; // upright
  id: Promise<string>; // the server's name for it
}

export interface Problem { kind: string; message: string }
export type Part = string | Region;

export interface Turn {
  id: string;
  role: "user" | "assistant";
  parts: Part[]; // what was said; regions as they were at that moment
  pictures: number[]; // of the conversation, new with this turn
  status: "done" | "streaming" | "stopped" | "failed";
  content?: string; // of an answer: its plain text, with [1] where a region stands
  wire?: object[]; // of an answer: its regions as they came
  found?: Region[]; // the same, with the numbers of this page
  problems?: Problem[];
  absent?: string; // what is not there
  guess?: () => void; // show the likeliest place all the same
  failure?: string;
  edited?: boolean;
}

export type Tool = "move" | "point" | "box" | "polygon" | "brush";
export type Mode = "ask" | "find" | "outline";

export const pictures = signal<Picture[]>([]);
export const shown = signal(0); // index of the picture on the stage
export const picture = computed<Picture | undefined>(() => pictures.value[shown.value]);
export const regions = signal<Region[]>([]);
export const selected = signal<string | null>(null);
export const lit = signal<Region[]>([]); // pointed at, from a chip or on the picture
export const turns = signal<Turn[]>([]);
export const tool = signal<Tool>("box");
export const erasing = signal(false);
export const brush = signal(18); // radius in pixels of the screen
export const mode = signal<Mode>("ask");
export const busy = computed(() => turns.value.some((turn) => turn.status === "streaming"));
export const news = signal(""); // said to screen readers
export const toast = signal<{ text: string; act?: { label: string; run: () => void } } | null>(null);
export const model = signal<{ id: string; capabilities: string[] | null } | null>(null);
export const online = signal<boolean | null>(null);

export const selectedRegion = computed(() => regions.value.find((r) => r.id === selected.value));
export const here = computed(() => regions.value.filter((r) => r.image === shown.value));

/** A model whose server lists no capabilities is taken to have them all; it says no by itself. */
export function can(capability: string): boolean {
  const known = model.value?.capabilities;
  return !known || known.includes(capability);
}

let last = 0;
export const fresh = (kind: string) => `${kind}-${++last}`;

export function nextNumber(): number {
  const said = turns.value.flatMap((turn) => turn.parts.filter((p): p is Region => typeof p !== "string"));
  return Math.max(0, ...regions.value.map((r) => r.number), ...said.map((r) => r.number)) + 1;
}

export const regionAt = (id: string) => regions.value.find((r) => r.id === id);

// --- changes that can be taken back: each is what one region was and what it became ---

interface Change { id: string; before?: Region; after?: Region }
const past = signal<Change[]>([]);
const future = signal<Change[]>([]);
export const undoable = computed(() => past.value.length > 0);
export const redoable = computed(() => future.value.length > 0);

function put(id: string, region?: Region): void {
  const rest = regions.value.filter((r) => r.id !== id);
  regions.value = region ? [...rest, region].sort((a, b) => a.number - b.number) : rest;
  if (!region && selected.value === id) selected.value = null;
}

function commit(change: Change): void {
  batch(() => {
    put(change.id, change.after);
    past.value = [...past.value, change];
    future.value = [];
  });
}

export function add(shape: Shape): Region {
  const region: Region = { id: fresh("region"), number: nextNumber(), image: shown.value, shape, by: "person" };
  batch(() => {
    commit({ id: region.id, after: region });
    selected.value = region.id;
    news.value = `Added ${spoken(region)}.`;
  });
  return region;
}

export function reshape(id: string, shape: Shape, before?: Shape): void {
  const region = regionAt(id);
  if (!region) return;
  const old = before ? { ...region, shape: before } : region;
  if (!sameShape(old.shape, shape)) commit({ id, before: old, after: { ...region, shape } });
}

/** While a hand still drags: shown, not yet something to take back. */
export function preview(id: string, shape: Shape): void {
  regions.value = regions.value.map((r) => (r.id === id ? { ...r, shape } : r));
}

export function remove(id: string): void {
  const region = regionAt(id);
  if (!region) return;
  commit({ id, before: region });
  news.value = `Deleted ${spoken(region)}.`;
}

export function undo(): void {
  const change = past.value.at(-1);
  if (!change) return;
  batch(() => {
    past.value = past.value.slice(0, -1);
    future.value = [...future.value, change];
    put(change.id, change.before);
    if (change.before) [shown.value, selected.value] = [change.before.image, change.id];
    news.value = "Taken back.";
  });
}

export function redo(): void {
  const change = future.value.at(-1);
  if (!change) return;
  batch(() => {
    future.value = future.value.slice(0, -1);
    past.value = [...past.value, change];
    put(change.id, change.after);
    if (change.after) [shown.value, selected.value] = [change.after.image, change.id];
    news.value = "Done again.";
  });
}

/** Regions of an answer: on the picture at once, not something a person takes back. */
export function found(region: Region): void {
  regions.value = [...regions.value, region].sort((a, b) => a.number - b.number);
}

export function startOver(): void {
  batch(() => {
    pictures.value.forEach((p) => URL.revokeObjectURL(p.url));
    [pictures.value, regions.value, turns.value, past.value, future.value, lit.value] = [[], [], [], [], [], []];
    [shown.value, selected.value] = [0, null];
  });
}

export function show(index: number): void {
  if (index === shown.value || !pictures.value[index]) return;
  batch(() => {
    shown.value = index;
    selected.value = null;
  });
}

export function notify(text: string, act?: { label: string; run: () => void }): void {
  const note = { text, act };
  batch(() => {
    toast.value = note;
    news.value = text;
  });
  setTimeout(() => {
    if (toast.value === note) toast.value = null;
  }, act ? 9000 : 6000);
}
