// What the model makes of the picture's pixels, beside the picture at the same size, and where they differ.
import type { JSX } from "preact";
import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Pixels as Seen } from "../server.ts";
import { pixels } from "../server.ts";
import { picture } from "../state.ts";
import { Icon } from "./icons.tsx";

export const pixelsOpen = signal(false);
const SIZES = [8, 16, 32, 64];

interface Triple extends Seen { difference: string }

export function Pixels(): JSX.Element | null {
  return pixelsOpen.value && picture.value ? <PixelDialog /> : null;
}

function PixelDialog(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const size = useSignal(16);
  const three = useSignal<Triple | null>(null);
  const failure = useSignal("");
  useEffect(() => dialog.current!.showModal(), []);
  useEffect(() => {
    const stop = new AbortController();
    [three.value, failure.value] = [null, ""];
    void (async () => {
      try {
        const got = await pixels(`loupe:${await picture.value!.id}`, size.value, stop.signal);
        three.value = { ...got, difference: await difference(got.picture, got.seen) };
      } catch (error) {
        if (!stop.signal.aborted) failure.value = error instanceof Error ? error.message : String(error);
      }
    })();
    return () => stop.abort();
  }, [size.value]);
  return (
    <dialog ref={dialog} class="pixels" aria-labelledby="pixels-title" onClose={() => (pixelsOpen.value = false)}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
      <header>
        <h2 id="pixels-title">What the model keeps of the pixels</h2>
        <button type="button" class="small" onClick={() => dialog.current!.close()} aria-label="Close"><Icon name="close" /></button>
      </header>
      <div class="modes" role="radiogroup" aria-label="Pixels a side">
        {SIZES.map((n) => (
          <label key={n} class={size.value === n ? "on" : ""}>
            <input type="radio" name="pixel-size" checked={size.value === n} onChange={() => (size.value = n)} />{n} × {n}
          </label>
        ))}
      </div>
      {failure.value
        ? <p class="note bad" role="alert"><Icon name="warn" size={16} />{failure.value}</p>
        : (
          <div class="figures" aria-busy={!three.value}>
            <Figure name="The picture" url={three.value?.picture} />
            <Figure name="What the model says" url={three.value?.seen} />
            <Figure name="Difference, four times" url={three.value?.difference} />
          </div>
        )}
      <p class="soft" role="status">
        {three.value ? `Mean error ${three.value.error.toFixed(1)} % of full range. Every pixel is one question to the model.`
          : failure.value ? "" : `Asking ${size.value * size.value} questions…`}
      </p>
    </dialog>
  );
}

function Figure({ name, url }: { name: string; url?: string }): JSX.Element {
  return (
    <figure>
      {url ? <img src={url} alt={name} /> : <div class="blank" />}
      <figcaption>{name}</figcaption>
    </figure>
  );
}

/** How far each channel of each pixel is off, as a picture. */
async function difference(a: string, b: string): Promise<string> {
  const [one, other] = await Promise.all([a, b].map(async (url) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    return image;
  }));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [other.naturalWidth, other.naturalHeight];
  const pen = canvas.getContext("2d", { willReadFrequently: true })!;
  const read = (image: HTMLImageElement) => {
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    return pen.getImageData(0, 0, canvas.width, canvas.height);
  };
  const [p, q] = [read(one), read(other)];
  q.data.forEach((value, k) => {
    if (k % 4 !== 3) q.data[k] = 4 * Math.abs(p.data[k] - value); // a clamped array: 255 at most
  });
  pen.putImageData(q, 0, 0);
  return canvas.toDataURL();
}
