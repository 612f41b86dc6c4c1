// What a pointer does on the stage: drawing with the chosen tool, taking hold of regions, moving and zooming the picture.
import { signal } from "@preact/signals";
import type { Region, Shape, XY } from "../shapes.ts";
import { boxBetween, clamp, distance, handlesOf, inPolygon, moved, resized, simplified, tenth } from "../shapes.ts";
import type { Bits } from "../runs.ts";
import { blank, boundsOfBits, boundsOfShape, pack, stroke, unpacked } from "../runs.ts";
import { add, brush, erasing, here, lit, notify, picture, preview, remove, reshape, selected, selectedRegion, tool } from "../state.ts";
import { pan, toPicture, toScreen, view, zoom } from "./view.ts";

export const draft = signal<Shape | null>(null); // being drawn
export const corners = signal<XY[]>([]); // of a polygon that is not closed yet
export const pointer = signal<XY | null>(null); // on the screen, for the brush's ring
export const painting = signal<{ bits: Bits; region?: Region } | null>(null); // redrawn at every stroke
export const strokes = signal(0);
export const handling = signal(false); // a pointer is down on the stage

interface Grip { region: Region; handle: number; middle?: boolean }
type Deed =
  | { kind: "pan"; last: XY; moved: boolean; region?: Region }
  | { kind: "box"; from: XY }
  | { kind: "point" }
  | { kind: "lasso"; from: XY; began: number }
  | { kind: "paint"; last: XY; value: 0 | 1 }
  | { kind: "move"; from: XY; before: Region; moved: boolean }
  | { kind: "grip"; grip: Grip; before: Region };

const down = new Map<number, XY>();
let deed: Deed | null = null;
let pinch: { apart: number; middle: XY } | null = null;
let coarse = false;

const reach = () => (coarse ? 22 : 9);
const inside = (p: XY): XY => {
  const { width, height } = picture.value!;
  return [tenth(clamp(p[0], 0, width)), tenth(clamp(p[1], 0, height))];
};

/** The topmost region under a point of the screen: the smallest wins, so that nothing hides behind a larger one. */
export function hit(at: XY): Region | undefined {
  const p = toPicture(at);
  const near = here.value.filter((region) => touches(region, p, at));
  const area = (r: Region) => {
    const [x1, y1, x2, y2] = boundsOfShape(r.shape);
    return (x2 - x1) * (y2 - y1);
  };
  return near.sort((a, b) => area(a) - area(b))[0];
}

function touches(region: Region, p: XY, at: XY): boolean {
  const { shape } = region;
  if (shape.type === "point") return distance(toScreen(shape.point), at) <= Math.max(12, reach());
  if (shape.type === "polygon") return inPolygon(shape.polygon, p);
  if (shape.type === "box") {
    const slack = 4 / view.value.scale;
    const [x1, y1, x2, y2] = shape.box;
    return x1 - slack <= p[0] && p[0] <= x2 + slack && y1 - slack <= p[1] && p[1] <= y2 + slack;
  }
  const { bits } = unpacked(shape.mask);
  const [x, y] = [Math.floor(p[0]), Math.floor(p[1])];
  return x >= 0 && y >= 0 && x < bits.width && y < bits.height && !!bits.data[y * bits.width + x];
}

function gripAt(at: XY): Grip | null {
  const region = selectedRegion.value;
  if (!region || region.by === "model" || tool.value === "brush") return null;
  const close = (p: XY, within = reach()) => distance(toScreen(p), at) <= within;
  if (region.shape.type === "point") return close(region.shape.point, reach() + 4) ? { region, handle: 0 } : null;
  if (region.shape.type === "box") {
    const order = [0, 2, 4, 6, 1, 3, 5, 7]; // corners before middles, where they lie close together
    const points = handlesOf(region.shape.box);
    const handle = order.find((k) => close(points[k]));
    return handle === undefined ? null : { region, handle };
  }
  if (region.shape.type !== "polygon") return null;
  const ring = region.shape.polygon;
  const handle = ring.findIndex((p) => close(p));
  if (handle >= 0) return { region, handle };
  const middle = ring.length > 40 ? -1 : ring.findIndex((p, k) => {
    const q = ring[(k + 1) % ring.length];
    return close([(p[0] + q[0]) / 2, (p[1] + q[1]) / 2], reach() * 0.7);
  });
  return middle >= 0 ? { region, handle: middle, middle: true } : null;
}

