// Questions the page itself asks, and the list of keys.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { place, waiting } from "../opening.ts";
import { keyWanted, useKey } from "../server.ts";
import { help } from "../stage/keys.ts";
import { Icon } from "./icons.tsx";

function Dialog({ title, kind, onClose, children }: { title: string; kind: string; onClose(): void; children: ComponentChildren }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current!.showModal(), []);
  return (
    <dialog ref={dialog} class={kind} aria-label={title} onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
      <header>
        <h2>{title}</h2>
        <button type="button" class="small" onClick={() => dialog.current!.close()} aria-label="Close"><Icon name="close" /></button>
      </header>
      {children}
    </dialog>
  );
}

export function Dialogs(): JSX.Element {
  return (
    <>
      {waiting.value.length > 0 && <AddOrAnew />}
      {keyWanted.value && <Key />}
      {help.value && <Help />}
    </>
  );
}

function AddOrAnew(): JSX.Element {
  const files = waiting.value;
  const one = files.length === 1;
  return (
    <Dialog title={one ? "Another picture" : `${files.length} pictures`} kind="choice" onClose={() => (waiting.value = [])}>
      <p>{one ? files[0].name : files.map((f) => f.name).join(", ")}</p>
      <div class="dialog-row">
        <button type="button" class="plain" onClick={() => void place(files, false)}>Add to this conversation</button>
        <button type="button" class="primary" onClick={() => void place(files, true)}>Start a new one</button>
      </div>
    </Dialog>
  );
}

function Key(): JSX.Element {
  return (
    <Dialog title="This server asks for a key" kind="choice" onClose={() => (keyWanted.value = false)}>
      <form onSubmit={(event) => {
        event.preventDefault();
        useKey(String(new FormData(event.currentTarget).get("key") ?? ""));
      }}>
        <label class="field">API key<input name="key" type="password" autocomplete="off" required /></label>
        <p class="soft">Kept for this tab only. Then ask again.</p>
        <div class="dialog-row"><button type="submit" class="primary">Use this key</button></div>
      </form>
    </Dialog>
  );
}

const KEYS: [string, [string, string][]][] = [
  ["Tools", [["V", "select and move"], ["P", "point"], ["B", "box"], ["G", "polygon"], ["M", "brush"], ["E", "brush wipes away"], ["[ ]", "brush size"]]],
  ["Regions", [["N", "next region"], ["Ctrl Z", "undo"], ["Ctrl Shift Z", "redo"], ["Del", "delete"], ["Esc", "let go"]]],
  ["Picture", [["+ −", "zoom"], ["0", "whole picture"], ["Space + drag", "move it"], ["PgUp PgDn", "other picture"]]],
  ["By keyboard", [["↑ ↓ ← →", "move cursor or region"], ["Shift", "in larger steps"], ["Alt ↑↓←→", "resize the box"], ["Enter", "set a point or corner"], ["Space", "corner; Enter closes"]]],
  ["Talking", [["/", "write a question"], ["@2", "region 2 in the question"], ["Enter", "send"], ["Shift Enter", "new line"], ["?", "this list"]]],
];

function Help(): JSX.Element {
  return (
    <Dialog title="Keys" kind="help" onClose={() => (help.value = false)}>
      <div class="key-groups">
        {KEYS.map(([name, rows]) => (
          <section key={name}>
            <h3>{name}</h3>
            <dl>{rows.map(([keys, what]) => <div key={keys}><dt>{keys.split(" ").map((k) => <kbd key={k}>{k}</kbd>)}</dt><dd>{what}</dd></div>)}</dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
