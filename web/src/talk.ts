// Questions to the model and what comes back: the turns of the conversation.
import { batch } from "@preact/signals";
import { upload as send, about, chat, ServerError, wire } from "./server.ts";
import type { Said, WireRegion } from "./server.ts";
import type { Corners, Region, Shape } from "./shapes.ts";
import { overlap, sameShape } from "./shapes.ts";
import { boundsOfShape, unpacked } from "./runs.ts";
import type { Part, Turn } from "./state.ts";
import { busy, found, fresh, lit, model, news, nextNumber, pictures, regionAt, regions, shown, turns } from "./state.ts";

let running: AbortController | null = null;
const repeats = new Map<string, () => Promise<void>>(); // by answer: its question once more

export const stop = () => running?.abort();

/** The words of a turn, regions as their numbers. */
export function plainly(parts: Part[]): string {
  return parts.map((p) => (typeof p === "string" ? p : `[${p.number}]`)).join("");
}

/** Content with [1], [2] and the regions they stand for -> parts; a region that no mark names stands at the end. */
export function partsOf(content: string, known: (Region | undefined)[]): Part[] {
  const parts: Part[] = [];
  const used = new Set<number>();
  let at = 0;
  for (const match of content.matchAll(/\[(\d+)\]/g)) {
    const region = known[Number(match[1]) - 1];
    if (!region) continue;
    if (match.index > at) parts.push(content.slice(at, match.index));
    parts.push(region);
    used.add(Number(match[1]) - 1);
    at = match.index + match[0].length;
  }
  if (at < content.length) parts.push(content.slice(at));
  known.forEach((region, k) => {
    if (region && !used.has(k)) parts.push(parts.length ? " " : "", region);
  });
  return parts.filter((p) => p !== "");
}

function change(id: string, what: Partial<Turn> | ((turn: Turn) => Partial<Turn>)): void {
  turns.value = turns.value.map((turn) =>
    turn.id === id ? { ...turn, ...(typeof what === "function" ? what(turn) : what) } : turn);
}

function shapeOf(region: WireRegion): Shape {
  switch (region.type) {
    case "point": return { type: "point", point: region.point };
    case "box": return { type: "box", box: region.box };
    case "polygon": return { type: "polygon", polygon: region.polygon };
    default: return { type: "mask", mask: region.mask };
  }
}

/** A region of an answer gets its number and colour; one that is there already keeps its own. */
function take(from: WireRegion): Region {
  const shape = shapeOf(from);
  const image = from.image ?? 0;
  const old = regions.value.find((r) => r.by === "model" && r.image === image && sameShape(r.shape, shape));
  if (old) return old;
  const region: Region = {
    id: fresh("found"), number: nextNumber(), image, shape, by: "model", score: from.score, phrase: from.phrase,
  };
  found(region);
  return region;
}

function open(said: Part[]): string {
  const told = new Set(turns.value.flatMap((turn) => turn.pictures));
  const told_now = pictures.value.map((_, k) => k).filter((k) => !told.has(k));
  const answer = fresh("turn");
  turns.value = [
    ...turns.value,
    { id: fresh("turn"), role: "user", parts: said, pictures: told_now, status: "done" },
    { id: answer, role: "assistant", parts: [], pictures: [], status: "streaming", content: "", wire: [], found: [], problems: [] },
  ];
  return answer;
}

/** One question at a time; trouble is shown in the turn it belongs to. */
async function run(said: Part[], work: (id: string, signal: AbortSignal) => Promise<void>): Promise<void> {
  if (busy.value || !pictures.value.length) return;
  const id = open(said);
  repeats.set(id, () => run(said, work));
  running = new AbortController();
  try {
    await patiently(() => work(id, running!.signal), running.signal);
    change(id, { status: "done" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") change(id, { status: "stopped" });
    else change(id, { status: "failed", failure: error instanceof Error ? error.message : String(error) });
  }
  running = null;
  const turn = turns.value.find((t) => t.id === id);
  if (turn) news.value = told(turn);
}

function told(turn: Turn): string {
  if (turn.failure) return `No answer: ${turn.failure}`;
  if (turn.absent) return `${turn.absent}: not in this picture.`;
  return `Answer: ${plainly(turn.parts) || "nothing"}`;
}

/** A full server is asked again when it says so; a picture it has forgotten is sent again. */
async function patiently(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const known = error instanceof ServerError && tries < 3;
      if (known && error.status === 429) await rest(Math.min(10, error.retryAfter || 1), signal);
      else if (known && error.status === 404 && tries === 0) resend();
      else throw error;
    }
  }
}

