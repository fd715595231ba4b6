import type { Device } from "#api/generated/types.ts";
import { compileDeviceSelector, type CompiledSelector } from "#api/cel/devices/device-selector.ts";
import { messageOf } from "#base/log.ts";
import type { PublishedDevice } from "#scheduler/devices/pools.ts";

interface Known {
  readonly compiled: CompiledSelector;
  /** A device never changes without becoming another object, so that it is asked once. */
  readonly answers: WeakMap<Device, boolean | string>;
}

/** Expressions that are kept, those used last. */
const expressionsMax = 256;

/** Asks expressions about devices; each pair of them is worked out once. */
export class Selectors {
  readonly #known = new Map<string, Known>();

  /** A text says why it cannot be told. */
  matches(expression: string, { device, driver }: PublishedDevice): boolean | string {
    const { compiled, answers } = this.#find(expression);
    const known = answers.get(device);
    if (known !== undefined) return known;
    const answer = ask(compiled, device, driver);
    answers.set(device, answer);
    return answer;
  }

  #find(expression: string): Known {
    const known = this.#known.get(expression) ?? {
      compiled: compileDeviceSelector(expression),
      answers: new WeakMap<Device, boolean | string>(),
    };
    this.#known.delete(expression);
    this.#known.set(expression, known);
    if (this.#known.size > expressionsMax) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
    return known;
  }
}

function ask({ selector, error }: CompiledSelector, device: Device, driver: string) {
  if (selector === undefined) return `CEL compile error: ${error}`;
  try {
    return selector.matches(device, driver);
  } catch (problem) {
    return `CEL runtime error: ${messageOf(problem)}`;
  }
}
