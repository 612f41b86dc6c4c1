// Regions as canvas nodes: on the stage, and on the exported picture.
import Konva from "konva/lib/Core.js";
import { Circle } from "konva/lib/shapes/Circle.js";
import { Line } from "konva/lib/shapes/Line.js";
import { Rect } from "konva/lib/shapes/Rect.js";
import { Text } from "konva/lib/shapes/Text.js";
import type { Bits } from "../runs.ts";
import { boundsOfShape, unpacked } from "../runs.ts";
import type { Corners, Region, Runs, XY } from "../shapes.ts";
import { handlesOf } from "../shapes.ts";
import { inkOf, rgba } from "../palette.ts";
import type { View } from "./view.ts";
import { toScreen } from "./view.ts";

export type Weight = "plain" | "strong" | "faint";
export interface Style { weight: Weight; unit: number; named?: boolean } // unit: how large a CSS pixel is

const HALO = "rgba(255,255,255,0.9)";
const DASH = [7, 4];

/** The outline and filling of a region. */
export function outlineOf(region: Region, view: View, style: Style): Konva.Node[] {
  const { shape } = region;
  const { line } = inkOf(region.number);
  const { weight, unit } = style;
  const width = (weight === "strong" ? 3 : 2) * unit;
  const opacity = weight === "faint" ? 0.3 : 1;
  const fill = weight === "strong" ? rgba(line, 0.1) : undefined; // colours are asked about: hardly tinted
  const dash = region.by === "model" ? DASH.map((d) => d * unit) : undefined;
  const halo = { stroke: HALO, strokeWidth: width + 2.5 * unit, opacity: opacity * 0.85, lineJoin: "round" as const };
  const ink = { stroke: line, strokeWidth: width, opacity, dash, lineJoin: "round" as const };
  if (shape.type === "point") {
    const [x, y] = toScreen(shape.point, view);
    const radius = (weight === "strong" ? 8 : 6) * unit;
    return [
      new Circle({ x, y, radius: radius + 2 * unit, fill: HALO, opacity }),
      new Circle({ x, y, radius, fill: line, opacity }),
      new Circle({ x, y, radius: 2 * unit, fill: "#fff", opacity }),
    ];
  }
  if (shape.type === "box") {
    const [x, y] = toScreen([shape.box[0], shape.box[1]], view);
    const [x2, y2] = toScreen([shape.box[2], shape.box[3]], view);
    const place = { x, y, width: x2 - x, height: y2 - y };
    return [new Rect({ ...place, ...halo }), new Rect({ ...place, ...ink, fill })];
  }
  if (shape.type === "polygon") {
    const points = shape.polygon.flatMap((p) => toScreen(p, view));
    return [new Line({ points, closed: true, ...halo }), new Line({ points, closed: true, ...ink, fill })];
  }
  return [maskOf(shape.mask, view, line, weight, unit)];
}

function maskOf(mask: Runs, view: View, line: string, weight: Weight, unit: number): Konva.Node {
  const { edge, fill } = drawnMask(mask, line);
  const opacity = weight === "faint" ? 0.3 : 1;
  return new Konva.Shape({
    listening: false,
    sceneFunc(context: Konva.Context) {
      const pen = context._context;
      pen.save();
      pen.translate(view.x, view.y);
      pen.scale(view.scale, view.scale);
      pen.imageSmoothingEnabled = false;
      pen.globalAlpha = opacity * (weight === "strong" ? 0.6 : 0.4);
      pen.drawImage(fill, 0, 0);
      pen.globalAlpha = opacity;
      for (const [colour, width] of [[HALO, 3.5], [line, weight === "strong" ? 2.5 : 1.75]] as const) {
        pen.strokeStyle = colour;
        pen.lineWidth = (width * unit) / view.scale;
        pen.stroke(edge);
      }
      pen.restore();
    },
  });
}

const drawn = new Map<string, { fill: HTMLCanvasElement; edge: Path2D }>();

function drawnMask(mask: Runs, line: string): { fill: HTMLCanvasElement; edge: Path2D } {
  const key = `${line}${mask.size}${mask.counts}`;
  let kept = drawn.get(key);
  if (!kept) {
    const { bits } = unpacked(mask);
    kept = { fill: filled(bits, line), edge: edgeOf(bits) };
    drawn.set(key, kept);
    if (drawn.size > 24) drawn.delete(drawn.keys().next().value!);
  }
  return kept;
}

export function filled(bits: Bits, line: string): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bits.width, bits.height];
  const pen = canvas.getContext("2d")!;
  const pixels = pen.createImageData(bits.width, bits.height);
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(line.slice(at, at + 2), 16));
  bits.data.forEach((inside, k) => {
    if (inside) pixels.data.set([r, g, b, 255], 4 * k);
  });
  pen.putImageData(pixels, 0, 0);
  return canvas;
}

