// The page of `loupe serve`: a picture, regions drawn on it, and a conversation about them.
import { render } from "preact";
import { call, models, ServerError } from "./server.ts";
import { busy, model, news, online, toast } from "./state.ts";
import { pasted } from "./opening.ts";
import { shortcut } from "./stage/keys.ts";
import { stop } from "./talk.ts";
import { Composer, write } from "./page/Composer.tsx";
import { Dialogs } from "./page/Dialogs.tsx";
import { Header } from "./page/Header.tsx";
import { Pixels } from "./page/Pixels.tsx";
import { Stage } from "./page/Stage.tsx";
import { Talk } from "./page/Talk.tsx";

function Page() {
  const note = toast.value;
  return (
    <>
      <Header />
      <main>
        <Stage />
        <section class="side" aria-label="Talk">
          <Talk />
          <Composer />
        </section>
      </main>
      {note && (
        <div class="toast">
          <span>{note.text}</span>
          {note.act && <button type="button" onClick={() => {
            toast.value = null;
            note.act!.run();
          }}>{note.act.label}</button>}
        </div>
      )}
      <div class="unseen" role="status" aria-live="polite">{news.value}</div>
      <Dialogs />
      <Pixels />
    </>
  );
}

async function greet(): Promise<void> {
  try {
    model.value = await models();
    online.value = true;
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    online.value = error.status === 401 ? online.value : false;
  }
}

async function listen(): Promise<void> {
  try {
    await call("health");
    if (!model.value) await greet();
    online.value = true;
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    online.value = false;
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && busy.value && !document.querySelector("dialog[open]")) stop();
  if (event.key === "/" && !(event.target as HTMLElement).closest("input, dialog, [contenteditable=true]")) {
    event.preventDefault();
    write();
  } else if (shortcut(event)) event.preventDefault();
});
document.addEventListener("paste", (event) => {
  if (!event.defaultPrevented) pasted(event);
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => event.preventDefault());

render(<Page />, document.getElementById("page")!);
void greet();
setInterval(() => {
  if (!document.hidden && !busy.value) void listen();
}, 20_000);
