/** Closes the connection of a client that takes nothing of its answer for `stalledMs`. */
export class StallGuard {
  readonly #connection: { destroy(): unknown };
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: { destroy(): unknown }) {
    this.#connection = connection;
  }

  /** The connection is full: from now on the client has to read. */
  waiting(): void {
    this.#timer ??= setTimeout(() => this.#connection.destroy(), stalledMs).unref();
  }

  /** The client took what was there, or is gone. */
  moved(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** As long as upstream gives a whole request; here it is the time for what is buffered, at most a block. */
const stalledMs = 60_000;
