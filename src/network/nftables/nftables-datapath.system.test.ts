import { silentLog } from "#base/log.ts";
import { datapathConformance } from "#network/datapath-conformance.ts";
import { testbedRanges } from "#network/datapath-testbed.ts";
import { createNftablesDatapath } from "#network/nftables/nftables-datapath.ts";
import { missing } from "#test/needs.ts";

datapathConformance("nftables", {
  skip: missing("linux", "root", "nft"),
  open: ({ run }) =>
    createNftablesDatapath({ table: "kogge_test", ranges: testbedRanges, run, log: silentLog }),
});
