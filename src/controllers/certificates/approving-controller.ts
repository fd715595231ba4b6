import type { CertificateSigningRequest, Node, SubjectAccessReview } from "#api/generated/types.ts";
import { nameOf, parseKey } from "#api/meta.ts";
import { certificateSigningRequests, nodes, subjectAccessReviews } from "#api/resources.ts";
import { approved, isUndecided } from "#controllers/certificates/conditions.ts";
import {
  clientPermissions,
  servesAsItself,
  servingNode,
  type Permission,
} from "#controllers/certificates/plan-approval.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

/** A requester may be given the permission later. */
const askAgainMs = 60_000;

/** Approves what nodes ask for: client certificates by permission, serving certificates by their addresses. */
export function createApprovingController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const requests = informers.of(certificateSigningRequests);
  const nodeInformer = informers.of(nodes);

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const csr = requests.get(parseKey(key));
    if (csr === undefined || !isUndecided(csr)) return;
    const node = servingNode(csr);
    if (node !== undefined) return approveServing(csr, nodeInformer.get({ name: node }), run);
    const permissions = clientPermissions(csr);
    for (const permission of permissions) {
      if (await isAllowed(csr, permission, run)) return approve(csr, permission.message, run);
    }
    if (permissions.length > 0) run.requeue(askAgainMs);
  };

  /** Without the node, or with other addresses, it waits: a change of the node brings it back. */
  const approveServing = async (
    csr: CertificateSigningRequest,
    node: Node | undefined,
    run: Run,
  ): Promise<void> => {
    if (node === undefined || !servesAsItself(csr, node)) return;
    const message = "Auto approving kubelet serving certificate: its names are those of the node.";
    await approve(csr, message, run);
  };

  const approve = async (
    csr: CertificateSigningRequest,
    message: string,
    { signal }: Run,
  ): Promise<void> => {
    const options = { subresource: "approval", signal };
    await client.update(certificateSigningRequests, approved(csr, message), options);
  };

  const isAllowed = async (
    csr: CertificateSigningRequest,
    { subresource }: Permission,
    { signal }: Run,
  ): Promise<boolean> => {
    const answer = await kit.client.create(subjectAccessReviews, reviewOf(csr.spec, subresource), {
      signal,
    });
    return answer.status?.allowed ?? false;
  };

  return createController({
    name: "csrapproving",
    reads: ["certificatesigningrequests.certificates.k8s.io", "nodes"],
    writes: [
      {
        resource: "certificatesigningrequests.certificates.k8s.io",
        fields: "status.conditions.Approved",
      },
    ],
    sources: [
      keysFrom(requests, ({ object }) => [nameOf(object)]),
      keysFrom(nodeInformer, (change) =>
        change.kind === "modified" && addressesOf(change.old) === addressesOf(change.object)
          ? []
          : [...requests.list()]
              .filter((csr) => servingNode(csr) === nameOf(change.object))
              .map(nameOf),
      ),
    ],
    reconcile,
    clock,
    log,
  });
}

function addressesOf({ status }: Node): string {
  return (status?.addresses ?? []).map(({ address }) => address).join(" ");
}

function reviewOf(
  { username, uid, groups, extra }: CertificateSigningRequest["spec"],
  subresource: string,
): SubjectAccessReview {
  return {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    metadata: {},
    spec: {
      ...(username !== undefined && { user: username }),
      ...(uid !== undefined && { uid }),
      ...(groups !== undefined && { groups }),
      ...(extra !== undefined && { extra }),
      resourceAttributes: {
        group: "certificates.k8s.io",
        version: "*",
        resource: "certificatesigningrequests",
        subresource,
        verb: "create",
      },
    },
  };
}
