import { createPrivateKey, createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import { keyId } from "#apiserver/node/tokens/key-id.ts";
import type { TokenAuthenticator } from "#apiserver/node/authenticate.ts";
import type { TokenClaims, TokenIssuer, TokenReviewer } from "#apiserver/parts.ts";
import type { UserInfo } from "#apiserver/request.ts";

export interface SignerParts {
  /** PKCS #8 in PEM, P-256. */
  readonly key: string;
  /** The `iss` claim: `https://kubernetes.default.svc.cluster.local`. */
  readonly issuer: string;
  readonly clock: Clock;
}

/** Signs service-account tokens as upstream's do (KEP-1205): ES256 JWTs with a `kubernetes.io` claim. */
export function createTokenSigner(parts: SignerParts): TokenIssuer {
  const key = createPrivateKey(parts.key);
  const publicKey = createPublicKey(key);
  return {
    async issue(request) {
      const { SignJWT } = await import("jose");
      const issuedSeconds = Math.floor(parts.clock.now() / 1000);
      const expiresSeconds = issuedSeconds + request.expirationSeconds;
      const token = await new SignJWT({ "kubernetes.io": claimOf(request) })
        .setProtectedHeader({ alg: "ES256", kid: await keyId(publicKey) })
        .setIssuer(parts.issuer)
        .setSubject(`system:serviceaccount:${request.namespace}:${request.serviceAccount.name}`)
        .setAudience(request.audiences.length > 0 ? [...request.audiences] : [parts.issuer])
        .setIssuedAt(issuedSeconds)
        .setNotBefore(issuedSeconds)
        .setExpirationTime(expiresSeconds)
        .setJti(crypto.randomUUID())
        .sign(key);
      return { token, expiresAtMs: expiresSeconds * 1000 };
    },
  };
}

interface KubernetesClaim {
  readonly namespace: string;
  readonly serviceaccount: { readonly name: string; readonly uid: string };
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly secret?: { readonly name: string; readonly uid: string };
  readonly node?: { readonly name: string; readonly uid: string };
}

function claimOf(request: TokenClaims): KubernetesClaim {
  const { boundTo } = request;
  return {
    namespace: request.namespace,
    serviceaccount: request.serviceAccount,
    ...(boundTo && { [boundTo.kind.toLowerCase()]: { name: boundTo.name, uid: boundTo.uid } }),
    ...(request.node && { node: request.node }),
  };
}

export interface VerifierParts extends SignerParts {
  /** The uid of an object that exists now, by its kind. */
  readonly uidOf: (
    kind: "ServiceAccount" | "Pod" | "Secret" | "Node",
    namespace: string,
    name: string,
  ) => Promise<string | undefined>;
}

/** A token as checked against its signature: kept so that the next request with it costs no signature check. */
interface Checked {
  readonly claim: KubernetesClaim;
  readonly tokenId: string;
  readonly expiresMs: number;
  readonly audiences: readonly string[];
}

const checkedMax = 10_000;

/** Accepts what the signer with the same key issued, while the account and the bound object exist. */
export interface TokenVerifier extends TokenReviewer {
  /** For requests: the token must be meant for the API server itself. */
  readonly authenticate: TokenAuthenticator;
}

export function createTokenVerifier(parts: VerifierParts): TokenVerifier {
  const publicKey = createPublicKey(createPrivateKey(parts.key));
  const checked = new Map<string, Checked>();
  const valid = async (token: string): Promise<Checked | undefined> => {
    const found = checked.get(token) ?? (await check(token, parts, publicKey));
    checked.delete(token);
    if (found === undefined || found.expiresMs <= parts.clock.now()) return undefined;
    remember(checked, token, found);
    return (await stillExists(found.claim, parts)) ? found : undefined;
  };
  const review: TokenReviewer["review"] = async (token, wanted) => {
    const found = await valid(token);
    const audiences = wanted.length > 0 ? wanted : [parts.issuer];
    const shared = audiences.filter((audience) => found?.audiences.includes(audience));
    return found && shared.length > 0 ? { user: userOf(found), audiences: shared } : undefined;
  };
  return { review, authenticate: async (token) => (await review(token, []))?.user };
}

function remember(checked: Map<string, Checked>, token: string, found: Checked): void {
  checked.set(token, found);
  if (checked.size <= checkedMax) return;
  const oldest = checked.keys().next();
  if (!oldest.done) checked.delete(oldest.value);
}

async function check(
  token: string,
  parts: VerifierParts,
  publicKey: KeyObject,
): Promise<Checked | undefined> {
  const { errors, jwtVerify } = await import("jose");
  try {
    const { payload } = await jwtVerify(token, publicKey, {
      issuer: parts.issuer,
      algorithms: ["ES256"],
      currentDate: new Date(parts.clock.now()),
      requiredClaims: ["exp", "aud", "sub"],
    });
    const claim = payload["kubernetes.io"] as KubernetesClaim | undefined;
    if (claim === undefined) return undefined;
    return {
      claim,
      tokenId: payload.jti ?? "",
      expiresMs: (payload.exp ?? 0) * 1000,
      audiences: [payload.aud ?? []].flat(),
    };
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}

async function stillExists(claim: KubernetesClaim, parts: VerifierParts): Promise<boolean> {
  const { namespace, serviceaccount, pod, secret } = claim;
  const isThere = async (
    kind: Parameters<VerifierParts["uidOf"]>[0],
    at: { name: string; uid: string },
  ): Promise<boolean> =>
    (await parts.uidOf(kind, kind === "Node" ? "" : namespace, at.name)) === at.uid;
  if (!(await isThere("ServiceAccount", serviceaccount))) return false;
  if (pod && !(await isThere("Pod", pod))) return false;
  if (secret && !(await isThere("Secret", secret))) return false;
  // A pod's token names its node for information; only a token bound to the node itself ends with it.
  return claim.node === undefined || pod !== undefined || isThere("Node", claim.node);
}

function userOf({ claim, tokenId }: Checked): UserInfo {
  const { namespace, serviceaccount, pod, node } = claim;
  return {
    name: `system:serviceaccount:${namespace}:${serviceaccount.name}`,
    uid: serviceaccount.uid,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`],
    extra: {
      "authentication.kubernetes.io/credential-id": [`JTI=${tokenId}`],
      ...(pod && {
        "authentication.kubernetes.io/pod-name": [pod.name],
        "authentication.kubernetes.io/pod-uid": [pod.uid],
      }),
      ...(node && {
        "authentication.kubernetes.io/node-name": [node.name],
        "authentication.kubernetes.io/node-uid": [node.uid],
      }),
    },
  };
}
