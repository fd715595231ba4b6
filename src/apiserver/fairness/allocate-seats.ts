/** What one of several may have: as near to its target as its bounds allow. */
export interface Claim {
  readonly target: number;
  readonly lower: number;
  readonly upper: number;
}

export interface Allocation {
  readonly seats: readonly number[];
  /** The proportion of its target that each gets where its bounds allow it. */
  readonly fairShare: number;
}

/**
 * Divides `total` so that all have the same proportion of their targets, but for those that a bound stops. When the
 * bounds do not allow the sum, every one gets the bound that is nearest.
 */
export function allocateSeats(total: number, claims: readonly Claim[]): Allocation {
  const sumAt = (share: number): number =>
    claims.reduce((sum, claim) => sum + seatsAt(claim, share), 0);
  let low = 0;
  let high = highestShare(claims);
  for (let step = 0; step < steps; step += 1) {
    const middle = (low + high) / 2;
    if (sumAt(middle) < total) low = middle;
    else high = middle;
  }
  return { seats: claims.map((claim) => seatsAt(claim, high)), fairShare: high };
}

/** Halving as often as this leaves nothing of a double's precision. */
const steps = 60;
const targetMin = 0.001;

function seatsAt({ target, lower, upper }: Claim, share: number): number {
  return Math.min(upper, Math.max(lower, share * Math.max(target, targetMin)));
}

/** Where every claim is at its upper bound. */
function highestShare(claims: readonly Claim[]): number {
  return claims.reduce(
    (most, { target, upper }) => Math.max(most, upper / Math.max(target, targetMin)),
    1,
  );
}
