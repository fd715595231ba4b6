import { textResponse } from "#apiserver/content/bytes.ts";
import type { ApiRequest, ApiResponse } from "#apiserver/request.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** `/healthz`, `/livez` and `/readyz`, each alone, with `?verbose`, `?exclude=`, or one check by its name. */
export async function answerHealth(
  state: ServerState,
  request: ApiRequest,
  path: string,
): Promise<ApiResponse | undefined> {
  const [endpoint = "", ...names] = path.split("/").filter(Boolean);
  const checks = checksOf(endpoint);
  const excluded = new Set(request.query.getAll("exclude"));
  const wanted =
    names.length === 0 ? checks : checks.filter(({ name }) => name === names.join("/"));
  if (wanted.length === 0) return undefined;
  const lines: string[] = [];
  let healthy = true;
  for (const check of wanted) {
    const passed = excluded.has(check.name) || (await check.passes(state));
    // As upstream: a check that is asked for by its own path is not counted.
    if (names.length === 0 && !excluded.has(check.name))
      state.metrics.health.observe(check.name, endpoint, passed);
    healthy &&= passed;
    lines.push(lineOf(check.name, passed, excluded.has(check.name)));
  }
  if (!healthy) return textResponse(500, `${lines.join("\n")}\n${endpoint} check failed\n`);
  const verbose = request.query.has("verbose");
  return textResponse(200, verbose ? `${lines.join("\n")}\n${endpoint} check passed\n` : "ok");
}

interface Check {
  readonly name: string;
  passes(state: ServerState): boolean | Promise<boolean>;
}

const ping: Check = { name: "ping", passes: () => true };
const log: Check = { name: "log", passes: () => true };
const storage: Check = {
  name: "etcd",
  passes: (state) =>
    new Promise((resolve) => {
      const cancel = state.clock.after(storageTimeoutMs, () => resolve(false));
      const settle = (passed: boolean): void => {
        cancel();
        resolve(passed);
      };
      state.store.revision().then(
        () => settle(true),
        () => settle(false),
      );
    }),
};
/** As upstream's. */
const storageTimeoutMs = 2_000;
/** The server answers nothing before its cache is loaded, so that this check tells of the stop alone. */
const shutdown: Check = { name: "shutdown", passes: (state) => !state.stopped.aborted };
const informers: Check = { name: "informer-sync", passes: () => true };

function checksOf(endpoint: string): readonly Check[] {
  if (endpoint === "readyz") return [ping, log, storage, informers, shutdown];
  return [ping, log, storage];
}

function lineOf(name: string, passed: boolean, excluded: boolean): string {
  if (excluded) return `[+]${name} excluded: ok`;
  return passed ? `[+]${name} ok` : `[-]${name} failed: reason withheld`;
}
