import { deepEqual, notEqual, strictEqual } from "node:assert/strict";
import { test } from "node:test";
import { blockBytes, BlockPool, inBlocks } from "#apiserver/node/block-pool.ts";

test("inBlocks() cuts pieces of any size into blocks that hold the same bytes", () => {
  const lengths = [3, blockBytes - 3, 0, 5, 2 * blockBytes + 7, blockBytes - 12, 1];
  const pieces = lengths.map((length, at) => new Uint8Array(length).fill(at + 1));
  const blocks = Array.from(inBlocks(pieces, new BlockPool()), ({ block, used }) =>
    block.slice(0, used),
  );
  deepEqual(
    blocks.map((block) => block.length),
    [blockBytes, blockBytes, blockBytes, blockBytes, 1],
  );
  strictEqual(Buffer.compare(Buffer.concat(blocks), Buffer.concat(pieces)), 0);
});

test("BlockPool hands out again what was given back, and never the same block twice", () => {
  const pool = new BlockPool();
  const first = pool.take();
  pool.giveBack(first);
  strictEqual(pool.take(), first);
  notEqual(pool.take(), first);
});
