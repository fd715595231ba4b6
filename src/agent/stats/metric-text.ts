/** One metric in Prometheus' text form (exposition format 0.0.4), made anew for each answer. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** When it was measured, where that is not the moment of the answer. */
  readonly timeMs?: number;
}

/** Families without a sample are left out. */
export function metricText(families: readonly MetricFamily[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(
      ({ name, help, type, samples }) =>
        `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.map((sample) => line(name, sample)).join("")}`,
    )
    .join("");
}

function line(name: string, { labels, value, timeMs }: MetricSample): string {
  const pairs = Object.keys(labels)
    .toSorted()
    .map((label) => `${label}="${escaped(labels[label] ?? "")}"`);
  const where = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
  return `${name}${where} ${value}${timeMs === undefined ? "" : ` ${Math.round(timeMs)}`}\n`;
}

function escaped(value: string): string {
  return value.replaceAll(/[\\"\n]/g, (sign) => (sign === "\n" ? String.raw`\n` : `\\${sign}`));
}
