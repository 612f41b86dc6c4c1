// A region in words: its tag, which lights it up on the picture.
import type { JSX } from "preact";
import { inkOf } from "../palette.ts";
import type { Region } from "../shapes.ts";
import { spoken } from "../shapes.ts";
import { boundsOfShape } from "../runs.ts";
import { lit, pictures, regionAt, selected, show } from "../state.ts";
import { reveal } from "../stage/view.ts";

export const light = (region: Region) => (lit.value = [region]);
export const unlight = () => (lit.value = []);

/** Bring a region to the eye: its picture, its place, and its handles if it is still there. */
export function visit(region: Region): void {
  show(region.image);
  selected.value = regionAt(region.id) ? region.id : null;
  reveal(boundsOfShape(region.shape));
  light(region);
}

export function inkStyle(number: number): Record<string, string> {
  const ink = inkOf(number);
  return { "--ink": ink.line, "--on-ink": ink.text };
}

export function Chip({ region, named }: { region: Region; named?: boolean }): JSX.Element {
  const on = lit.value.some((r) => r.id === region.id) || selected.value === region.id;
  const score = region.score == null ? "" : `, ${Math.round(region.score * 100)} % sure`;
  const where = pictures.value.length > 1 ? ` on picture ${region.image + 1}` : "";
  return (
    <button type="button" class={`chip${on ? " on" : ""}${region.by === "model" ? " from-model" : ""}`} style={inkStyle(region.number)}
      data-region={region.id} aria-label={`Show ${spoken(region)}${where}${score}`} title={`${spoken(region)}${where}${score}`}
      onPointerEnter={() => light(region)} onPointerLeave={unlight} onFocus={() => light(region)} onBlur={unlight}
      onClick={() => visit(region)}>
      {region.number}
      {named && region.phrase ? <span class="chip-name">{region.phrase}</span> : null}
      {named && region.score != null ? <span class="chip-score">{Math.round(region.score * 100)} %</span> : null}
    </button>
  );
}