const rest = (seconds: number, signal: AbortSignal) => new Promise<void>((go, stopped) => {
  const timer = setTimeout(go, seconds * 1000);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    stopped(new DOMException("stopped", "AbortError"));
  }, { once: true });
});

function resend(): void {
  pictures.value.forEach((p) => {
    p.id = send(p.blob, p.name).then((kept) => kept.id);
  });
}

async function messages(): Promise<object[]> {
  const ids = await Promise.all(pictures.value.map((p) => p.id));
  const out: { role: string; content: unknown; regions?: object[] }[] = [];
  let pending: object[] = []; // pictures of questions that got no answer
  turns.value.forEach((turn, k) => {
    if (turn.role === "assistant") {
      if (answered(turn)) out.push({ role: "assistant", content: turn.content, regions: turn.wire });
      return;
    }
    const images = turn.pictures.map((p) => ({ type: "image_url", image_url: { url: `loupe:${ids[p]}` } }));
    const after = turns.value[k + 1];
    if (after && after.status !== "streaming" && !answered(after)) {
      pending = [...pending, ...images];
      return;
    }
    const parts = turn.parts.map((p) => (typeof p === "string" ? { type: "text", text: p } : wire(p)));
    out.push({ role: "user", content: [...pending, ...images, ...parts] });
    pending = [];
  });
  return out;
}

const answered = (turn: Turn) => turn.status !== "streaming" && turn.status !== "failed" && !!turn.content;

/** Ask in the conversation, and stream the answer into it. */
export function ask(parts: Part[]): Promise<void> {
  return run(parts, async (id, signal) => {
    change(id, { content: "", wire: [], found: [], parts: [], problems: [] });
    const fill = (content: string, wireRegions: object[], known: Region[]) =>
      change(id, { content, wire: wireRegions, found: known, parts: partsOf(content, known) });
    const now = () => turns.value.find((turn) => turn.id === id)!;
    await chat(model.value?.id ?? "", await messages(), {
      text: (delta) => fill(now().content + delta, now().wire!, now().found!),
      region: (region, index) => batch(() => {
        const known = [...now().found!];
        const sent = [...now().wire!];
        [known[index], sent[index]] = [take(region), region];
        fill(now().content!, sent, known);
        lit.value = [known[index]];
      }),
      problem: (problem) => change(id, (turn) => ({ problems: [...turn.problems!, problem] })),
    }, signal);
    lit.value = [];
  });
}

async function imageOf(index: number): Promise<string> {
  return `loupe:${await pictures.value[index].id}`;
}

function settle(id: string, said: Said, absent?: string): void {
  batch(() => {
    const known = said.regions.map(take);
    const content = said.content || known.map((_, k) => `[${k + 1}]`).join(" ");
    change(id, {
      content: content || (absent ? `${absent}: not in this picture` : ""), wire: said.regions, found: known,
      parts: partsOf(content, known), problems: said.problems, absent,
    });
  });
}

/** Boxes of what a phrase names, on the picture that is shown; or an honest no. Unchecked: a guess in any case. */
export function find(phrase: string, check = true): Promise<void> {
  const image = shown.value;
  return run([check ? "Find " : "Guess where it is: ", phrase], async (id, signal) => {
    const said = await about("locate", { image: await imageOf(image), phrase, check }, signal);
    const regionsHere = said.regions.map((r) => ({ ...r, image }));
    const absent = said.absent || !regionsHere.length;
    settle(id, { ...said, content: "", regions: regionsHere }, absent ? phrase : undefined);
    if (absent && check) change(id, { guess: () => void find(phrase, false) });
  });
}

