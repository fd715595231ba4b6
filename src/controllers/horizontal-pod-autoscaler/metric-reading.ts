/** What a source of metrics said of one metric of an autoscaler; values in thousandths. */
export type Reading =
  | { readonly kind: "pods"; readonly pods: ReadonlyMap<string, PodReading> }
  /** The value of one object. */
  | { readonly kind: "object"; readonly value: number }
  | { readonly kind: "external"; readonly values: readonly number[] }
  | { readonly kind: "problem"; readonly message: string };

export interface PodReading {
  readonly value: number;
  readonly timestampMs: number;
  readonly windowMs: number;
}
