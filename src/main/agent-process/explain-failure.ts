import { messageOf } from "#base/log.ts";
import { StatusError } from "#api/status.ts";

/** Whether trying again later may help: nothing was answered. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof StatusError) return error.status.code >= 500 || error.status.code === 429;
  const code = codeOf(error);
  return code !== undefined && unreachable.has(code);
}

/** Says what a failure to speak to the server means, and what to do. */
export function explainFailure(error: unknown, server: string): Error {
  if (error instanceof StatusError) return explainRefusal(error, server);
  const code = codeOf(error);
  const advice = code === undefined ? undefined : advices[code];
  if (advice === undefined) return error instanceof Error ? error : new Error(messageOf(error));
  return new Error(`Cannot reach ${server}: ${advice}`, { cause: error });
}

const unreachable: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "ENOTFOUND",
  "SILENT",
]);

const wrongAuthority =
  "its certificate is not of the cluster that this node joined; is it the right server? To join another cluster, choose another --data-dir";

const advices: Readonly<Record<string, string>> = {
  ECONNREFUSED:
    "nothing listens there; start the server with --host 0.0.0.0 if it is on another machine",
  EHOSTUNREACH: "there is no way to that machine",
  ENETUNREACH: "there is no way to that network",
  ETIMEDOUT: "nobody answers; a firewall may be in between",
  SILENT: "nobody answers; a firewall may be in between",
  ENOTFOUND: "nobody knows that name",
  EAI_AGAIN: "nobody knows that name at the moment",
  CERT_NOT_YET_VALID:
    "its certificate is not valid yet by this machine's clock; set the clock (timedatectl set-ntp true)",
  CERT_HAS_EXPIRED:
    "its certificate has expired by this machine's clock; set the clock, or restart the server, which then makes another",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: wrongAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: wrongAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: wrongAuthority,
  CERT_SIGNATURE_FAILURE: wrongAuthority,
  ERR_TLS_CERT_ALTNAME_INVALID:
    "its certificate does not name this address; use one of the server's own, or start it with --advertise-address",
  EPROTO: "it does not speak TLS there",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS there",
};

function explainRefusal({ status }: StatusError, server: string): Error {
  if (status.code !== 401) return new Error(`${server} refused: ${status.message}`);
  return new Error(
    `${server} does not know this node any more: its certificate or token has expired or was taken back; join again with --token (\`kogge token create\` where the server runs)`,
  );
}

/** The code of the failure, or of what caused it. */
function codeOf(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === "string") return code;
    if (at.message === "it does not answer") return "SILENT";
    if (at instanceof AggregateError) {
      const [first] = at.errors as readonly unknown[];
      if (first !== undefined) return codeOf(first);
    }
  }
  return undefined;
}
