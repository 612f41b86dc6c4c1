// Pictures: opened from a file, a drop, the clipboard or the server's samples, and sent to the server.
import { signal } from "@preact/signals";
import { bytes, ServerError, upload, upright } from "./server.ts";
import type { Picture } from "./state.ts";
import { busy, news, notify, pictures, shown, startOver, turns } from "./state.ts";

export const waiting = signal<File[]>([]); // opened while there is a conversation: add, or start anew?
export const opening = signal(false);
const LARGEST = 64 * 2 ** 20; // bytes

export async function openFiles(list: Iterable<File>): Promise<void> {
  const files = [...list].filter((f) => f.type.startsWith("image/") || /\.(jpe?g|png|webp|gif|bmp|tiff?|heic|avif)$/i.test(f.name));
  if (!files.length) return notify("That is no picture. JPEG, PNG and WebP work everywhere.");
  if (busy.value) return notify("Wait for the answer, or stop it, before opening another picture.");
  if (pictures.value.length) waiting.value = files;
  else await place(files, false);
}

export async function place(files: File[], anew: boolean): Promise<void> {
  waiting.value = [];
  opening.value = true;
  try {
    const opened: Picture[] = [];
    for (const file of files) opened.push(await read(file));
    if (anew) startOver();
    pictures.value = [...pictures.value, ...opened];
    shown.value = pictures.value.length - opened.length;
    const { name, width, height } = opened[0];
    news.value = `Opened ${name}, ${width} by ${height} pixels.`;
  } catch (error) {
    notify(error instanceof Error ? error.message : String(error));
  } finally {
    opening.value = false;
  }
}

/** Shown as soon as the browser can decode it; sizes are the server's, which regions are measured in. */
async function read(file: File): Promise<Picture> {
  if (file.size > LARGEST) throw new ServerError(`${file.name} is larger than ${LARGEST / 2 ** 20} MB.`, 413);
  const name = file.name || "pasted picture";
  const kept = await upload(file, name);
  let blob: Blob = file;
  let url = URL.createObjectURL(blob);
  let bitmap = await decoded(url);
  if (!bitmap || bitmap.naturalWidth !== kept.width || bitmap.naturalHeight !== kept.height) {
    URL.revokeObjectURL(url); // the browser reads this file otherwise, or not at all: show what the server sees
    blob = await upright(kept.id);
    url = URL.createObjectURL(blob);
    bitmap = await decoded(url);
  }
  if (!bitmap) throw new ServerError(`${name} cannot be shown.`, 0);
  return { name, blob, url, bitmap, width: kept.width, height: kept.height, id: Promise.resolve(kept.id) };
}

async function decoded(url: string): Promise<HTMLImageElement | null> {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return image;
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

export async function openSample(name: string, url: string): Promise<void> {
  try {
    const blob = await bytes(url);
    await openFiles([new File([blob], name.includes(".") ? name : `${name}.${blob.type.split("/")[1] ?? "png"}`, { type: blob.type })]);
  } catch (error) {
    notify(error instanceof Error ? error.message : String(error));
  }
}

export function pasted(event: ClipboardEvent): void {
  const files = [...(event.clipboardData?.files ?? [])].filter((f) => f.type.startsWith("image/"));
  if (!files.length) return;
  event.preventDefault();
  void openFiles(files);
}

export const conversing = () => turns.value.length > 0;
