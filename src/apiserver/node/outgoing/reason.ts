/** Why a connection failed in the words of Go's client, which users know and search for. */
export function reasonOf(
  error: unknown,
  to: { readonly host?: string | null; readonly port?: number | string | null },
): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const address = `${bracketed(to.host ?? "")}:${to.port ?? 443}`;
  const network = networkReasons[code];
  if (network !== undefined) return `dial tcp ${address}: ${network}`;
  if (code === "ENOTFOUND") return `dial tcp: lookup ${to.host}: no such host`;
  if (code === "ECONNRESET") return message === "socket hang up" ? "EOF" : `read tcp: ${message}`;
  const certificate = certificateReasons[code];
  if (certificate !== undefined) return `tls: failed to verify certificate: x509: ${certificate}`;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `tls: failed to verify certificate: x509: certificate is not valid for the name it was asked by: ${message}`;
  }
  return message;
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

const networkReasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "i/o timeout",
};

const unknownAuthority = "certificate signed by unknown authority";
const expired = "certificate has expired or is not yet valid";

const certificateReasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: expired,
  CERT_NOT_YET_VALID: expired,
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
};
