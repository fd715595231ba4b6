import type { FirstObject } from "#apiserver/bootstrap/first-objects.ts";
import type { ApiServerParts, ClientAuthentication } from "#apiserver/parts.ts";

/** `kube-system/extension-apiserver-authentication`: how servers that extend the API tell who asks. */
export function clientAuthentication({
  clientAuthentication: given,
}: ApiServerParts): FirstObject[] {
  if (given === undefined) return [];
  const metadata = { name: "extension-apiserver-authentication", namespace: "kube-system" };
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data: dataOf(given) };
  return [{ group: "", version: "v1", resource: "configmaps", object }];
}

function dataOf({ clientCaPem, frontProxy }: ClientAuthentication): Record<string, string> {
  const data = { "client-ca-file": clientCaPem };
  if (frontProxy === undefined) return data;
  return {
    ...data,
    "requestheader-client-ca-file": frontProxy.caPem,
    "requestheader-allowed-names": JSON.stringify([frontProxy.name]),
    "requestheader-username-headers": '["X-Remote-User"]',
    "requestheader-uid-headers": '["X-Remote-Uid"]',
    "requestheader-group-headers": '["X-Remote-Group"]',
    "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
  };
}
