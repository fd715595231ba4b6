import { roundedToMillis } from "#api/validation/quantity.ts";

/** Amounts by resource name: `{ cpu: "500m", memory: "1Gi" }`. */
export type ResourceAmounts = { [name: string]: string };

/** In place: no amount is finer than a thousandth. */
export function roundAmounts(amounts: { [name: string]: unknown } | null | undefined): void {
  for (const [name, amount] of Object.entries(amounts ?? {})) {
    const rounded = roundedToMillis(amount);
    if (amounts && rounded !== amount) amounts[name] = rounded;
  }
}
