// What is seen before there is a picture.
import type { JSX } from "preact";
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { opening, openFiles, openSample } from "../opening.ts";
import { samples, ServerError } from "../server.ts";
import { Icon, Mark } from "./icons.tsx";

const offered = signal<{ name: string; url: string }[]>([]);

/** Let a person pick files; a phone offers its camera too. */
export function pick(): void {
  const input = document.createElement("input");
  [input.type, input.accept, input.multiple] = ["file", "image/*", true];
  input.addEventListener("change", () => void openFiles(input.files ?? []));
  input.click();
}

export function Beginning(): JSX.Element {
  useEffect(() => {
    samples().then((list) => (offered.value = list), (error) => {
      if (!(error instanceof ServerError)) throw error;
    });
  }, []);
  return (
    <div class="beginning">
      <Mark size={56} />
      <h1>Point at a picture and talk about it</h1>
      <p>Drop a picture here, paste one, or</p>
      <button type="button" class="primary large" onClick={pick} disabled={opening.value}><Icon name="picture" />Choose a picture</button>
      {offered.value.length > 0 && (
        <div class="samples">
          <p class="soft">or begin with one of these</p>
          <ul>
            {offered.value.slice(0, 8).map((sample) => (
              <li key={sample.url}>
                <button type="button" disabled={opening.value} onClick={() => void openSample(sample.name, sample.url)} aria-label={`Open the sample ${sample.name}`} title={sample.name}>
                  <img src={sample.url.replace(/^\//, "")} alt="" loading="lazy" />
                </button>
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
