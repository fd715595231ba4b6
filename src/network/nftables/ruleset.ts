/** What a table holds besides its fixed chains: everything by name, so that two of them can be compared. */
export interface Ruleset {
  /** Name → declaration: `{ type ipv4_addr; flags dynamic,timeout; timeout 60s; }`. */
  readonly sets: ReadonlyMap<string, string>;
  /** Name → rules. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** Set or map → key → value; "" in a set. */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

export const emptyRuleset: Ruleset = { sets: new Map(), chains: new Map(), elements: new Map() };

/**
 * The commands for `nft -f` that turn one ruleset into the other in a single transaction; "" when nothing differs.
 * What stays is not touched, so dynamic sets keep their content.
 */
export function diffRulesets(table: string, from: Ruleset, to: Ruleset): string {
  const newSets = [...to.sets].filter(([name]) => !from.sets.has(name));
  const goneSets = [...from.sets.keys()].filter((name) => !to.sets.has(name));
  const newChains = [...to.chains.keys()].filter((name) => !from.chains.has(name));
  const goneChains = [...from.chains.keys()].filter((name) => !to.chains.has(name));
  const changed = [...to.chains].filter(
    ([name, rules]) => !sameRules(from.chains.get(name), rules),
  );
  const lines = [
    ...newSets.map(([name, declaration]) => `add set ip ${table} ${name} ${declaration}`),
    ...newChains.map((name) => `add chain ip ${table} ${name}`),
    ...elementCommands("delete", table, leaving(from, to)),
    ...changed.flatMap(([name, rules]) => [
      ...(from.chains.has(name) ? [`flush chain ip ${table} ${name}`] : []),
      ...rules.map((rule) => `add rule ip ${table} ${name} ${rule}`),
    ]),
    ...elementCommands("add", table, leaving(to, from)),
    // Chains may lead to each other: none can go before all are empty.
    ...goneChains.map((name) => `flush chain ip ${table} ${name}`),
    ...goneChains.map((name) => `delete chain ip ${table} ${name}`),
    ...goneSets.map((name) => `delete set ip ${table} ${name}`),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

type Elements = Ruleset["elements"];

/** The elements of `one` that the other lacks or has with another value. */
function leaving(one: Ruleset, other: Ruleset): Elements {
  const left = new Map<string, Map<string, string>>();
  for (const [set, elements] of one.elements) {
    const others = other.elements.get(set);
    const own = new Map([...elements].filter(([key, value]) => others?.get(key) !== value));
    if (own.size > 0) left.set(set, own);
  }
  return left;
}

function elementCommands(verb: "add" | "delete", table: string, elements: Elements): string[] {
  return [...elements].map(([set, values]) => {
    const list = [...values].map(([key, value]) => (value === "" ? key : `${key} : ${value}`));
    return `${verb} element ip ${table} ${set} { ${list.join(", ")} }`;
  });
}

function sameRules(one: readonly string[] | undefined, other: readonly string[]): boolean {
  if (one === other) return true;
  return one?.length === other.length && one.every((rule, index) => rule === other[index]);
}
