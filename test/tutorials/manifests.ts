import { images } from "#test/tutorials/shell.ts";

/** A pod template of an application with one container that runs a script by bash. */
export function podTemplate(
  app: string,
  script: string,
  more: { readonly container?: object; readonly spec?: object; readonly metadata?: object } = {},
) {
  return {
    metadata: { labels: { app }, ...more.metadata },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        { name: "main", image: images[0], command: ["bash", "-c", script], ...more.container },
      ],
      ...more.spec,
    },
  };
}

export function headlessService(name: string, app: string, port: number) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, labels: { app } },
    spec: {
      clusterIP: "None",
      selector: { app },
      ports: [{ port, name: "server" }],
      // Members find each other before they are ready.
      publishNotReadyAddresses: true,
    },
  };
}

export function volumeClaim(name: string) {
  return {
    metadata: { name },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "10Mi" } } },
  };
}

/** A file of scripts that pods mount and run. */
export function scripts(name: string, data: Readonly<Record<string, string>>) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data };
}

/** bash's words for "ask HOST for PATH over HTTP, print the body": a static busybox looks up no names. */
export function fetching(host: string, path: string): string {
  const request = `GET ${path} HTTP/1.0\\r\\n\\r\\n`;
  return `exec 3<>/dev/tcp/${host}/80 && printf "${request}" >&3 && sed "1,/^\\r*$/d" <&3`;
}
