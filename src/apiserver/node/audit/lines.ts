/** Some lines, whole ones, as they go into a file. */
export interface Block {
  readonly bytes: Uint8Array;
  /** Of its lines. */
  readonly count: number;
}

/** Lines of text that wait to be written, as bytes: as strings they would be moved by each collection of new objects. */
export class Lines {
  #waitingBytes = 0;
  #full: Block[] = [];
  #room = Buffer.alloc(0);
  #used = 0;
  #count = 0;

  get isEmpty(): boolean {
    return this.#waitingBytes === 0;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  add(line: string): void {
    const mostBytes = line.length * utf8BytesMax + 1;
    if (this.#used + mostBytes > this.#room.length) {
      this.#close();
      this.#room = Buffer.allocUnsafeSlow(Math.max(mostBytes, blockBytes));
    }
    const lengthBytes = this.#room.write(line, this.#used) + 1;
    this.#used += lengthBytes;
    this.#room[this.#used - 1] = newline;
    this.#waitingBytes += lengthBytes;
    this.#count += 1;
  }

  /** All lines that wait; none does afterwards. */
  take(): readonly Block[] {
    this.#close();
    const blocks = this.#full;
    this.#full = [];
    this.#waitingBytes = 0;
    return blocks;
  }

  /** What was written becomes a block; the room after it is still free. */
  #close(): void {
    if (this.#used > 0) {
      this.#full.push({ bytes: this.#room.subarray(0, this.#used), count: this.#count });
    }
    this.#room = this.#room.subarray(this.#used);
    this.#used = 0;
    this.#count = 0;
  }
}

const blockBytes = 256 * 1024;
/** Of one of JavaScript's characters. */
const utf8BytesMax = 3;
const newline = 0x0a;
