// The picture with its regions, and the tools around it.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { XY } from "../shapes.ts";
import { opening, openFiles } from "../opening.ts";
import { lit, picture, pictures, shown, tool } from "../state.ts";
import { closePolygon, corners, handling, move, pointer, press, release, wheel } from "../stage/hand.ts";
import { mount } from "../stage/canvas.ts";
import { view } from "../stage/view.ts";
import { cursor, stageKey } from "../stage/keys.ts";
import { unlight } from "./Chip.tsx";
import { Icon } from "./icons.tsx";
import { Beginning } from "./Beginning.tsx";
import { Quick, Tags } from "./Regions.tsx";
import { Tools, ZoomTools } from "./Tools.tsx";

let spaced = false;
addEventListener("keydown", (event) => {
  if (event.key === " ") spaced = !(event.target as HTMLElement).closest("[contenteditable], input, button");
});
addEventListener("keyup", (event) => {
  if (event.key === " ") spaced = false;
});

export function Stage(): JSX.Element {
  const canvas = useRef<HTMLDivElement>(null);
  useEffect(() => mount(canvas.current!), []);
  useEffect(() => {
    const area = canvas.current!;
    const at = (event: PointerEvent | WheelEvent): XY => {
      const frame = area.getBoundingClientRect();
      return [event.clientX - frame.left, event.clientY - frame.top];
    };
    const rolled = (event: WheelEvent) => {
      if (!picture.value) return;
      event.preventDefault();
      wheel(at(event), event);
    };
    const pressed = (event: PointerEvent) => {
      cursor.value = null;
      area.setPointerCapture(event.pointerId);
      press(at(event), event.pointerId, event.pointerType, event.button, spaced && tool.value !== "move" && !cursor.value);
    };
    const moved = (event: PointerEvent) => move(at(event), event.pointerId, event.pointerType);
    const lifted = (event: PointerEvent) => release(event.pointerId);
    const left = () => {
      pointer.value = null;
      if (!handling.value) unlight();
    };
    const twice = () => corners.value.length > 2 && closePolygon();
    const quiet = (event: Event) => event.preventDefault();
    area.addEventListener("wheel", rolled, { passive: false });
    area.addEventListener("pointerdown", pressed);
    area.addEventListener("pointermove", moved);
    area.addEventListener("pointerup", lifted);
    area.addEventListener("pointercancel", lifted);
    area.addEventListener("pointerleave", left);
    area.addEventListener("dblclick", twice);
    area.addEventListener("contextmenu", quiet);
  }, []);
  const now = picture.value;
  return (
    <section class={`stage${now ? "" : " bare"}`} aria-label="Picture"
      onDragOver={(event) => {
        event.preventDefault();
        event.currentTarget.classList.add("over");
      }}
      onDragLeave={(event) => event.currentTarget.classList.remove("over")}
      onDrop={(event) => {
        event.preventDefault();
        event.currentTarget.classList.remove("over");
        void openFiles(event.dataTransfer?.files ?? []);
      }}>
      <div class="canvas" ref={canvas} data-tool={tool.value} data-lit={lit.value.map((r) => r.number).join(" ")} data-view={now && `${view.value.scale} ${view.value.x} ${view.value.y}`} tabIndex={now ? 0 : -1} role="application"
        aria-roledescription="drawing area"
        aria-label={now ? `${now.name}, ${now.width} by ${now.height} pixels. Choose a tool with P, B, G or M, move with the arrow keys, press Enter to draw. Question mark lists all keys.` : "No picture yet"}
        onKeyDown={(event) => {
          if (stageKey(event)) {
            event.preventDefault();
            event.stopPropagation();
          }
        }} />
      {now && <Tools />}
      {now && <ZoomTools />}
      {pictures.value.length > 1 && <Strip />}
      {now && <Quick />}
      {now && <Tags />}
      {now && tool.value === "polygon" && corners.value.length > 0 && (
        <button type="button" class="close-ring" disabled={corners.value.length < 3} onClick={closePolygon}>
          <Icon name="check" size={16} />Close the polygon
        </button>
      )}
      {!now && <Beginning />}
      {opening.value && <div class="opening" role="status">Opening…</div>}
      <div class="drop-here" aria-hidden="true">Drop the picture</div>
    </section>
  );
}

function Strip(): JSX.Element {
  return (
    <div class="strip" role="tablist" aria-label="Pictures">
      {pictures.value.map((p, k) => (
        <button type="button" role="tab" key={p.url} aria-selected={k === shown.value} class={k === shown.value ? "on" : ""}
          onClick={() => (shown.value = k)} title={p.name} aria-label={`Picture ${k + 1}, ${p.name}`}>
          <img src={p.url} alt="" />
          <span>{k + 1}</span>
        </button>
      ))}
    </div>
  );
}
