// A text box whose words may hold region chips: for questions, and for correcting answers.
import type { JSX, Ref } from "preact";
import { useEffect, useImperativeHandle, useRef } from "preact/hooks";
import { spoken } from "../shapes.ts";
import type { Region } from "../shapes.ts";
import type { Part } from "../state.ts";
import { regionAt, regions } from "../state.ts";
import { pasted } from "../opening.ts";
import { inkStyle, light, unlight } from "./Chip.tsx";

export interface Pen {
  read(): Part[];
  write(parts: Part[]): void;
  insert(region: Region): void;
  focus(): void;
}

interface Props {
  pen: Ref<Pen>;
  label: string;
  hint?: string;
  onSend(): void;
  onCancel?(): void;
  onInput?(): void;
}

function chipOf(region: Region): HTMLElement {
  const chip = document.createElement("span");
  chip.className = "chip";
  chip.contentEditable = "false";
  chip.dataset.region = region.id;
  chip.textContent = String(region.number);
  chip.setAttribute("role", "img");
  chip.setAttribute("aria-label", spoken(region));
  for (const [name, value] of Object.entries(inkStyle(region.number))) chip.style.setProperty(name, value);
  chip.addEventListener("pointerenter", () => light(regionAt(region.id) ?? region));
  chip.addEventListener("pointerleave", unlight);
  return chip;
}

/** Text with @2 in it -> text and the region of that number. */
function withMentions(text: string): Part[] {
  return text.split(/(@\d+)\b/).filter(Boolean).map((piece) => {
    const number = /^@(\d+)$/.exec(piece)?.[1];
    return regions.value.find((r) => String(r.number) === number) ?? piece;
  });
}

function partsIn(box: HTMLElement, kept: Map<string, Region>): Part[] {
  const parts: Part[] = [];
  const say = (text: string) => {
    const last = parts.at(-1);
    if (typeof last === "string") parts[parts.length - 1] = last + text;
    else if (text) parts.push(text);
  };
  const walk = (node: Node) => {
    if (node instanceof HTMLElement && node.dataset.region) {
      const region = regionAt(node.dataset.region) ?? kept.get(node.dataset.region);
      if (region) parts.push(region);
    } else if (node instanceof Text) {
      const text = node.data.replaceAll("\u00a0", " ");
      for (const piece of withMentions(text)) typeof piece === "string" ? say(piece) : parts.push(piece);
    } else if (node.nodeName === "BR") say("\n");
    else {
      if (node !== box && node.nodeName === "DIV") say("\n");
      node.childNodes.forEach(walk);
    }
  };
  walk(box);
  return trimmed(parts);
}

export function trimmed(parts: Part[]): Part[] {
  const out = [...parts];
  if (typeof out[0] === "string") out[0] = out[0].trimStart();
  const last = out.length - 1;
  if (typeof out[last] === "string") out[last] = (out[last] as string).trimEnd();
  return out.filter((p) => p !== "");
}

export function Words({ pen, label, hint, onSend, onCancel, onInput }: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const caret = useRef<Range | null>(null);
  const kept = useRef(new Map<string, Region>());

  const changed = () => {
    const empty = !box.current!.textContent?.trim() && !box.current!.querySelector(".chip");
    box.current!.classList.toggle("is-empty", empty);
    onInput?.();
  };

  /** At the caret, or at the end where the box has never been entered; spaces part it from the words. */
  const put = (region: Region, space = true) => {
    const target = box.current!;
    kept.current.set(region.id, region);
    const range = chosenIn(target) ?? (caret.current && target.contains(caret.current.startContainer) ? caret.current : atEnd(target));
    range.deleteContents();
    const chip = chipOf(region);
    range.insertNode(chip);
    if (chip.previousSibling instanceof Text && /\S$/.test(chip.previousSibling.data) && space) chip.before(" ");
    if (chip.previousSibling instanceof HTMLElement) chip.before(" ");
    const after = chip.nextSibling;
    if (!(after instanceof Text) || !/^\s/.test(after.data)) chip.after("\u00a0");
    const next = document.createRange();
    next.setStart(chip.nextSibling!, 1);
    next.collapse(true);
    caret.current = next;
    if (document.activeElement === target) select(next);
    changed();
  };

  useImperativeHandle(pen, () => ({
    read: () => partsIn(box.current!, kept.current),
    write(parts) {
      caret.current = null;
      box.current!.replaceChildren(...parts.map((p) => {
        if (typeof p === "string") return document.createTextNode(p);
        kept.current.set(p.id, p);
        return chipOf(p);
      }));
      if (box.current!.lastChild instanceof HTMLElement) box.current!.append("\u00a0"); // a caret needs a text to stand in
      if (document.activeElement === box.current) select(atEnd(box.current!)); // else it falls back to the beginning
      changed();
    },
    insert: (region) => put(region),
    focus() {
      const target = box.current!;
      target.focus();
      const words = partsIn(target, kept.current).some((p) => typeof p === "string" && p.trim());
      select((words && caret.current) || atEnd(target)); // the first word comes behind the chips
    },
  }));

  useEffect(() => {
    const remember = () => {
      caret.current = (box.current && chosenIn(box.current)) ?? caret.current;
    };
    document.addEventListener("selectionchange", remember);
    return () => document.removeEventListener("selectionchange", remember);
  }, []);

  const keys = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      onSend();
    } else if (event.key === "Escape") {
      if (onCancel) onCancel();
      else box.current!.blur();
    }
  };

  return (
    <div ref={box} class="words is-empty" contenteditable role="textbox" aria-multiline="true" aria-label={label}
      data-hint={hint} spellcheck enterkeyhint="send" onKeyDown={keys} onInput={() => {
        mention(box.current!, put);
        changed();
      }} onPaste={(event) => {
        pasted(event);
        if (event.defaultPrevented) return;
        event.preventDefault();
        document.execCommand("insertText", false, event.clipboardData?.getData("text/plain") ?? "");
      }} onDrop={(event) => event.preventDefault()} />
  );
}

/** "@2 " just written becomes the chip of region 2. */
function mention(box: HTMLElement, put: (region: Region, space: boolean) => void): void {
  const chosen = getSelection();
  const node = chosen?.anchorNode;
  if (!(node instanceof Text) || !box.contains(node)) return;
  const match = /@(\d+)[\s\u00a0]$/.exec(node.data.slice(0, chosen!.anchorOffset));
  const region = match && regions.value.find((r) => String(r.number) === match[1]);
  if (!region) return;
  const range = document.createRange();
  range.setStart(node, match.index);
  range.setEnd(node, chosen!.anchorOffset);
  range.deleteContents();
  select(range);
  put(region, false);
}

/** Where the caret is now, if it is in the box; its last place is remembered for when it is elsewhere. */
function chosenIn(box: HTMLElement): Range | null {
  const chosen = getSelection();
  return chosen?.rangeCount && box.contains(chosen.anchorNode) ? chosen.getRangeAt(0).cloneRange() : null;
}

function atEnd(box: HTMLElement): Range {
  const range = document.createRange();
  range.selectNodeContents(box);
  range.collapse(false);
  return range;
}

function select(range: Range): void {
  const chosen = getSelection();
  chosen?.removeAllRanges();
  chosen?.addRange(range);
}
