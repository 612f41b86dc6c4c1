// What a person takes away: the conversation, a loupe sample, the picture with its drawings.
import Konva from "konva/lib/Core.js";
import { Image as Canvas } from "konva/lib/shapes/Image.js";
import type { Region, Shape } from "./shapes.ts";
import { outlineOf, tagsOf } from "./stage/paint.ts";
import type { Part, Picture, Turn } from "./state.ts";
import { here, model, picture, pictures, regions, turns } from "./state.ts";
import { plainly } from "./talk.ts";

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const json = (data: object) => new Blob([JSON.stringify(data, null, 1)], { type: "application/json" });
const stem = () => (pictures.value[0]?.name ?? "loupe").replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "-") || "loupe";

const written = (r: Region) => ({ number: r.number, by: r.by, image: r.image, ...r.shape, score: r.score ?? null, phrase: r.phrase ?? null });

/** Everything said, with regions as they were when they were said and as they are now. */
export async function conversation(): Promise<object> {
  const ids = await Promise.all(pictures.value.map((p) => p.id));
  return {
    format: "loupe conversation",
    version: 1,
    model: model.value?.id ?? null,
    pictures: pictures.value.map(({ name, width, height }, k) => ({ id: ids[k], name, width, height })),
    regions: regions.value.map(written),
    turns: turns.value.map((turn) => ({
      role: turn.role,
      text: plainly(turn.parts),
      parts: turn.parts.map((p) => (typeof p === "string" ? p : written(p))),
      status: turn.status,
      ...(turn.absent ? { absent: turn.absent } : {}),
      ...(turn.problems?.length ? { problems: turn.problems } : {}),
      ...(turn.failure ? { failure: turn.failure } : {}),
      ...(turn.edited ? { corrected: true } : {}),
    })),
  };
}

const placed = (shape: Shape, image: number) => {
  const { type: _, ...plain } = shape;
  return image ? { ...plain, image } : plain;
};

function plainPart(part: Part): unknown {
  if (typeof part === "string") return part;
  return { regions: [placed(part.shape, part.image)], ...(part.phrase ? { phrase: part.phrase } : {}) };
}

/** Questions with their answers; what failed or was stopped teaches nothing and stays out. */
function settled(): [Turn, Turn][] {
  const pairs: [Turn, Turn][] = [];
  turns.value.forEach((turn, k) => {
    const answer = turns.value[k + 1];
    if (turn.role === "user" && answer?.status === "done" && (answer.parts.length || answer.absent)) pairs.push([turn, answer]);
  });
  return pairs;
}

export const NOT_THERE = "It is not in the picture.";

/** The conversation as loupe stores a Sample: pictures inside, regions in pixels of the upright originals. */
export async function sample(): Promise<object> {
  const pairs = settled();
  return {
    images: await Promise.all(pictures.value.map(async (p) => ({ data: await base64(p.blob) }))),
    turns: pairs.flatMap(([question, answer]) => [
      { role: "user", parts: question.parts.map(plainPart) },
      { role: "assistant", parts: answer.absent && !answer.parts.length ? [NOT_THERE] : answer.parts.map(plainPart) },
    ]),
    task: "conversation",
    id: `page-${(await pictures.value[0].id).slice(0, 12)}-${Date.now().toString(36)}`,
    extra: { model: model.value?.id ?? "", corrected: pairs.map(([, answer]) => !!answer.edited) },
  };
}

async function base64(blob: Blob): Promise<string> {
  const data = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let at = 0; at < data.length; at += 0x8000) text += String.fromCharCode(...data.subarray(at, at + 0x8000));
  return btoa(text);
}

const LONGEST = 1000; // pixels a drawing's longer side has at least, by whole enlargement

/** The picture in its own pixels, small ones enlarged by a whole number, with every region and tag drawn on it. */
export async function drawing(now: Picture, list: Region[]): Promise<Blob> {
  const longer = Math.max(now.width, now.height);
  const scale = Math.max(1, Math.ceil(LONGEST / longer));
  const unit = Math.max(1, (longer * scale) / LONGEST);
  const [width, height] = [now.width * scale, now.height * scale];
  const stage = new Konva.Stage({ container: document.createElement("div"), width, height, listening: false });
  const layer = new Konva.Layer({ listening: false, imageSmoothingEnabled: false });
  layer.getCanvas().setPixelRatio(1);
  stage.add(layer);
  const at = { scale, x: 0, y: 0 };
  const styled = list.map((region) => ({ region, style: { weight: "plain" as const, unit, named: true } }));
  layer.add(new Canvas({ image: now.bitmap, width, height }));
  styled.forEach(({ region, style }) => layer.add(...(outlineOf(region, at, style) as Konva.Shape[])));
  const tags = tagsOf(styled, at, [0, 0, width, height]) as Konva.Shape[];
  if (tags.length) layer.add(...tags);
  layer.draw();
  const blob = await new Promise<Blob | null>((done) => layer.getCanvas()._canvas.toBlob(done, "image/png"));
  stage.destroy();
  if (!blob) throw new RangeError("The picture is too large for this browser to draw on.");
  return blob;
}

export const saveConversation = async () => save(json(await conversation()), `${stem()}.conversation.json`);
export const saveSample = async () => save(json(await sample()), `${stem()}.sample.json`);
export const saveDrawing = async () => {
  if (picture.value) save(await drawing(picture.value, here.value), `${stem()}.drawn.png`);
};
export const teachable = () => settled().length > 0;
