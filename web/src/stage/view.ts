// How the picture lies on the stage: zoomed, moved, fitted. Screen = picture * scale + offset, in CSS pixels.
import { effect, signal } from "@preact/signals";
import type { Corners, Size, XY } from "../shapes.ts";
import { clamp } from "../shapes.ts";
import { picture } from "../state.ts";

export interface View { scale: number; x: number; y: number }

export const view = signal<View>({ scale: 1, x: 0, y: 0 });
export const room = signal<Size>({ width: 0, height: 0 }); // of the stage, in CSS pixels
let fitted = true;

const MARGIN = 36;
const LARGEST = 64;

/** The picture whole and centred; left and bottom stay clear for the tools where there is little room. */
function whole(size: Size, stage: Size): View {
  const margin = stage.width < 600 ? 12 : MARGIN;
  const tools = stage.width < 600 ? { left: 0, bottom: 98 } : { left: 56, bottom: 0 };
  const wide = Math.max(40, stage.width - 2 * margin - tools.left);
  const high = Math.max(40, stage.height - 2 * margin - tools.bottom);
  const scale = Math.min(wide / size.width, high / size.height, 24);
  return {
    scale,
    x: tools.left + (stage.width - tools.left - size.width * scale) / 2,
    y: (stage.height - tools.bottom - size.height * scale) / 2,
  };
}

export function fit(): void {
  const stage = room.peek();
  if (!picture.value || !stage.width) return;
  fitted = true;
  view.value = whole(picture.value, stage);
}

export function resize(size: Size): void {
  room.value = size;
  if (fitted) fit();
  else view.value = kept(view.value);
}

effect(() => {
  if (picture.value) fit();
});

export const toScreen = ([x, y]: XY, v = view.value): XY => [x * v.scale + v.x, y * v.scale + v.y];
export const toPicture = ([x, y]: XY, v = view.value): XY => [(x - v.x) / v.scale, (y - v.y) / v.scale];

/** Zoomed about a point of the screen, which stays where it is. */
export function zoom(factor: number, about?: XY): void {
  if (!picture.value) return;
  const at = about ?? [room.value.width / 2, room.value.height / 2];
  const least = whole(picture.value, room.value).scale / 4;
  const scale = clamp(view.value.scale * factor, least, LARGEST);
  const [px, py] = toPicture(at);
  fitted = false;
  view.value = kept({ scale, x: at[0] - px * scale, y: at[1] - py * scale });
}

export function pan(dx: number, dy: number): void {
  fitted = false;
  view.value = kept({ ...view.value, x: view.value.x + dx, y: view.value.y + dy });
}

/** Some of the picture always stays in sight. */
function kept(v: View): View {
  if (!picture.value) return v;
  const { width, height } = picture.value;
  const least = 48;
  return {
    scale: v.scale,
    x: clamp(v.x, least - width * v.scale, room.value.width - least),
    y: clamp(v.y, least - height * v.scale, room.value.height - least),
  };
}

/** Bring a region into sight, moving no more than needed. */
export function reveal(box: Corners): void {
  const [x1, y1] = toScreen([box[0], box[1]]);
  const [x2, y2] = toScreen([box[2], box[3]]);
  const { width, height } = room.value;
  const shift = (low: number, high: number, end: number) =>
    low >= 0 && high <= end ? 0 : high - low > end ? end / 2 - (low + high) / 2 : low < 0 ? 24 - low : end - 24 - high;
  const [dx, dy] = [shift(x1, x2, width), shift(y1, y2, height)];
  if (dx || dy) pan(dx, dy);
}
