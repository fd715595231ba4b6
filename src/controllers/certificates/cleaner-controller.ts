import { certificateEndMs } from "#api/certificates/certificate-end.ts";
import type { CertificateSigningRequest } from "#api/generated/types.ts";
import { nameOf, parseKey } from "#api/meta.ts";
import { certificateSigningRequests } from "#api/resources.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createController, keysFrom, type Controller } from "#reconcile/controller.ts";
import { deleteThis } from "#reconcile/delete-this.ts";

/** Removes requests that nobody needs any more, when upstream's times for them are over. */
export function createCleanerController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const requests = informers.of(certificateSigningRequests);
  return createController({
    name: "csrcleaner",
    reads: ["certificatesigningrequests.certificates.k8s.io"],
    writes: [
      {
        resource: "certificatesigningrequests.certificates.k8s.io",
        fields: "deletion",
        of: "no longer needed",
      },
    ],
    sources: [
      keysFrom(requests, ({ kind, object }) => (kind === "deleted" ? [] : [nameOf(object)])),
    ],
    async reconcile(key, run) {
      const csr = requests.get(parseKey(key));
      if (csr === undefined) return;
      const leftMs = removeAtMs(csr) - clock.now();
      if (leftMs > 0) return run.requeue(leftMs);
      const gone = { resource: certificateSigningRequests, object: csr };
      await deleteThis(client, gone, { signal: run.signal });
    },
    clock,
    log,
  });
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** When a request is to go: an hour after it was decided, a day after nobody did, and when its certificate has ended. */
export function removeAtMs(csr: CertificateSigningRequest): number {
  const { conditions = [], certificate } = csr.status ?? {};
  if (conditions.length === 0) return timeOf(csr.metadata.creationTimestamp) + dayMs;
  const ends = conditions.map(({ type, lastUpdateTime }) => {
    const atMs = timeOf(lastUpdateTime);
    if (type === "Denied" || type === "Failed") return atMs + hourMs;
    if (type !== "Approved") return Infinity;
    return certificate ? Math.min(atMs + hourMs, endOf(certificate)) : atMs + dayMs;
  });
  return Math.min(...ends);
}

function endOf(certificate: string): number {
  try {
    return certificateEndMs(atob(certificate)) ?? Infinity;
  } catch {
    return Infinity;
  }
}

/** What has no time does not age. */
function timeOf(time: string | undefined): number {
  return time === undefined ? Infinity : Date.parse(time);
}
