/**
 * What a controller writes. Fields have one writer: a second one for the same fields of the same objects is an
 * error at start.
 */
export interface Write {
  /** `pods`, `replicasets.apps`. "*" stands for every resource. */
  readonly resource: string;
  /** A field with all below it (`status`, `metadata.annotations`), "*" for whole objects, or "deletion". */
  readonly fields: string;
  /** Which objects, where several controllers share a resource: `owned by ReplicaSets`. Default: all. */
  readonly of?: string;
}

export interface Writer {
  readonly name: string;
  readonly writes: readonly Write[];
}

/** Throws when two writers claim the same fields. Deleting is open to all: it sets nothing. */
export function assertOneWriter(writers: readonly Writer[]): void {
  const claims = writers.flatMap(({ name, writes }) => writes.map((write) => ({ name, write })));
  for (const [index, one] of claims.entries()) {
    const other = claims
      .slice(index + 1)
      .find((claim) => claim.name !== one.name && overlap(claim.write, one.write));
    if (other) {
      throw new Error(
        `Cannot start "${other.name}": "${one.name}" already writes ${printWrite(one.write)}`,
      );
    }
  }
}

export function printWrite({ resource, fields, of }: Write): string {
  return `${resource} ${fields}${of ? ` (${of})` : ""}`;
}

function overlap(one: Write, other: Write): boolean {
  if (one.fields === "deletion" || other.fields === "deletion") return false;
  if (one.resource !== other.resource || one.of !== other.of) return false;
  return within(one.fields, other.fields) || within(other.fields, one.fields);
}

function within(fields: string, outer: string): boolean {
  return outer === "*" || fields === outer || fields.startsWith(`${outer}.`);
}
