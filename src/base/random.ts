/** Randomness as an argument: a number in [0, 1), from the platform in a server, from a seed in a simulation. */
export type Random = () => number;

export const systemRandom: Random = Math.random;

/** A repeatable sequence from a 32-bit seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** The letters upstream's generated names use: no vowels, no look-alikes. */
const nameLetters = "bcdfghjklmnpqrstvwxz2456789";

/** A random suffix as `metadata.generateName` gets it. */
export function randomSuffix(random: Random, length = 5): string {
  let suffix = "";
  while (suffix.length < length) {
    suffix += nameLetters[Math.floor(random() * nameLetters.length)] ?? "";
  }
  return suffix;
}

/** A version 4 UUID drawn from `random`. */
export function randomUid(random: Random): string {
  const bytes = Uint8Array.from({ length: 16 }, () => Math.floor(random() * 256));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
