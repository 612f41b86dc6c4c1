// The stage itself: a Konva canvas that follows the page's signals.
import { effect } from "@preact/signals";
import Konva from "konva/lib/Core.js";
import { Circle } from "konva/lib/shapes/Circle.js";
import { Image as Picture } from "konva/lib/shapes/Image.js";
import { Line } from "konva/lib/shapes/Line.js";
import { Rect } from "konva/lib/shapes/Rect.js";
import { inkOf, rgba } from "../palette.ts";
import type { Region, XY } from "../shapes.ts";
import { sameShape } from "../shapes.ts";
import { brush, erasing, here, lit, nextNumber, picture, selected, shown, tool, turns } from "../state.ts";
import { busyWith } from "./focus.ts";
import { corners, draft, painting, pointer, strokes } from "./hand.ts";
import { cursor } from "./keys.ts";
import type { Style, Weight } from "./paint.ts";
import { filled, gripsOf, outlineOf, tagsOf } from "./paint.ts";
import { resize, room, toScreen, view } from "./view.ts";

Konva.autoDrawEnabled = false;
Konva.hitOnDragEnabled = false;

export function mount(container: HTMLDivElement): () => void {
  const stage = new Konva.Stage({ container, listening: false });
  const [under, marks, over] = [0, 1, 2].map(() => new Konva.Layer({ listening: false }));
  stage.add(under, marks, over);
  container.querySelectorAll("canvas").forEach((canvas) => canvas.setAttribute("aria-hidden", "true"));
  const watch = new ResizeObserver(() => {
    const size = { width: container.clientWidth, height: container.clientHeight };
    if (!size.width || !size.height) return;
    stage.size(size);
    resize(size);
  });
  watch.observe(container);
  const stops = [
    effect(() => drawPicture(under)),
    effect(() => drawRegions(marks)),
    effect(() => drawHand(over)),
  ];
  void document.fonts.ready.then(() => drawRegions(marks)); // tags are measured with the page's own font
  return () => {
    stops.forEach((stop) => stop());
    watch.disconnect();
    stage.destroy();
  };
}

function drawPicture(layer: Konva.Layer): void {
  layer.destroyChildren();
  const now = picture.value;
  const { scale, x, y } = view.value;
  void room.value;
  if (now) {
    layer.getCanvas()._canvas.getContext("2d")!.imageSmoothingEnabled = scale < 3;
    layer.imageSmoothingEnabled(scale < 3);
    const place = { x, y, width: now.width * scale, height: now.height * scale };
    layer.add(new Picture({ image: now.bitmap, ...place }));
    layer.add(new Rect({ ...place, stroke: "rgba(127,120,110,0.35)", strokeWidth: 1 }));
  }
  layer.draw();
}

/** Regions a chip points at that lie differently now, or are gone, show as they were. */
function ghosts(): Region[] {
  return lit.value.filter((r) => r.image === shown.value
    && !here.value.some((now) => now.id === r.id && sameShape(now.shape, r.shape)));
}

function drawRegions(layer: Konva.Layer): void {
  layer.destroyChildren();
  void turns.value;
  const pointed = new Set(lit.value.map((r) => r.id));
  const current = busyWith();
  const past = ghosts();
  const gone = new Set(past.map((r) => r.id));
  const weigh = (region: Region): Weight => {
    if (pointed.has(region.id)) return gone.has(region.id) ? "faint" : "strong";
    if (pointed.size) return "faint";
    if (region.id === selected.value) return "strong";
    return current.has(region.id) || region.by === "person" ? "plain" : "faint";
  };
  const styled = [...here.value.filter((r) => r.id !== painting.value?.region?.id), ...past].map((region) => {
    const weight = past.includes(region) ? "strong" as const : weigh(region);
    return { region, style: { weight, unit: 1, named: weight === "strong" } satisfies Style };
  });
  const order = { faint: 0, plain: 1, strong: 2 };
  styled.sort((a, b) => order[a.style.weight] - order[b.style.weight]);
  styled.forEach(({ region, style }) => layer.add(...(outlineOf(region, view.value, style) as Konva.Shape[])));
  const edges: [number, number, number, number] = [0, 0, room.value.width, room.value.height];
  const tags = tagsOf([...styled].reverse(), view.value, edges) as Konva.Shape[];
  if (tags.length) layer.add(...tags);
  layer.draw();
}

function drawHand(layer: Konva.Layer): void {
  layer.destroyChildren();
  void strokes.value;
  const region = here.value.find((r) => r.id === selected.value);
  const number = painting.value?.region?.number ?? nextNumber();
  const { line } = inkOf(number);
  if (region?.by === "person" && !draft.value && !corners.value.length && tool.value !== "brush") {
    const grips = gripsOf(region, view.value, matchMedia("(pointer: coarse)").matches) as Konva.Shape[];
    if (grips.length) layer.add(...grips);
  }
  if (draft.value) {
    const now: Region = { id: "", number, image: shown.value, shape: draft.value, by: "person" };
    layer.add(...(outlineOf(now, view.value, { weight: "strong", unit: 1 }) as Konva.Shape[]));
  }
  if (corners.value.length) drawCorners(layer, corners.value, line);
  if (painting.value) {
    const { bits } = painting.value;
    const { scale, x, y } = view.value;
    layer.imageSmoothingEnabled(false);
    layer.add(new Picture({ image: filled(bits, line), x, y, width: bits.width * scale, height: bits.height * scale, opacity: 0.5 }));
  }
  const at = cursor.value ? toScreen(cursor.value) : pointer.value;
  if (tool.value === "brush" && at && picture.value) {
    layer.add(new Circle({ x: at[0], y: at[1], radius: brush.value, stroke: "#fff", strokeWidth: 3 }));
    layer.add(new Circle({ x: at[0], y: at[1], radius: brush.value, stroke: erasing.value ? "#444" : line, strokeWidth: 1.5,
      fill: rgba(line, 0.08), dash: erasing.value ? [4, 3] : undefined }));
  }
  if (cursor.value) drawCross(layer, toScreen(cursor.value), line);
  layer.draw();
}

function drawCorners(layer: Konva.Layer, list: XY[], line: string): void {
  const at = cursor.value ? toScreen(cursor.value) : pointer.value;
  const points = list.flatMap((p) => toScreen(p));
  const open = at ? [...points, ...at] : points;
  layer.add(new Line({ points: open, stroke: "rgba(255,255,255,.85)", strokeWidth: 4.5, lineJoin: "round", lineCap: "round" }));
  layer.add(new Line({ points: open, stroke: line, strokeWidth: 2, lineJoin: "round", fill: rgba(line, 0.1), closed: false }));
  list.forEach((p, k) => {
    const [x, y] = toScreen(p);
    const first = k === 0 && list.length > 2;
    if (list.length < 40 || k === 0) {
      layer.add(new Circle({ x, y, radius: first ? 7 : 4, fill: "#fff", stroke: line, strokeWidth: first ? 3 : 2 }));
    }
  });
}

function drawCross(layer: Konva.Layer, [x, y]: XY, line: string): void {
  for (const [colour, width] of [["#fff", 4], [line, 1.75]] as const) {
    for (const points of [[x - 14, y, x - 4, y], [x + 4, y, x + 14, y], [x, y - 14, x, y - 4], [x, y + 4, x, y + 14]]) {
      layer.add(new Line({ points, stroke: colour, strokeWidth: width, lineCap: "round" }));
    }
  }
}
