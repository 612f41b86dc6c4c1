// The conversation so far.
import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Part, Problem, Turn } from "../state.ts";
import { busy, notify, picture, pictures, show, turns } from "../state.ts";
import { again, correct, plainly } from "../talk.ts";
import { Chip } from "./Chip.tsx";
import { Icon } from "./icons.tsx";
import { Words } from "./Words.tsx";
import type { Pen } from "./Words.tsx";

export function Talk(): JSX.Element {
  const log = useRef<HTMLDivElement>(null);
  const stuck = useRef(true);
  useLayoutEffect(() => {
    if (stuck.current && log.current) log.current.scrollTop = log.current.scrollHeight;
  }, [turns.value]);
  return (
    <div class="talk" ref={log} role="log" aria-label="Conversation" aria-live="off" tabIndex={0} onScroll={() => {
      const { scrollTop, scrollHeight, clientHeight } = log.current!;
      stuck.current = scrollHeight - scrollTop - clientHeight < 40;
    }}>
      {turns.value.length ? turns.value.map((turn) => <TurnView key={turn.id} turn={turn} />) : <Quiet />}
    </div>
  );
}

function Quiet(): JSX.Element {
  if (!picture.value) return <div class="quiet" />;
  return (
    <div class="quiet">
      <p>Draw on the picture to point at something. Each region gets a tag that goes into your question.</p>
      <p class="soft">Or just ask, find or outline by name.</p>
    </div>
  );
}

function Parts({ parts, named }: { parts: Part[]; named?: boolean }): JSX.Element {
  return <>{parts.map((p, k) => (typeof p === "string" ? <span key={k}>{coloured(p)}</span> : <Chip key={k} region={p} named={named} />))}</>;
}

/** #c81e28 in words gets a swatch of itself. */
function coloured(text: string): (string | JSX.Element)[] {
  return text.split(/(#[0-9a-f]{6}\b)/i).map((piece, k) =>
    k % 2 ? <code key={k} class="colour"><i style={{ background: piece }} />{piece}</code> : piece);
}

function TurnView({ turn }: { turn: Turn }): JSX.Element {
  if (turn.role === "assistant") return <Answer turn={turn} />;
  return (
    <article class="turn question" aria-label="You">
      {pictures.value.length > 1 && turn.pictures.length > 0 && (
        <div class="shown">
          {turn.pictures.map((k) => (
            <button type="button" key={k} onClick={() => show(k)} aria-label={`Show picture ${k + 1}, ${pictures.value[k].name}`}>
              <img src={pictures.value[k].url} alt="" />
            </button>
          ))}
        </div>
      )}
      <p><Parts parts={turn.parts} /></p>
    </article>
  );
}

function Answer({ turn }: { turn: Turn }): JSX.Element {
  const editing = useSignal(false);
  const streaming = turn.status === "streaming";
  const bare = turn.parts.every((p) => typeof p !== "string" || !p.trim());
  return (
    <article class="turn answer" aria-label="Answer" aria-busy={streaming} data-status={turn.status}>
      {editing.value
        ? <Correction turn={turn} done={() => (editing.value = false)} />
        : turn.absent
          ? <Absent turn={turn} />
          : (turn.parts.length > 0 || streaming) && (
            <p class={streaming ? "streaming" : ""}>
              <Parts parts={turn.parts} named={bare} />
              {streaming && !turn.parts.length && <span class="waiting" role="status" aria-label="Looking"><i /><i /><i /></span>}
            </p>
          )}
      {turn.status === "done" && !turn.parts.length && !turn.absent && <p class="note">The model said nothing.</p>}
      {turn.status === "stopped" && <p class="note">Stopped.</p>}
      {turn.failure && <p class="note bad" role="alert"><Icon name="warn" size={16} /><span>{turn.failure}</span></p>}
      <Problems list={turn.problems ?? []} />
      {!streaming && !editing.value && <Deeds turn={turn} edit={() => (editing.value = true)} />}
    </article>
  );
}

/** What could not be read as a region, and what the model was told otherwise than it was drawn. */
function Problems({ list }: { list: Problem[] }): JSX.Element {
  const changed = list.filter((p) => p.kind === "changed");
  const unread = list.filter((p) => p.kind !== "changed");
  const some = unread.length === 1 ? "One part of the answer" : `${unread.length} parts of the answer`;
  return (
    <>
      {changed.map((p, k) => <p class="note" key={k}>{p.message}</p>)}
      {unread.length > 0 && (
        <details class="note">
          <summary><Icon name="warn" size={15} />{some} could not be read as a region</summary>
          <ul>{unread.map((p, k) => <li key={k}>{p.message || p.kind}</li>)}</ul>
        </details>
      )}
    </>
  );
}

function Absent({ turn }: { turn: Turn }): JSX.Element {
  return (
    <div class="absent">
      <Icon name="none" size={22} />
      <span>
        <strong>Not there.</strong> The model sees no <q>{turn.absent!.replace(/^(the|a|an) /i, "")}</q> in this picture.
        {turn.guess && <button type="button" class="link" disabled={busy.value} onClick={turn.guess}>Show its best guess</button>}
      </span>
    </div>
  );
}

function Deeds({ turn, edit }: { turn: Turn; edit(): void }): JSX.Element {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(plainly(turn.parts));
      notify("Copied.");
    } catch (error) {
      if (error instanceof Error) notify("The browser does not let this page copy.");
    }
  };
  return (
    <div class="deeds">
      {turn.content && <button type="button" class="small" onClick={() => void copy()} aria-label="Copy the answer" title="Copy"><Icon name="copy" size={16} /></button>}
      <button type="button" class="small" onClick={edit} aria-label="Correct the answer" title="Correct the answer: the exported sample holds your words"><Icon name="pencil" size={16} /></button>
      {turns.value.at(-1)?.id === turn.id && (
        <button type="button" class="small" disabled={busy.value} onClick={() => again(turn.id)} aria-label="Ask again" title="Ask again"><Icon name="again" size={16} /></button>
      )}
      {turn.edited && <span class="soft">corrected by you</span>}
    </div>
  );
}

function Correction({ turn, done }: { turn: Turn; done(): void }): JSX.Element {
  const pen = useRef<Pen>(null);
  useEffect(() => {
    pen.current?.write(turn.parts);
    pen.current?.focus();
  }, []);
  const save = () => {
    const parts = pen.current!.read();
    if (parts.length) correct(turn.id, parts);
    done();
  };
  return (
    <div class="writing correction">
      <Words pen={pen} label="The right answer" hint="What is right? @2 stands for region 2" onSend={save} onCancel={done} />
      <div class="composer-row">
        <span class="spacer" />
        <button type="button" class="plain" onClick={done}>Cancel</button>
        <button type="button" class="primary" onClick={save}>Save</button>
      </div>
    </div>
  );
}
