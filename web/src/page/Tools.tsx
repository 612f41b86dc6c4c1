// Buttons of the stage.
import type { JSX } from "preact";
import type { Tool } from "../state.ts";
import { brush, can, erasing, redo, redoable, remove, selected, tool, undo, undoable } from "../state.ts";
import { choose } from "../stage/keys.ts";
import { fit, view, zoom } from "../stage/view.ts";
import { Icon } from "./icons.tsx";
import type { IconName } from "./icons.tsx";
import { pixelsOpen } from "./Pixels.tsx";

const DRAWING: { tool: Tool; label: string; key: string; icon: IconName }[] = [
  { tool: "move", label: "Select and move", key: "V", icon: "move" },
  { tool: "point", label: "Point", key: "P", icon: "point" },
  { tool: "box", label: "Box", key: "B", icon: "box" },
  { tool: "polygon", label: "Polygon", key: "G", icon: "polygon" },
  { tool: "brush", label: "Brush", key: "M", icon: "brush" },
];

interface Deed { label: string; keys?: string; icon: IconName; act(): void; off?: boolean; on?: boolean }

function Button({ label, keys, icon, act, off, on }: Deed): JSX.Element {
  return (
    <button type="button" class={`tool${on ? " on" : ""}`} disabled={off} onClick={act} aria-label={label} aria-keyshortcuts={keys}
      aria-pressed={on} title={keys ? `${label} (${keys.replace("Control", "Ctrl")})` : label}>
      <Icon name={icon} />
    </button>
  );
}

export function Tools(): JSX.Element {
  return (
    <div class="tools" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      <div class="group" role="radiogroup" aria-label="Drawing tool">
        {DRAWING.map((d) => (
          <button type="button" key={d.tool} role="radio" aria-checked={tool.value === d.tool} class={`tool${tool.value === d.tool ? " on" : ""}`}
            onClick={() => choose(d.tool)} aria-label={d.label} aria-keyshortcuts={d.key} title={`${d.label} (${d.key})`}>
            <Icon name={d.icon} />
          </button>
        ))}
      </div>
      {tool.value === "brush" && (
        <div class="group brush-options">
          <Button label="Wipe away" keys="E" icon="eraser" on={erasing.value} act={() => (erasing.value = !erasing.value)} />
          <input type="range" min="2" max="80" value={brush.value} aria-label="Brush size" title="Brush size ([ and ])"
            onInput={(event) => (brush.value = Number(event.currentTarget.value))} />
        </div>
      )}
      <div class="group">
        <Button label="Undo" keys="Control+Z" icon="undo" off={!undoable.value} act={undo} />
        <Button label="Redo" keys="Control+Shift+Z" icon="redo" off={!redoable.value} act={redo} />
        <Button label="Delete region" keys="Delete" icon="bin" off={!selected.value} act={() => selected.value && remove(selected.value)} />
      </div>
    </div>
  );
}

export function ZoomTools(): JSX.Element {
  return (
    <div class="zooms" role="toolbar" aria-label="View">
      {can("pixels") && <Button label="What the model's pixels show" icon="pixels" act={() => (pixelsOpen.value = true)} />}
      <Button label="Zoom out" keys="-" icon="minus" act={() => zoom(0.8)} />
      <button type="button" class="tool percent" onClick={fit} aria-label={`Zoom ${Math.round(view.value.scale * 100)} %, fit the whole picture`} title="Fit (0)">
        {Math.round(view.value.scale * 100)} %
      </button>
      <Button label="Zoom in" keys="+" icon="plus" act={() => zoom(1.25)} />
    </div>
  );
}
