/** Just enough of the Kubernetes API: requests with what a kubeconfig says. */
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { parse } from "yaml";

interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly "certificate-authority-data": string };
  }[];
  readonly users: readonly {
    readonly user: {
      readonly "client-certificate-data": string;
      readonly "client-key-data": string;
    };
  }[];
}

export interface Api {
  /** What the server answers, decoded; a status of 300 and more is an error with its code. */
  send(method: string, path: string, body?: object): Promise<unknown>;
  /** Calls back with `OPENED`, then with the type of each event of the watch, until it ends. */
  watch(path: string, onEvent: (type: string) => void): Promise<void>;
}

export class ApiError extends Error {
  readonly code: number;

  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

/** The first cluster and user of the file count. */
export function openApi(kubeconfig: string): Api {
  const { clusters, users } = parse(readFileSync(kubeconfig, "utf8")) as Kubeconfig;
  const [cluster, user] = [clusters[0]?.cluster, users[0]?.user];
  if (!cluster || !user) throw new Error(`"${kubeconfig}" has no cluster or no user`);
  const bytes = (data: string) => Buffer.from(data, "base64");
  const agent = new Agent({
    keepAlive: true,
    ca: bytes(cluster["certificate-authority-data"]),
    cert: bytes(user["client-certificate-data"]),
    key: bytes(user["client-key-data"]),
  });
  const open = (
    method: string,
    path: string,
    body: object | undefined,
    onText: (text: string) => void,
  ) =>
    new Promise<number>((resolve, reject) => {
      const headers = { "content-type": "application/json", accept: "application/json" };
      const asking = request(
        new URL(path, cluster.server),
        { method, headers, agent },
        (answer) => {
          answer.setEncoding("utf8");
          onText("");
          answer.on("data", onText);
          answer.on("error", reject);
          answer.on("end", () => resolve(answer.statusCode ?? 0));
        },
      );
      asking.on("error", reject);
      asking.end(body && JSON.stringify(body));
    });
  return {
    async send(method, path, body) {
      let text = "";
      const status = await open(method, path, body, (more) => (text += more));
      if (status >= 300) throw new ApiError(status, text);
      return JSON.parse(text);
    },
    async watch(path, onEvent) {
      let rest = "";
      await open("GET", path, undefined, (more) => {
        if (more === "") return onEvent("OPENED");
        const lines = `${rest}${more}`.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) onEvent((JSON.parse(line) as { type: string }).type);
      });
    },
  };
}
