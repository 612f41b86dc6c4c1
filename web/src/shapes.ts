// Regions of a picture, in pixels of the upright original: x right, y down; a box's right and lower edges are exclusive.

export type XY = [number, number];
export type Corners = [number, number, number, number]; // x1, y1, x2, y2
export interface Runs { size: [number, number]; counts: string } // height, width; COCO's compressed run lengths

export type Shape =
  | { type: "point"; point: XY }
  | { type: "box"; box: Corners }
  | { type: "polygon"; polygon: XY[] }
  | { type: "mask"; mask: Runs };

export interface Region {
  id: string;
  number: number; // what its tag says; colours follow it
  image: number; // which picture of the conversation
  shape: Shape;
  by: "person" | "model";
  score?: number | null;
  phrase?: string | null;
}

export interface Size { width: number; height: number }

export const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

/** Pixels are told to a tenth: finer than any hand, short in a file. */
export const tenth = (value: number) => Math.round(value * 10) / 10;

export function boxBetween(a: XY, b: XY, size: Size): Corners {
  const [x1, x2] = [a[0], b[0]].map((x) => tenth(clamp(x, 0, size.width))).sort((p, q) => p - q);
  const [y1, y2] = [a[1], b[1]].map((y) => tenth(clamp(y, 0, size.height))).sort((p, q) => p - q);
  return [x1, y1, x2, y2];
}

export function boundsOf(points: XY[]): Corners {
  const xs = points.map((p) => p[0]);
  const ys = points.map((p) => p[1]);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Moved by (dx, dy) as far as the picture goes; a mask stays where it is painted. */
export function moved(shape: Shape, dx: number, dy: number, size: Size): Shape {
  if (shape.type === "mask") return shape;
  const [x1, y1, x2, y2] = extent(shape);
  const x = clamp(dx, Math.min(0, -x1), Math.max(0, size.width - x2));
  const y = clamp(dy, Math.min(0, -y1), Math.max(0, size.height - y2));
  const put = (p: XY): XY => [tenth(p[0] + x), tenth(p[1] + y)];
  if (shape.type === "point") return { type: "point", point: put(shape.point) };
  if (shape.type === "polygon") return { type: "polygon", polygon: shape.polygon.map(put) };
  const b = shape.box;
  return { type: "box", box: [...put([b[0], b[1]]), ...put([b[2], b[3]])] as Corners };
}

/** Bounds without unpacking a mask. */
function extent(shape: Exclude<Shape, { type: "mask" }>): Corners {
  if (shape.type === "box") return shape.box;
  if (shape.type === "point") return [...shape.point, ...shape.point] as Corners;
  return boundsOf(shape.polygon);
}

export const HANDLES: XY[] = [[0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1], [0.5, 1], [0, 1], [0, 0.5]];

/** Where the eight handles of a box lie: corners and middles, clockwise from the upper left. */
export function handlesOf(box: Corners): XY[] {
  return HANDLES.map(([u, v]) => [box[0] + u * (box[2] - box[0]), box[1] + v * (box[3] - box[1])]);
}

/** The box with one handle brought to `to`; pulled past the other side it turns round. */
export function resized(box: Corners, handle: number, to: XY, size: Size): Corners {
  const [u, v] = HANDLES[handle];
  const out: Corners = [...box];
  if (u !== 0.5) out[u === 0 ? 0 : 2] = to[0];
  if (v !== 0.5) out[v === 0 ? 1 : 3] = to[1];
  return boxBetween([out[0], out[1]], [out[2], out[3]], size);
}

export function inPolygon(points: XY[], [x, y]: XY): boolean {
  let inside = false;
  points.forEach(([x1, y1], k) => {
    const [x2, y2] = points[(k + 1) % points.length];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  });
  return inside;
}

export const distance = (a: XY, b: XY) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** Fewer points on the same line, none further off than `off` (Douglas and Peucker's rule). */
export function simplified(points: XY[], off: number): XY[] {
  if (points.length < 3) return points;
  const [a, b] = [points[0], points[points.length - 1]];
  const length = distance(a, b);
  let far = 0;
  let at = 0;
  for (let k = 1; k < points.length - 1; k++) {
    const p = points[k];
    const away = length < 1e-9 ? distance(p, a)
      : Math.abs((b[0] - a[0]) * (a[1] - p[1]) - (a[0] - p[0]) * (b[1] - a[1])) / length;
    if (away > far) [far, at] = [away, k];
  }
  if (far <= off) return [a, b];
  return [...simplified(points.slice(0, at + 1), off).slice(0, -1), ...simplified(points.slice(at), off)];
}

export function overlap(a: Corners, b: Corners): number {
  const wide = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
  const high = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const area = (c: Corners) => (c[2] - c[0]) * (c[3] - c[1]);
  const union = area(a) + area(b) - wide * high;
  return union > 0 ? (wide * high) / union : 0;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** How a screen reader says it. */
export function spoken(region: Region): string {
  const { shape, number, phrase } = region;
  const whole = (values: number[]) => values.map((v) => Math.round(v)).join(", ");
  const name = phrase ? `, ${phrase}` : "";
  if (shape.type === "point") return `point ${number}${name} at ${whole(shape.point)}`;
  if (shape.type === "box") return `box ${number}${name} from ${whole(shape.box.slice(0, 2))} to ${whole(shape.box.slice(2))}`;
  if (shape.type === "polygon") return `polygon ${number}${name} with ${shape.polygon.length} corners`;
  return `painted area ${number}${name}`;
}