export function press(at: XY, id: number, kind: string, button: number, modified: boolean): void {
  if (!picture.value) return;
  coarse = kind === "touch" || kind === "pen";
  down.set(id, at);
  handling.value = true;
  if (down.size === 2) return startPinch();
  if (down.size > 2 || button === 2) return;
  if (button === 1 || modified) {
    deed = { kind: "pan", last: at, moved: false };
    return;
  }
  begin(at);
}

function begin(at: XY): void {
  const p = inside(toPicture(at));
  const grip = corners.value.length ? null : gripAt(at);
  if (grip) return takeHold(grip);
  switch (tool.value) {
    case "move": {
      const region = hit(at);
      selected.value = region?.id ?? null;
      if (region && region.by === "person") deed = { kind: "move", from: p, before: region, moved: false };
      else deed = { kind: "pan", last: at, moved: false, region };
      return;
    }
    case "box":
      deed = { kind: "box", from: p };
      return;
    case "point":
      if (distance(p, toPicture(at)) * view.value.scale > reach()) return; // beside the picture
      deed = { kind: "point" };
      draft.value = { type: "point", point: p };
      return;
    case "polygon":
      if (closes(at)) return closePolygon();
      deed = { kind: "lasso", from: at, began: corners.value.length };
      corners.value = [...corners.value, p];
      return;
    case "brush":
      startPaint(p);
  }
}

function takeHold(grip: Grip): void {
  const before = grip.region;
  if (grip.middle && before.shape.type === "polygon") {
    const ring = before.shape.polygon;
    const [a, b] = [ring[grip.handle], ring[(grip.handle + 1) % ring.length]];
    const polygon = [...ring];
    polygon.splice(grip.handle + 1, 0, [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
    preview(before.id, { type: "polygon", polygon });
    deed = { kind: "grip", grip: { ...grip, handle: grip.handle + 1 }, before };
  } else deed = { kind: "grip", grip, before };
}

const closes = (at: XY) => corners.value.length > 2 && distance(toScreen(corners.value[0]), at) <= Math.max(12, reach());

export function closePolygon(): void {
  const polygon = corners.value;
  corners.value = [];
  if (polygon.length > 2) add({ type: "polygon", polygon });
  else if (polygon.length) notify("A polygon needs three corners or more.");
}

export function move(at: XY, id: number, kind: string): void {
  pointer.value = kind === "mouse" || down.size ? at : null;
  if (down.has(id)) down.set(id, at);
  if (pinch) return pinched();
  if (!picture.value) return;
  if (!deed) return hover(at, kind);
  const p = inside(toPicture(at));
  const size = picture.value;
  if (deed.kind === "pan") {
    const [dx, dy] = [at[0] - deed.last[0], at[1] - deed.last[1]];
    if (deed.moved || Math.hypot(dx, dy) > 3) {
      pan(dx, dy);
      deed = { ...deed, last: at, moved: true };
    }
  } else if (deed.kind === "box") draft.value = { type: "box", box: boxBetween(deed.from, p, size) };
  else if (deed.kind === "point") draft.value = { type: "point", point: p };
  else if (deed.kind === "lasso") lasso(at, p);
  else if (deed.kind === "paint") paintTo(p);
  else if (deed.kind === "move") {
    const [dx, dy] = [p[0] - deed.from[0], p[1] - deed.from[1]];
    if (!deed.moved && Math.hypot(dx, dy) * view.value.scale < 3) return;
    deed.moved = true;
    preview(deed.before.id, moved(deed.before.shape, dx, dy, size));
  } else pull(deed.grip, p);
}

function pull({ region, handle }: Grip, p: XY): void {
  const { shape } = region;
  if (shape.type === "box") preview(region.id, { type: "box", box: resized(shape.box, handle, p, picture.value!) });
  else if (shape.type === "point") preview(region.id, { type: "point", point: p });
  else if (shape.type === "polygon") {
    const now = here.value.find((r) => r.id === region.id)?.shape;
    if (now?.type !== "polygon") return;
    preview(region.id, { type: "polygon", polygon: now.polygon.map((q, k) => (k === handle ? p : q)) });
  }
}

function lasso(at: XY, p: XY): void {
  const last = corners.value.at(-1)!;
  if (distance(toScreen(last), at) >= 5) corners.value = [...corners.value, p];
}

function hover(at: XY, kind: string): void {
  if (kind !== "mouse") return;
  const region = hit(at);
  if (region?.id !== lit.value[0]?.id || lit.value.length > 1) lit.value = region ? [region] : [];
}

export function release(id: number): void {
  down.delete(id);
  handling.value = down.size > 0;
  if (pinch) {
    if (down.size < 2) pinch = null;
    return;
  }
  const done = deed;
  deed = null;
  if (!done || !picture.value) return;
  if (done.kind === "box") endBox(done.from);
  else if (done.kind === "point" && draft.value) {
    add(draft.value);
    draft.value = null;
  } else if (done.kind === "lasso") endLasso(done.began);
  else if (done.kind === "paint") endPaint();
  else if (done.kind === "move" || done.kind === "grip") {
    const now = here.value.find((r) => r.id === done.before.id);
    if (now) reshape(now.id, now.shape, done.before.shape);
  }
}

/** A box of a few pixels is a slip of the hand: it selects what lies there. */
function endBox(from: XY): void {
  const shape = draft.value;
  draft.value = null;
  const wide = shape?.type === "box" ? Math.min(shape.box[2] - shape.box[0], shape.box[3] - shape.box[1]) : 0;
  if (shape && wide * view.value.scale >= 4) add(shape);
  else selected.value = hit(toScreen(from))?.id ?? null;
}

/** Many corners in one pull are a shape drawn round something: closed when the hand lifts. */
function endLasso(began: number): void {
  const drawn = corners.value.length - began;
  if (began > 0 || drawn < 8) {
    if (drawn > 1) corners.value = corners.value.slice(0, began + 1);
    return;
  }
  const ring = simplified(corners.value, 1.5 / view.value.scale);
  if (ring.length > 3) corners.value = ring.slice();
  closePolygon();
}

export function cancel(): boolean {
  const had = !!(deed || draft.value || corners.value.length);
  if (deed && (deed.kind === "move" || deed.kind === "grip")) preview(deed.before.id, deed.before.shape);
  if (deed?.kind === "paint") painting.value = null;
  [deed, draft.value, corners.value] = [null, null, []];
  return had;
}

export function dropCorner(): boolean {
  if (!corners.value.length) return false;
  corners.value = corners.value.slice(0, -1);
  return true;
}

function startPinch(): void {
  cancelStroke();
  const [a, b] = [...down.values()];
  pinch = { apart: Math.max(1, distance(a, b)), middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] };
}

/** A second finger means zooming: what the first began is dropped, corners set before it stay. */
function cancelStroke(): void {
  const kept = deed?.kind === "lasso" ? corners.value.slice(0, deed.began) : corners.value;
  cancel();
  corners.value = kept;
}

function pinched(): void {
  if (!pinch || down.size < 2) return;
  const [a, b] = [...down.values()];
  const apart = Math.max(1, distance(a, b));
  const middle: XY = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  pan(middle[0] - pinch.middle[0], middle[1] - pinch.middle[1]);
  zoom(apart / pinch.apart, middle);
  pinch = { apart, middle };
}

export function wheel(at: XY, event: WheelEvent): void {
  const lines = event.deltaMode === 1 ? 16 : 1;
  if (event.shiftKey && !event.ctrlKey) return pan(-(event.deltaX || event.deltaY) * lines, 0);
  zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0018)), at);
}

