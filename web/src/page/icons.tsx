// The page's own icons: strokes on a grid of 24.
import type { JSX } from "preact";

const DRAWN = {
  move: "M5 3l6.5 16 2.2-6.3L20 10.5z",
  point: "M12 12m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0M12 2.5v4M12 17.5v4M2.5 12h4M17.5 12h4",
  box: "M4.5 6.5h15v11h-15z",
  polygon: "M12 3.5l8.5 6.5-3.2 10H6.7L3.5 10z",
  brush: "M20.5 3.5L11 13M9.5 12.2c-2.4 0-3.7 1.6-3.9 3.6-.1 1.8-1 3-2.6 3.5 3.6 1.6 9.6.8 9.4-4.2a2.9 2.9 0 0 0-2.9-2.9z",
  eraser: "M8.5 19.5L3.8 14.8a1.6 1.6 0 0 1 0-2.3l8.7-8.7a1.6 1.6 0 0 1 2.3 0l5.4 5.4a1.6 1.6 0 0 1 0 2.3l-8 8zM8.5 19.5H20M8 8.3l7.7 7.7",
  undo: "M8 4.5L3.5 9 8 13.5M4 9h9.5a6 6 0 0 1 0 12H9",
  redo: "M16 4.5L20.5 9 16 13.5M20 9h-9.5a6 6 0 0 0 0 12H15",
  bin: "M4 6.5h16M9.5 6.5v-3h5v3M6.5 6.5l1 14h9l1-14M10 10.5v6M14 10.5v6",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  pixels: "M4 4h16v16H4zM4 12h16M12 4v16M4 8h8M8 4v8M12 16h8M16 12v8",
  picture: "M3.5 5h17v14h-17zM3.5 16l5-5 4 4 3-3 5 5M15.5 9.2a.8.8 0 1 0 .01 0",
  send: "M12 20V5M5.5 11.5L12 5l6.5 6.5",
  stop: "M7 7h10v10H7z",
  close: "M6 6l12 12M18 6L6 18",
  export: "M12 3.5V15M7 10.5l5 5 5-5M4 20.5h16",
  sun: "M12 8a4 4 0 1 0 .01 0M12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.7 1.7M17.3 17.3L19 19M5 19l1.7-1.7M17.3 6.7L19 5",
  moon: "M20 14.5A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.5z",
  keys: "M3 6.5h18v11H3zM6.5 10h.01M10 10h.01M14 10h.01M17.5 10h.01M8 14h8",
  ask: "M4 5h16v11.5h-8L7.5 20v-3.5H4z",
  find: "M10.5 4a6.5 6.5 0 1 0 .01 0M15.2 15.2L20.5 20.5",
  outline: "M12 4c5 0 8.5 2.6 7.8 7-.6 3.6-2.3 3.4-3.4 5.6-1 2-2.6 3.4-5.4 3.2-4.3-.3-7-3.4-6.8-8C4.4 7.4 7.5 4 12 4z",
  pencil: "M4 20l1-4.5L16.5 4a2.1 2.1 0 0 1 3.5 3.5L8.5 19zM14.5 6l3.5 3.5",
  again: "M20 5v5h-5M19.5 10a8 8 0 1 0 .5 4.5",
  copy: "M9 9h11v11H9zM5.5 15H4V4h11v1.5",
  none: "M12 3.5a8.5 8.5 0 1 0 .01 0M6 6l12 12",
  warn: "M12 4l9 16H3zM12 10v4.5M12 17.3v.2",
  at: "M12 8.5a3.5 3.5 0 1 0 .01 0M15.5 8.5V13c0 3.5 5 3 5-1a8.5 8.5 0 1 0-3.5 6.9",
  check: "M4.5 12.5l5 5 10-11",
  fresh: "M12 5v14M5 12h14",
} as const;

export type IconName = keyof typeof DRAWN;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.7"
      stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={DRAWN[name]} />
    </svg>
  );
}

/** A lens with its light. */
export function Mark({ size = 26 }: { size?: number }): JSX.Element {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" fill="none" aria-hidden="true" class="mark">
      <circle cx="13.5" cy="13.5" r="9.5" stroke="currentColor" stroke-width="2.6" />
      <path d="M20.7 20.7L28 28" stroke="currentColor" stroke-width="3.6" stroke-linecap="round" />
      <rect x="9" y="10" width="9" height="7" rx="1.2" class="mark-box" stroke-width="1.8" />
    </svg>
  );
}
