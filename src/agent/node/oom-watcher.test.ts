import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { type OomVictim, OomWatcher } from "#agent/node/oom-watcher.ts";

test("each process that the machine's memory cost is told of once", async () => {
  const told: OomVictim[] = [];
  const records = [
    "4,1,10,-;Out of memory: Killed process 11 (history) total-vm:1kB, anon-rss:1kB\n",
  ];
  let reads = 0;
  let kills = 1;
  const watcher = new OomWatcher((victim) => told.push(victim), {
    kills: async () => kills,
    async records() {
      reads += 1;
      return records;
    },
  });
  await watcher.look();
  await watcher.look();
  deepEqual([told, reads], [[], 1]);

  records.push(
    "4,2,20,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),global_oom,task=a (b),pid=12,uid=0\n",
    "3,3,21,-;Out of memory: Killed process 12 (a (b)) total-vm:9kB, anon-rss:9kB\n",
    "4,4,30,-;Memory cgroup out of memory: Killed process 13 (limited) total-vm:9kB\n",
    "12,5,40,-;Out of memory: Killed process 14 (written by a program) total-vm:9kB\n",
    "3,6,50,-;Out of memory: Kill process 15 (older) score 900 or sacrifice child\n",
  );
  kills = 4;
  await watcher.look();
  await watcher.look();
  deepEqual(told, [
    { name: "a (b)", pid: 12 },
    { name: "older", pid: 15 },
  ]);
});
