// The server's API. Paths are relative, so the page works behind a prefix.
import { signal } from "@preact/signals";
import type { Region, Shape } from "./shapes.ts";
import type { Problem } from "./state.ts";

export type WireRegion = Shape & { image?: number; score?: number | null; phrase?: string | null; index?: number };
export interface Said { content: string; regions: WireRegion[]; problems: Problem[]; absent?: boolean }

export class ServerError extends Error {
  constructor(message: string, readonly status: number, readonly retryAfter = 0) {
    super(message);
  }
}

export const keyWanted = signal(false);
let key = sessionStorage.getItem("loupe-key") ?? "";

export function useKey(value: string): void {
  key = value.trim();
  sessionStorage.setItem("loupe-key", key);
  keyWanted.value = false;
}

export async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (key) headers.set("Authorization", `Bearer ${key}`);
  let response: Response;
  try {
    response = await fetch(new URL(path.replace(/^\//, ""), document.baseURI), { ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ServerError("The server does not answer. Is `loupe serve` still running?", 0);
  }
  if (response.ok) return response;
  if (response.status === 401) keyWanted.value = true;
  throw new ServerError(await reason(response), response.status, Number(response.headers.get("Retry-After")) || 0);
}

async function reason(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const data = JSON.parse(text);
    const said = data.error?.message ?? data.detail ?? data.message;
    if (typeof said === "string") return said;
  } catch {
    // not JSON: the status says what is known
  }
  if (response.status === 429) return "The server is full just now. Try again in a moment.";
  if (response.status === 413) return "This is larger than the server takes.";
  return `The server says ${response.status} ${response.statusText}`.trim();
}

const post = (path: string, body: object, signal?: AbortSignal) => call(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal,
});

export async function upload(file: Blob, name: string): Promise<{ id: string; width: number; height: number }> {
  const form = new FormData();
  form.append("file", file, name);
  return (await call("v1/images", { method: "POST", body: form })).json();
}

export const upright = async (id: string) => (await call(`v1/images/${id}`)).blob();

export async function models(): Promise<{ id: string; capabilities: string[] | null }> {
  const { data } = await (await call("v1/models")).json();
  const first = data?.[0] ?? { id: "" };
  return { id: first.id, capabilities: first.capabilities ?? null };
}

export const samples = async (): Promise<{ name: string; url: string }[]> => (await call("samples")).json();

export const bytes = async (url: string) => (await call(url)).blob();

export function wire(region: Region): WireRegion {
  return { ...region.shape, image: region.image };
}

export interface Listener {
  text(delta: string): void;
  region(region: WireRegion, index: number): void;
  problem(problem: Problem): void;
}

/** Ask, and hear the answer piece by piece. */
export async function chat(name: string, messages: object[], listener: Listener, signal: AbortSignal): Promise<void> {
  const body = { model: name, messages, stream: true };
  const response = await post("v1/chat/completions", body, signal);
  let count = 0;
  for await (const data of events(response.body!)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new ServerError(chunk.error.message ?? "The server broke off.", 200);
    const delta = chunk.choices?.[0]?.delta ?? {};
    if (delta.content) listener.text(delta.content);
    for (const region of delta.regions ?? []) {
      listener.region(region, region.index ?? count);
      count++;
    }
    for (const problem of delta.problems ?? chunk.choices?.[0]?.problems ?? []) listener.problem(problem);
  }
}

/** The data of server-sent events; events end with an empty line. */
export async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    rest += (value ?? "").replaceAll("\r\n", "\n");
    const whole = rest.split("\n\n");
    rest = done ? "" : whole.pop()!;
    for (const event of whole) {
      const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim());
      if (data.length) yield data.join("\n");
    }
    if (done) return;
  }
}

/** One of /v1/regions/*: words, regions, or that there is none. */
export async function about(verb: "describe" | "locate" | "segment" | "ask", body: object,
                            signal?: AbortSignal): Promise<Said> {
  const data = await (await post(`v1/regions/${verb}`, body, signal)).json();
  return {
    content: data.content ?? "",
    regions: data.regions ?? (data.region ? [data.region] : []),
    problems: data.problems ?? [],
    absent: data.absent ?? false,
  };
}

export interface Pixels { seen: string; picture: string; error: number } // data URLs; mean difference in per cent

export async function pixels(image: string, size: number, signal?: AbortSignal): Promise<Pixels> {
  return (await post("v1/regions/pixels", { image, size }, signal)).json();
}
