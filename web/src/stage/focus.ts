// Which regions the conversation is about just now: those of the last question, its answer and the words being written.
import { signal } from "@preact/signals";
import { regions, turns } from "../state.ts";

export const drafted = signal<string[]>([]); // ids of regions in the question being written

export function busyWith(): Set<string> {
  const said = turns.value.slice(-2).flatMap((turn) => turn.parts.flatMap((p) => (typeof p === "string" ? [] : [p.id])));
  const untold = turns.value.length ? [] : regions.value.map((r) => r.id);
  return new Set([...said, ...drafted.value, ...untold]);
}
