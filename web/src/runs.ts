// Masks as COCO's compressed run lengths (down, then right, starting with zeros), and painting on them.
import type { Corners, Runs, Shape, XY } from "./shapes.ts";
import { boundsOf } from "./shapes.ts";

/** A mask unpacked: one byte a pixel, row by row. */
export interface Bits { width: number; height: number; data: Uint8Array }

export const blank = (width: number, height: number): Bits => ({ width, height, data: new Uint8Array(width * height) });

export function pack(bits: Bits): Runs {
  const { width, height, data } = bits;
  const runs: number[] = [];
  let value = 0;
  let length = 0;
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      if (data[y * width + x] !== value) {
        runs.push(length);
        [value, length] = [1 - value, 0];
      }
      length++;
    }
  }
  runs.push(length);
  return { size: [height, width], counts: written(runs) };
}

export function unpack({ size, counts }: Runs): Bits {
  const [height, width] = size;
  const bits = blank(width, height);
  let at = 0;
  readRuns(counts).forEach((length, k) => {
    if (k % 2) {
      for (let p = at; p < at + length; p++) bits.data[(p % height) * width + Math.floor(p / height)] = 1;
    }
    at += length;
  });
  if (at !== width * height) throw new RangeError(`mask runs fill ${at} of ${width} x ${height} pixels`);
  return bits;
}

function written(runs: number[]): string {
  let out = "";
  runs.forEach((run, k) => {
    let value = k > 2 ? run - runs[k - 2] : run;
    for (;;) {
      const low = value & 31;
      value >>= 5;
      const more = value !== (low & 16 ? -1 : 0);
      out += String.fromCharCode((more ? low | 32 : low) + 48);
      if (!more) break;
    }
  });
  return out;
}

function readRuns(text: string): number[] {
  const runs: number[] = [];
  let at = 0;
  while (at < text.length) {
    let value = 0;
    let shift = 0;
    for (;;) {
      const low = text.charCodeAt(at++) - 48;
      value |= (low & 31) << shift;
      shift += 5;
      if (!(low & 32)) {
        if (low & 16) value |= -1 << shift;
        break;
      }
      if (at >= text.length) throw new RangeError("mask runs end inside a number");
    }
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
  }
  return runs;
}

/** Paint (1) or wipe (0) a round stroke of `radius` pixels from a to b. */
export function stroke(bits: Bits, a: XY, b: XY, radius: number, value: 0 | 1): void {
  const { width, height, data } = bits;
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const long = dx * dx + dy * dy;
  const y1 = Math.max(0, Math.floor(Math.min(a[1], b[1]) - radius));
  const y2 = Math.min(height - 1, Math.ceil(Math.max(a[1], b[1]) + radius));
  const x1 = Math.max(0, Math.floor(Math.min(a[0], b[0]) - radius));
  const x2 = Math.min(width - 1, Math.ceil(Math.max(a[0], b[0]) + radius));
  for (let y = y1; y <= y2; y++) {
    for (let x = x1; x <= x2; x++) {
      const [px, py] = [x + 0.5 - a[0], y + 0.5 - a[1]];
      const t = long ? Math.min(1, Math.max(0, (px * dx + py * dy) / long)) : 0;
      if (Math.hypot(px - t * dx, py - t * dy) <= radius) data[y * width + x] = value;
    }
  }
}

export function boundsOfBits({ width, height, data }: Bits): Corners | null {
  let [x1, y1, x2, y2] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!data[y * width + x]) continue;
      x1 = Math.min(x1, x);
      x2 = Math.max(x2, x + 1);
      y1 = Math.min(y1, y);
      y2 = Math.max(y2, y + 1);
    }
  }
  return x2 ? [x1, y1, x2, y2] : null;
}

interface Unpacked { bits: Bits; bounds: Corners | null }
const known = new Map<string, Unpacked>();

/** Unpacked once and kept: masks are drawn again with every move of the picture. */
export function unpacked(runs: Runs): Unpacked {
  const key = `${runs.size}:${runs.counts}`;
  let found = known.get(key);
  if (!found) {
    const bits = unpack(runs);
    found = { bits, bounds: boundsOfBits(bits) };
    known.set(key, found);
    if (known.size > 24) known.delete(known.keys().next().value!);
  }
  return found;
}

export function boundsOfShape(shape: Shape): Corners {
  if (shape.type === "box") return shape.box;
  if (shape.type === "point") return [...shape.point, ...shape.point] as Corners;
  if (shape.type === "polygon") return boundsOf(shape.polygon);
  return unpacked(shape.mask).bounds ?? [0, 0, 0, 0];
}