// --- the brush ---

/** On a painted area that is selected, strokes add to it; otherwise a new one begins. */
function startPaint(p: XY): void {
  const { width, height } = picture.value!;
  const region = selectedRegion.value;
  const old = region?.by === "person" && region.shape.type === "mask" ? region : undefined;
  if (erasing.value && !old) {
    const under = here.value.find((r) => r.by === "person" && r.shape.type === "mask");
    if (!under) return notify("There is nothing painted to wipe away.");
    selected.value = under.id;
    return startPaint(p);
  }
  const bits = old && old.shape.type === "mask" ? unpacked(old.shape.mask).bits : blank(width, height);
  painting.value = { bits: { ...bits, data: bits.data.slice() }, region: old };
  deed = { kind: "paint", last: p, value: erasing.value ? 0 : 1 };
  paintTo(p);
}

function paintTo(p: XY): void {
  if (deed?.kind !== "paint" || !painting.value) return;
  stroke(painting.value.bits, deed.last, p, Math.max(0.5, brush.value / view.value.scale), deed.value);
  deed.last = p;
  strokes.value++;
}

function endPaint(): void {
  const done = painting.value;
  painting.value = null;
  if (!done) return;
  const empty = !boundsOfBits(done.bits);
  const shape: Shape = { type: "mask", mask: pack(done.bits) };
  if (done.region && empty) remove(done.region.id);
  else if (done.region) reshape(done.region.id, shape);
  else if (!empty) add(shape);
}
