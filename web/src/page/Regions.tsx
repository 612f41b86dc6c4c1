// The regions of the picture as a list, and what can be asked about the selected one at once.
import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Region } from "../shapes.ts";
import { spoken } from "../shapes.ts";
import { boundsOfShape } from "../runs.ts";
import { busy, can, here, remove, selected, selectedRegion, shown } from "../state.ts";
import type { Quick as Which } from "../talk.ts";
import { quick } from "../talk.ts";
import { corners, draft, handling } from "../stage/hand.ts";
import { room, toScreen, view } from "../stage/view.ts";
import { inkStyle, light, unlight, visit } from "./Chip.tsx";
import { clearChips, mention } from "./Composer.tsx";
import { Icon } from "./icons.tsx";

const ACTIONS: { which: Which; label: string; needs?: string[] }[] = [
  { which: "name", label: "What is this?", needs: ["ask"] },
  { which: "describe", label: "Describe", needs: ["describe"] },
  { which: "text", label: "Read the text", needs: ["ask"] },
  { which: "colour", label: "What colour?", needs: ["ask"] },
  { which: "segment", label: "Outline", needs: ["segment"] },
  { which: "elsewhere", label: "Where else?", needs: ["ask", "locate"] },
];

/** Beside the selected region where there is room; a row under the picture on a phone. */
export function Quick(): JSX.Element | null {
  const box = useRef<HTMLDivElement>(null);
  const region = selectedRegion.value;
  const seen = region && region.image === shown.value && !draft.value && !corners.value.length;
  const away = handling.value;
  useLayoutEffect(() => {
    if (box.current && region) place(box.current, region);
  }, [region, view.value, room.value, seen]);
  if (!seen) return null;
  return (
    <div ref={box} class={`quick${away ? " away" : ""}`} role="toolbar" aria-label={`Questions about ${spoken(region)}`} style={inkStyle(region.number)}>
      <span class="quick-tag">{region.number}</span>
      {ACTIONS.filter((a) => a.needs!.every(can)).map((a) => (
        <button type="button" key={a.which} disabled={busy.value} onClick={() => {
          clearChips();
          void quick(a.which, region);
        }}>{a.label}</button>
      ))}
      <button type="button" class="icon" onClick={() => mention(region)} aria-label="Put it into the question" title="Put it into the question"><Icon name="at" size={17} /></button>
      <button type="button" class="icon" onClick={() => remove(region.id)} aria-label="Delete region" title="Delete (Del)"><Icon name="bin" size={17} /></button>
    </div>
  );
}

/** Below the region, else above it, else at the foot of the stage; never over the tools. */
function place(box: HTMLElement, region: Region): void {
  if (room.value.width < 600) return void box.style.removeProperty("transform");
  const [x1, y1, x2, y2] = boundsOfShape(region.shape);
  const [left, top] = toScreen([x1, y1]);
  const [right, bottom] = toScreen([x2, y2]);
  const { offsetWidth: width, offsetHeight: height } = box;
  const far = region.shape.type === "point" ? 18 : 12;
  const limit = room.value.height - 64;
  const y = bottom + far + height < limit ? bottom + far : top - far - 22 - height > 8 ? top - far - 22 - height : limit - height;
  const x = Math.min(Math.max((left + right) / 2 - width / 2, 72), room.value.width - width - 12);
  box.style.transform = `translate(${Math.round(Math.max(12, x))}px, ${Math.round(y)}px)`;
}

export function Tags(): JSX.Element | null {
  const list = useRef<HTMLUListElement>(null);
  if (!here.value.length) return null;
  const keys = (event: KeyboardEvent) => {
    const buttons = [...list.current!.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    buttons[(to + buttons.length) % buttons.length].focus();
  };
  return (
    <ul class="tags" ref={list} aria-label="Regions" onKeyDown={keys}>
      {here.value.map((region) => (
        <li key={region.id}>
          <button type="button" class={`chip${region.by === "model" ? " from-model" : ""}${region.id === selected.value ? " on" : ""}`}
            style={inkStyle(region.number)} aria-pressed={region.id === selected.value} aria-label={spoken(region)} title={spoken(region)}
            onPointerEnter={() => light(region)} onPointerLeave={unlight} onFocus={() => light(region)} onBlur={unlight}
            onClick={() => visit(region)} onDblClick={() => mention(region)}>{region.number}</button>
        </li>
      ))}
    </ul>
  );
}
