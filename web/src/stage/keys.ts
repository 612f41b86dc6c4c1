// The keyboard: shortcuts everywhere, and a cursor that draws where there is no mouse.
import { signal } from "@preact/signals";
import type { Shape, XY } from "../shapes.ts";
import { clamp, moved, spoken, tenth } from "../shapes.ts";
import { boundsOfShape } from "../runs.ts";
import type { Tool } from "../state.ts";
import {
  brush, erasing, here, news, notify, picture, pictures, redo, remove, reshape, selected, selectedRegion, show, shown, tool, undo,
} from "../state.ts";
import { cancel, closePolygon, corners, dropCorner, move, press, release } from "./hand.ts";
import { fit, reveal, room, toPicture, toScreen, zoom } from "./view.ts";

export const cursor = signal<XY | null>(null); // in pixels of the picture
export const help = signal(false);
const KEY_HAND = -1; // the keyboard as a pointer
let pressed = false;

export const TOOLS: Record<string, Tool> = { v: "move", p: "point", b: "box", g: "polygon", m: "brush" };
const ARROWS: Record<string, XY> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function choose(next: Tool): void {
  lift();
  cancel();
  tool.value = next;
  erasing.value = false;
  cursor.value = null;
  news.value = `${next === "move" ? "Select and move" : next} tool.`;
}

/** Shortcuts of the whole page; nothing while words are written. */
export function shortcut(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  if (target.closest("input, textarea, select, dialog, [contenteditable=true]")) return false;
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") return did(event.shiftKey ? redo : undo);
    if (key === "y") return did(redo);
    return false;
  }
  if (event.altKey || !pictures.value.length) return key === "?" ? did(() => (help.value = true)) : false;
  if (TOOLS[key]) return did(() => choose(TOOLS[key]));
  switch (event.key) {
    case "?": return did(() => (help.value = true));
    case "e": case "E": return did(() => {
      if (tool.value !== "brush") choose("brush");
      erasing.value = !erasing.value;
      news.value = erasing.value ? "The brush wipes away." : "The brush paints.";
    });
    case "[": return did(() => (brush.value = Math.max(2, Math.round(brush.value / 1.3))));
    case "]": return did(() => (brush.value = Math.min(120, Math.round(brush.value * 1.3) + 1)));
    case "+": case "=": return did(() => zoom(1.25));
    case "-": return did(() => zoom(0.8));
    case "0": return did(fit);
    case "n": return did(() => step(1));
    case "N": return did(() => step(-1));
    case "PageDown": return did(() => show(shown.value + 1));
    case "PageUp": return did(() => show(shown.value - 1));
    case "Delete": case "Backspace":
      return did(() => {
        if (!dropCorner() && selected.value) remove(selected.value);
      });
    case "Escape": return did(() => {
      lift();
      if (!cancel()) [selected.value, cursor.value] = [null, null];
    });
  }
  return false;
}

function did(act: () => unknown): true {
  act();
  return true;
}

/** The next region of this picture. */
function step(by: number): void {
  const list = here.value;
  if (!list.length) return;
  const at = list.findIndex((r) => r.id === selected.value);
  const next = list[(at < 0 ? (by > 0 ? 0 : list.length - 1) : at + by + list.length) % list.length];
  selected.value = next.id;
  reveal(boundsOfShape(next.shape));
  news.value = `Selected ${spoken(next)}.`;
}

/** Keys while the stage has the focus: arrows and Enter draw, move and resize. */
export function stageKey(event: KeyboardEvent): boolean {
  if (!picture.value || event.ctrlKey || event.metaKey) return false;
  const arrow = ARROWS[event.key];
  if (arrow) {
    const region = selectedRegion.value;
    const pace = event.shiftKey ? 40 : 8; // of the screen
    const far = Math.max(event.altKey && !region ? 0.1 : 0.5, pace / Math.max(toScale(), 0.01));
    const by: XY = [arrow[0] * far, arrow[1] * far];
    if (tool.value === "move" && region && region.by === "person") nudge(region.id, by, event.altKey);
    else if (tool.value !== "move") walk(by);
    else return false;
    return true;
  }
  if (tool.value === "move") return false;
  if (event.key === "Enter" && tool.value === "polygon" && corners.value.length > 2) return did(closePolygon);
  if (event.key === " " || event.key === "Enter") return did(touch);
  return false;
}

const toScale = () => toScreen([1, 0])[0] - toScreen([0, 0])[0];

function nudge(id: string, [dx, dy]: XY, grow: boolean): void {
  const region = here.value.find((r) => r.id === id);
  const size = picture.value!;
  if (!region) return;
  let shape: Shape = moved(region.shape, dx, dy, size);
  if (grow && region.shape.type === "box") {
    const [x1, y1, x2, y2] = region.shape.box;
    shape = { type: "box", box: [x1, y1, tenth(clamp(x2 + dx, x1 + 1, size.width)), tenth(clamp(y2 + dy, y1 + 1, size.height))] };
  }
  reshape(id, shape);
  const now = here.value.find((r) => r.id === id);
  if (now) news.value = `${spoken(now)}.`;
}

function walk([dx, dy]: XY): void {
  const { width, height } = picture.value!;
  const [x, y] = cursor.value ?? beginning();
  const to: XY = cursor.value ? [clamp(x + dx, 0, width), clamp(y + dy, 0, height)] : [x, y];
  cursor.value = to;
  reveal([to[0], to[1], to[0], to[1]]);
  if (pressed) move(toScreen(to), KEY_HAND, "key");
  news.value = `${Math.round(to[0])}, ${Math.round(to[1])}`;
}

/** The middle of the picture; of what is seen of it where that is out of sight. */
function beginning(): XY {
  const { width, height } = picture.value!;
  const [x, y] = toScreen([width / 2, height / 2]);
  if (x > 0 && y > 0 && x < room.value.width && y < room.value.height) return [width / 2, height / 2];
  const middle = toPicture([room.value.width / 2, room.value.height / 2]);
  return [clamp(middle[0], 0, width), clamp(middle[1], 0, height)];
}

/** Enter or space at the cursor: a point, a corner, or the brush down and up. */
function touch(): void {
  if (!cursor.value) return walk([0, 0]);
  const at = toScreen(cursor.value);
  if (tool.value === "point" || tool.value === "polygon") {
    press(at, KEY_HAND, "mouse", 0, false);
    release(KEY_HAND);
    if (tool.value === "polygon") news.value = `Corner ${corners.value.length}. Enter closes the polygon after three.`;
    return;
  }
  if (pressed) return lift();
  selected.value = tool.value === "box" ? null : selected.value;
  press(at, KEY_HAND, "key", 0, false);
  pressed = true;
  if (tool.value === "box") notify("Move to the opposite corner with the arrows, then press Enter.");
}

function lift(): void {
  if (!pressed) return;
  pressed = false;
  release(KEY_HAND);
}
