import { createMemoryStore } from "#storage/memory-store.ts";
import { conformanceBacklogMax, storeConformance } from "#storage/store-conformance.ts";

storeConformance("memory", async () => createMemoryStore({ backlogMax: conformanceBacklogMax }));
