import { pipeline, type Readable, Transform } from "node:stream";
import type { Clock } from "#base/clock.ts";

/** The same bytes; it ends with an error, and ends the source, when for so long nothing came or nobody read. */
export function limitIdle(
  source: Readable,
  { clock, idleMs }: { readonly clock: Clock; readonly idleMs: number },
): Readable {
  let lastMs = clock.now();
  let cancel: () => void = () => {};
  const passed = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      lastMs = clock.now();
      done(null, chunk);
    },
  });
  const look = (): void => {
    const leftMs = lastMs + idleMs - clock.now();
    if (leftMs > 0) cancel = clock.after(leftMs, look);
    else passed.destroy(new Error(`nothing came for ${idleMs / 1000} s`));
  };
  look();
  pipeline(source, passed, () => cancel());
  return passed;
}
