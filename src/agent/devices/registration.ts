import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { devicePluginTable } from "#agent/devices/device-messages.ts";
import { RpcRefusal, serveSocket } from "#agent/devices/serve-socket.ts";

const version = "v1beta1";
const invalidArgument = 3;

interface RegisterRequest {
  readonly version: string;
  readonly endpoint: string;
  readonly resourceName: string;
}

/**
 * Where plugins register: `kubelet.sock` in the folder where their own sockets lie. Plugins watch it: when it is made
 * anew they register again. Sockets that are left from before are removed, as upstream does.
 */
export async function openRegistration(
  dir: string,
  onPlugin: (resource: string, socket: string) => void,
): Promise<Disposable> {
  for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => [])) {
    if (entry.isSocket()) await rm(join(dir, entry.name), { force: true });
  }
  return serveSocket({
    socket: join(dir, "kubelet.sock"),
    table: devicePluginTable,
    answers: {
      "v1beta1.Registration/Register": (request: RegisterRequest) => {
        check(request);
        onPlugin(request.resourceName, join(dir, request.endpoint));
        return {};
      },
    },
  });
}

function check({ version: asked, resourceName, endpoint }: RegisterRequest): void {
  if (asked !== version) {
    throw new RpcRefusal(
      invalidArgument,
      `requested API version "${asked}" is not supported by kubelet. Supported version is ["${version}"]`,
    );
  }
  if (!isExtendedResource(resourceName)) {
    throw new RpcRefusal(invalidArgument, `the ResourceName "${resourceName}" is invalid`);
  }
  if (!/^[^/\0]+$/.test(endpoint) || endpoint === "." || endpoint === "..") {
    throw new RpcRefusal(invalidArgument, `the endpoint "${endpoint}" is no name of a socket`);
  }
}

/** `example.com/gpu`: a domain that is not Kubernetes' own, and a name. */
export function isExtendedResource(name: string): boolean {
  const [domain = "", rest = "", ...more] = name.split("/");
  if (more.length > 0 || domain.startsWith("requests.")) return false;
  if (domain === "kubernetes.io" || domain.endsWith(".kubernetes.io")) return false;
  return (
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(domain) &&
    /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(rest)
  );
}
