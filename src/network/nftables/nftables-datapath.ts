import { messageOf, type Log } from "#base/log.ts";
import type { Datapath, ServiceRule } from "#network/datapath.ts";
import { parseRange } from "#network/ip-range.ts";
import {
  compileService,
  joinServices,
  type CompiledService,
} from "#network/nftables/compile-services.ts";
import { fixedChains, type TableRanges } from "#network/nftables/fixed-chains.ts";
import { diffRulesets, emptyRuleset, type Ruleset } from "#network/nftables/ruleset.ts";
import { endStaleFlows, goneFlows } from "#network/nftables/stale-flows.ts";
import type { Run } from "#network/run.ts";

export interface NftablesOptions {
  /** The name of this cluster's table of the family `ip`. */
  readonly table: string;
  readonly ranges: TableRanges;
  readonly run: Run;
  readonly log: Log;
}

/**
 * Services as one nftables table (IPv4). The first `apply` replaces what an earlier process left, in one transaction;
 * later ones send only what changed. Disposing of it leaves the table, so traffic goes on without this process.
 */
export async function createNftablesDatapath(options: NftablesOptions): Promise<Datapath> {
  try {
    await options.run("nft", ["--version"]);
  } catch (cause) {
    throw new Error("Cannot carry service traffic: nftables is not usable here", { cause });
  }
  return new NftablesDatapath(options);
}

/** Removes the table, if it is there. */
export async function removeTable(table: string, run: Run): Promise<void> {
  await run("nft", ["-f", "-"], `add table ip ${table}\ndelete table ip ${table}\n`);
}

/** The complete text that makes the table hold these services, whatever it held before. */
export function compileServices(
  table: string,
  ranges: TableRanges,
  rules: readonly ServiceRule[],
): string {
  const podRange = parseRange(ranges.podCidr);
  const wanted = joinServices(rules, (rule) => compileService(rule, podRange));
  return replacement(table, ranges, wanted);
}

function replacement(table: string, ranges: TableRanges, wanted: Ruleset): string {
  const start = `add table ip ${table}\ndelete table ip ${table}\n`;
  return start + fixedChains(table, ranges) + diffRulesets(table, emptyRuleset, wanted);
}

interface Applied {
  readonly services: readonly ServiceRule[];
  readonly ruleset: Ruleset;
}

class NftablesDatapath implements Datapath {
  readonly #options: NftablesOptions;
  readonly #compiled = new WeakMap<ServiceRule, CompiledService>();
  #wanted: readonly ServiceRule[] = [];
  /** What the kernel holds; undefined when that is not known. */
  #applied: Applied | undefined;
  #current: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(options: NftablesOptions) {
    this.#options = options;
  }

  /** Calls made while the kernel is busy share the round that follows. */
  apply(services: readonly ServiceRule[]): Promise<void> {
    this.#wanted = services;
    this.#next ??= this.#follow();
    return this.#next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#next?.catch(() => {});
    await this.#current.catch(() => {});
  }

  async #follow(): Promise<void> {
    await this.#current.catch(() => {}); // Whoever asked for that round has been told.
    this.#next = undefined;
    this.#current = this.#make(this.#wanted);
    await this.#current;
  }

  async #make(services: readonly ServiceRule[]): Promise<void> {
    const { run, log } = this.#options;
    const podRange = parseRange(this.#options.ranges.podCidr);
    const ruleset = joinServices(services, (rule) => {
      const compiled = this.#compiled.get(rule) ?? compileService(rule, podRange);
      this.#compiled.set(rule, compiled);
      return compiled;
    });
    const before = this.#applied;
    this.#applied = undefined;
    await this.#send(before, ruleset);
    this.#applied = { services, ruleset };
    await endStaleFlows(goneFlows(before?.services ?? [], services), { run, log });
  }

  async #send(before: Applied | undefined, wanted: Ruleset): Promise<void> {
    const { table, ranges, run, log } = this.#options;
    if (before !== undefined) {
      const change = diffRulesets(table, before.ruleset, wanted);
      if (change === "") return;
      try {
        await run("nft", ["-f", "-"], change);
        return;
      } catch (error) {
        // Somebody else emptied or changed the table: it is made anew as a whole.
        log.warn("service table replaced", { table, reason: messageOf(error) });
      }
    }
    try {
      await run("nft", ["-f", "-"], replacement(table, ranges, wanted));
    } catch (cause) {
      throw new Error(`Cannot make the service table "${table}"`, { cause });
    }
  }
}
