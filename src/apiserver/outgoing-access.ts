import type { Trust } from "#apiserver/outgoing.ts";

/** What a kubeconfig says of a service that the API server asks; certificates and keys are PEM. */
export interface OutgoingAccess {
  readonly server: string;
  readonly ca?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly token?: string;
  readonly serverName?: string;
}

/** How requests to it are sent: whom to trust, and as whom. */
export function credentialsOf({ ca, clientCert, clientKey, token, serverName }: OutgoingAccess): {
  readonly trust: Trust;
  readonly headers: Readonly<Record<string, string>>;
} {
  return {
    trust: {
      ...(ca !== undefined && { authorities: ca }),
      ...(serverName !== undefined && { serverName }),
      ...(clientCert !== undefined &&
        clientKey !== undefined && { client: { certificate: clientCert, key: clientKey } }),
    },
    headers: {
      "content-type": "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
  };
}
