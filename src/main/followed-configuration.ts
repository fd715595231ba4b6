import { readFileSync } from "node:fs";
import type { Log } from "#base/log.ts";
import { registerReloadMetrics, type ReloadMetricsParts } from "#main/reload-metrics.ts";
import { watchFile } from "#main/watched-file.ts";

export interface FollowParts<T> extends ReloadMetricsParts {
  readonly file: string;
  /** Makes of the file's text what is used; `before` is what was used until now. @throws when the text cannot be used */
  readonly read: (text: string, before: T | undefined) => T | Promise<T>;
  readonly log: Log;
}

/** What a file asks for. */
export interface Followed<T> extends Disposable {
  readonly current: T;
}

/**
 * What a file asks for, taken anew whenever the file changes. A new text that cannot be used is logged and counted,
 * and what was before stays in use.
 * @throws when the file cannot be used now
 */
export async function followConfiguration<T>(parts: FollowParts<T>): Promise<Followed<T>> {
  const follower = new Follower(parts);
  try {
    await follower.begin();
    return follower;
  } catch (error) {
    follower[Symbol.dispose]();
    throw error;
  }
}

class Follower<T> implements Followed<T> {
  readonly #parts: FollowParts<T>;
  readonly #metrics: ReturnType<typeof registerReloadMetrics>;
  readonly #watching: Disposable;
  #work: Promise<void> = Promise.resolve();
  #text: string | undefined;
  #taken: { readonly value: T } | undefined;
  #isOver = false;

  constructor(parts: FollowParts<T>) {
    const { file, subject, log } = parts;
    this.#parts = parts;
    this.#metrics = registerReloadMetrics(parts);
    // Watched before it is read: no change goes unseen.
    this.#watching = watchFile(file, {
      changed: () => {
        this.#work = this.#work.then(() => this.#again());
      },
      failed: (error) => log.warn("configuration is not watched", { subject, file, error }),
    });
  }

  get current(): T {
    if (this.#taken === undefined) throw new Error("the configuration was read first");
    return this.#taken.value;
  }

  begin(): Promise<void> {
    const first = this.#take(readFileSync(this.#parts.file, "utf8")).then((text) =>
      this.#metrics.began(text),
    );
    this.#work = first.catch(() => {});
    return first;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#watching[Symbol.dispose]();
  }

  async #again(): Promise<void> {
    if (this.#isOver) return;
    const { file, subject, log } = this.#parts;
    try {
      const text = readFileSync(file, "utf8");
      if (text === this.#text) return;
      this.#metrics.succeeded(await this.#take(text));
      log.info("configuration taken up", { subject, file });
    } catch (error) {
      this.#metrics.failed();
      log.error("configuration cannot be used, the one before stays", { subject, file, error });
    }
  }

  async #take(text: string): Promise<string> {
    this.#text = text;
    this.#taken = { value: await this.#parts.read(text, this.#taken?.value) };
    return text;
  }
}
