import { deepEqual, equal, rejects } from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { logPage } from "#agent/stats/log-pages.ts";

test("logPage() shows what is below its folder and nothing else", async () => {
  const root = await mkdtemp(join(tmpdir(), "kogge-logs-"));
  try {
    const logs = join(root, "logs");
    await mkdir(join(logs, "pods"), { recursive: true });
    await writeFile(join(root, "secret"), "x");
    await writeFile(join(logs, "a<b.log"), "hello\n");
    await symlink("../secret", join(logs, "out"));
    const { body, contentType } = await logPage(logs, "/");
    deepEqual(
      [contentType, body],
      [
        "text/html; charset=utf-8",
        '<pre>\n<a href="a%3Cb.log">a&lt;b.log</a>\n<a href="out">out</a>\n<a href="pods/">pods/</a>\n</pre>\n',
      ],
    );
    equal(await text((await logPage(logs, "/a%3Cb.log")).body as Readable), "hello\n");
    for (const path of ["/out", "/missing", "/a%3Cb.log/x"]) {
      await rejects(logPage(logs, path), { message: "404 page not found" });
    }
    await rejects(logPage(logs, "/%2e%2e/secret"), { message: "invalid URL path" });
  } finally {
    await rm(root, { recursive: true });
  }
});