/** The mask of what a phrase names. */
export function outline(phrase: string): Promise<void> {
  const image = shown.value;
  return run(["Outline ", phrase], async (id, signal) => {
    settleMask(id, await about("segment", { image: await imageOf(image), phrase }, signal), image, phrase);
  });
}

function settleMask(id: string, said: Said, image: number, phrase?: string): void {
  const masks = said.regions.map((r) => ({ ...r, image }))
    .filter((r) => r.type !== "mask" || unpacked(r.mask).bounds);
  settle(id, { ...said, content: "", regions: masks }, masks.length ? undefined : phrase ?? "anything to outline");
}

export type Quick = "name" | "describe" | "text" | "colour" | "segment" | "elsewhere";

const QUESTIONS: Record<Quick, [string, string]> = {
  name: ["What is ", "?"],
  describe: ["Describe ", "."],
  text: ["What is written in ", "?"],
  colour: ["What colour is ", "?"],
  segment: ["Outline what is in ", "."],
  elsewhere: ["Where else is there something like ", "?"],
};

/** A ready question about one region. */
export function quick(which: Quick, region: Region): Promise<void> {
  const [before, after] = QUESTIONS[which];
  return run([before, region, after], async (id, signal) => {
    const body = { image: await imageOf(region.image), region: { ...region.shape } };
    if (which === "describe") settle(id, placed(await about("describe", body, signal), region));
    else if (which === "segment") settleMask(id, await about("segment", body, signal), region.image);
    else if (which === "elsewhere") await elsewhere(id, body, region, signal);
    else settle(id, placed(await about("ask", { ...body, about: which }, signal), region));
  });
}

/** Answers about one picture speak of picture 0; here they lie on the region's. */
const placed = (said: Said, region: Region): Said =>
  ({ ...said, regions: said.regions.map((r) => ({ ...r, image: region.image })) });

async function elsewhere(id: string, body: { image: string }, region: Region, signal: AbortSignal): Promise<void> {
  const name = (await about("ask", { ...body, about: "name" }, signal)).content.replace(/[.\s]+$/, "");
  if (!name) return settle(id, { content: "", regions: [], problems: [] }, "a name for this");
  const said = await about("locate", { image: body.image, phrase: name }, signal);
  const edge = boundsOfShape(region.shape);
  const others = placed(said, region).regions.filter((r) => !same(edge, boundsOfShape(shapeOf(r))));
  settle(id, { ...said, content: "", regions: others.map((r) => ({ ...r, phrase: r.phrase ?? name })) },
    others.length ? undefined : `another ${name.replace(/^(a|an|the) /i, "")}`);
}

/** The same thing once more: overlapping boxes, or a box around the point. */
function same(a: Corners, b: Corners): boolean {
  if (a[0] === a[2] && a[1] === a[3]) return b[0] <= a[0] && a[0] <= b[2] && b[1] <= a[1] && a[1] <= b[3];
  return overlap(a, b) >= 0.5;
}

/** A person's own words in place of an answer: what the exported sample says. */
export function correct(id: string, parts: Part[]): void {
  const known = parts.filter((p): p is Region => typeof p !== "string");
  let k = 0;
  const content = parts.map((p) => (typeof p === "string" ? p : `[${++k}]`)).join("");
  change(id, { parts, content, found: known, wire: known.map(wire), absent: undefined, failure: undefined,
    status: "done", problems: [], edited: true });
}

/** The question again, in place of the answer that came. */
export function again(id: string): void {
  const at = turns.value.findIndex((turn) => turn.id === id);
  if (busy.value || at < 1) return;
  turns.value = turns.value.slice(0, at - 1);
  void repeats.get(id)?.();
}

/** Parts with the regions as they are now, for a question that is about to be asked. */
export const current = (parts: Part[]): Part[] =>
  parts.map((p) => (typeof p === "string" ? p : regionAt(p.id) ?? p));
