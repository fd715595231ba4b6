import { deepEqual, equal } from "node:assert/strict";
import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readLogFile } from "#agent/logs/read-log-file.ts";
import type { LogOptions } from "#agent/streams/process-streams.ts";

const line = (second: number, text: string, stream = "stdout", tag = "F"): string =>
  `2026-01-01T00:00:0${second}.000000000Z ${stream} ${tag} ${text}\n`;
const content =
  line(1, "one") +
  line(2, "two", "stderr") +
  line(3, "thr", "stdout", "P") +
  line(3, "ee") +
  line(4, "four");

async function openLog() {
  const dir = await mkdtemp(join(tmpdir(), "kogge-log-"));
  const path = join(dir, "0.log");
  await writeFile(path, content);
  return { path, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
}

const cases: Readonly<Record<string, readonly [Partial<LogOptions>, string]>> = {
  "all of it": [{}, "one\ntwo\nthree\nfour\n"],
  "the last lines": [{ tailLines: 1 }, "four\n"],
  "no lines": [{ tailLines: 0 }, ""],
  "more lines than there are": [{ tailLines: 100 }, "one\ntwo\nthree\nfour\n"],
  "what came since": [{ sinceMs: Date.UTC(2026, 0, 1, 0, 0, 3) }, "three\nfour\n"],
  "so many bytes": [{ limitBytes: 6 }, "one\ntw"],
  "one stream": [{ stream: "Stderr" }, "two\n"],
  "with times": [{ timestamps: true, tailLines: 1 }, "2026-01-01T00:00:04.000000000Z four\n"],
};

for (const [name, [options, expected]] of Object.entries(cases)) {
  test(`readLogFile() reads ${name}`, async () => {
    await using log = await openLog();
    const parts = await Array.fromAsync(readLogFile(ended(log.path), optionsOf(options)));
    equal(Buffer.concat(parts).toString(), expected);
  });
}

test("readLogFile() follows a log through rotation until its container ends", async () => {
  await using log = await openLog();
  let alive = true;
  let end = (): void => {};
  const followed = {
    path: log.path,
    isRunning: async () => alive,
    onEnd: (act: () => void) => {
      end = act;
      return { [Symbol.dispose]() {} };
    },
  };
  const seen: string[] = [];
  const reader = readLogFile(followed, optionsOf({ follow: true, tailLines: 1 }));
  for await (const part of reader) {
    seen.push(String(part));
    if (seen.length === 1) await appendFile(log.path, line(5, "five"));
    if (seen.length === 2) {
      await rename(log.path, `${log.path}.1`);
      await writeFile(log.path, line(6, "six"));
    }
    if (seen.length === 3) {
      alive = false;
      end();
    }
  }
  deepEqual(seen, ["four\n", "five\n", "six\n"]);
});

function ended(path: string): Parameters<typeof readLogFile>[0] {
  return {
    path,
    isRunning: async () => false,
    onEnd: () => ({ [Symbol.dispose]() {} }),
  };
}

function optionsOf(options: Partial<LogOptions>): LogOptions {
  const { signal } = new AbortController();
  return { follow: false, previous: false, timestamps: false, signal, ...options };
}