/** The border between inside and outside, along the edges of pixels. */
function edgeOf({ width, height, data }: Bits): Path2D {
  const path = new Path2D();
  const inside = (x: number, y: number) => (x >= 0 && y >= 0 && x < width && y < height ? data[y * width + x] : 0);
  const walk = (long: number, across: number, crosses: (along: number, at: number) => boolean, put: (a: number, b: number, at: number) => void) => {
    for (let at = 0; at <= across; at++) {
      let from = -1;
      for (let along = 0; along <= long; along++) {
        const cross = along < long && crosses(along, at);
        if (cross && from < 0) from = along;
        if (!cross && from >= 0) {
          put(from, along, at);
          from = -1;
        }
      }
    }
  };
  const segment = (x1: number, y1: number, x2: number, y2: number) => {
    path.moveTo(x1, y1);
    path.lineTo(x2, y2);
  };
  walk(width, height, (x, y) => inside(x, y) !== inside(x, y - 1), (a, b, y) => segment(a, y, b, y));
  walk(height, width, (y, x) => inside(x, y) !== inside(x - 1, y), (a, b, x) => segment(x, a, x, b));
  return path;
}

const FONT = "Inter, system-ui, sans-serif";

/** Number tags, each beside its region; a tag that would cover another moves aside. */
export function tagsOf(list: { region: Region; style: Style }[], view: View, stage: Corners): Konva.Node[] {
  const taken: Corners[] = [];
  return list.flatMap(({ region, style }) => {
    const { unit } = style;
    const words = style.named && region.phrase ? `${region.number}  ${region.phrase}` : `${region.number}`;
    const text = new Text({ text: words, fontFamily: FONT, fontSize: 12 * unit, fontStyle: "600", listening: false });
    const width = Math.max(20 * unit, text.width() + 12 * unit);
    const height = 20 * unit;
    const lift = style.weight === "strong" && region.by === "person" ? 5 * unit : 0; // clear of the handles
    const place = spot(region, view, width, height + lift, unit, stage);
    while (taken.some((t) => t[0] < place[0] + width && place[0] < t[2] && t[1] < place[1] + height && place[1] < t[3])) {
      place[0] += width + 2 * unit;
    }
    taken.push([place[0], place[1], place[0] + width, place[1] + height]);
    const ink = inkOf(region.number);
    const opacity = style.weight === "faint" ? 0.45 : 1;
    const round = 6 * unit;
    text.setAttrs({ x: place[0] + (width - text.width()) / 2, y: place[1] + 4.5 * unit, fill: ink.text, opacity });
    return [
      new Rect({ x: place[0] - 1.5 * unit, y: place[1] - 1.5 * unit, width: width + 3 * unit, height: height + 3 * unit,
        fill: HALO, cornerRadius: round + 1.5 * unit, opacity: opacity * 0.9 }),
      new Rect({ x: place[0], y: place[1], width, height, fill: ink.line, cornerRadius: round, opacity }),
      text,
    ];
  });
}

/** Above the upper left corner; inside it where there is no room above. */
function spot(region: Region, view: View, width: number, height: number, unit: number, stage: Corners): XY {
  const box = boundsOfShape(region.shape);
  let [x, y] = toScreen([box[0], box[1]], view);
  if (region.shape.type === "point") [x, y] = [x + 9 * unit, y - height - 4 * unit];
  else y -= height + 3 * unit;
  if (y < stage[1] + 2 * unit) y = toScreen([box[0], box[1]], view)[1] + 4 * unit;
  return [Math.max(stage[0] + 2 * unit, Math.min(x, stage[2] - width - 2 * unit)), y];
}

/** Where a selected region can be taken hold of. */
export function gripsOf(region: Region, view: View, coarse: boolean): Konva.Node[] {
  const { line } = inkOf(region.number);
  const size = coarse ? 13 : 9;
  const look = { fill: "#fff", stroke: line, strokeWidth: 2, listening: false };
  if (region.shape.type === "box") {
    return handlesOf(region.shape.box).map((p) => {
      const [x, y] = toScreen(p, view);
      return new Rect({ x: x - size / 2, y: y - size / 2, width: size, height: size, cornerRadius: 2, ...look });
    });
  }
  if (region.shape.type !== "polygon") return [];
  const ring = region.shape.polygon;
  const middles = ring.length > 40 ? [] : ring.map((p, k): XY => {
    const q = ring[(k + 1) % ring.length];
    return [(p[0] + q[0]) / 2, (p[1] + q[1]) / 2];
  });
  return [
    ...middles.map((p) => dot(p, view, 3.5, { ...look, strokeWidth: 1, opacity: 0.8 })),
    ...ring.map((p) => dot(p, view, size / 2, look)),
  ];
}

function dot(p: XY, view: View, radius: number, look: object): Konva.Node {
  const [x, y] = toScreen(p, view);
  return new Circle({ x, y, radius, ...look });
}
