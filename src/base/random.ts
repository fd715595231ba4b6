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
  let uid = "";
  for (let at = 0; at < 16; at += 1) {
    let byte = Math.floor(random() * 256);
    if (at === 6) byte = (byte & 0x0f) | 0x40;
    if (at === 8) byte = (byte & 0x3f) | 0x80;
    if (at === 4 || at === 6 || at === 8 || at === 10) uid += "-";
    uid += hexOf[byte] ?? "";
  }
  return uid;
}

const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
