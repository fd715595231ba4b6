/**
 * Deals a hand of different queues to a flow: flows that share one queue seldom share the others, so that one that
 * floods its queues leaves most flows a queue of their own.
 */
export function dealHand(flow: string, deck: number, handSize: number): readonly number[] {
  let entropy = hash(flow);
  const hand: number[] = [];
  for (let left = deck; hand.length < Math.min(handSize, deck); left -= 1) {
    let card = Number(entropy % BigInt(left));
    entropy /= BigInt(left);
    // The card is a position among those that are left.
    for (const taken of hand.toSorted((a, b) => a - b)) if (card >= taken) card += 1;
    hand.push(card);
  }
  return hand;
}

/** FNV-1a, 64 bits: enough for a hand of eight of a thousand queues. */
function hash(text: string): bigint {
  let value = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  }
  return value;
}
