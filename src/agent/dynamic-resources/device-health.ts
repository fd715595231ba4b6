import type { Clock } from "#base/clock.ts";
import type { ReportedHealth } from "#agent/dynamic-resources/dra-plugin.ts";

interface Known {
  readonly health: ReportedHealth["health"];
  readonly message: string;
  /** From then on nothing is known, unless it is reported again. */
  readonly untilMs: number;
}

export interface DeviceHealthParts {
  readonly clock: Clock;
  /** Called with the driver's devices (`pool/device`) of which something else is known now. */
  readonly onChange: (driver: string, devices: ReadonlySet<string>) => void;
}

const usualTimeoutSeconds = 30;
const messageBytesMax = 1024;
const unknown = { health: "Unknown", message: "" } as const;

/** How well devices are, as drivers reported last; a report that has become old says nothing. */
export class DeviceHealth implements Disposable {
  readonly #parts: DeviceHealthParts;
  readonly #drivers = new Map<string, Map<string, Known>>();
  #cancel: () => void = () => {};

  constructor(parts: DeviceHealthParts) {
    this.#parts = parts;
  }

  of(driver: string, device: string): Pick<Known, "health" | "message"> {
    const known = this.#drivers.get(driver)?.get(device);
    if (known === undefined || known.untilMs <= this.#parts.clock.now()) return unknown;
    return known;
  }

  report(driver: string, devices: readonly ReportedHealth[]): void {
    const known = this.#drivers.get(driver) ?? new Map<string, Known>();
    this.#drivers.set(driver, known);
    const changed = new Set<string>();
    for (const { poolName, deviceName, health, message, timeoutSeconds } of devices) {
      const device = `${poolName}/${deviceName}`;
      const before = this.of(driver, device);
      const text = shortened(message);
      if (before.health !== health || before.message !== text) changed.add(device);
      const seconds = timeoutSeconds > 0 ? timeoutSeconds : usualTimeoutSeconds;
      known.set(device, {
        health,
        message: text,
        untilMs: this.#parts.clock.now() + seconds * 1000,
      });
    }
    this.#schedule();
    if (changed.size > 0) this.#parts.onChange(driver, changed);
  }

  /** Nobody reports of its devices any more. */
  forget(driver: string): void {
    const known = this.#drivers.get(driver);
    if (!this.#drivers.delete(driver)) return;
    this.#schedule();
    this.#parts.onChange(driver, new Set(known?.keys()));
  }

  [Symbol.dispose](): void {
    this.#cancel();
    this.#drivers.clear();
  }

  #schedule(): void {
    this.#cancel();
    const all = [...this.#drivers.values()].flatMap((known) => [...known.values()]);
    if (all.length === 0) return;
    const firstMs = Math.min(...all.map(({ untilMs }) => untilMs));
    const delayMs = Math.max(0, firstMs - this.#parts.clock.now());
    this.#cancel = this.#parts.clock.after(delayMs, () => this.#expire());
  }

  #expire(): void {
    const nowMs = this.#parts.clock.now();
    const changes: (readonly [string, ReadonlySet<string>])[] = [];
    for (const [driver, known] of this.#drivers) {
      const old = [...known].filter(([, { untilMs }]) => untilMs <= nowMs);
      for (const [device] of old) known.delete(device);
      const changed = old.filter(([, { health }]) => health !== "Unknown");
      if (changed.length > 0) changes.push([driver, new Set(changed.map(([device]) => device))]);
    }
    this.#schedule();
    for (const [driver, devices] of changes) this.#parts.onChange(driver, devices);
  }
}

function shortened(message: string): string {
  const bytes = Buffer.from(message);
  if (bytes.length <= messageBytesMax) return message;
  return `${bytes.subarray(0, messageBytesMax - 3).toString()}...`;
}
