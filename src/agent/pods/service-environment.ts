import type { Service } from "#api/generated/types.ts";

/** The variables that tell of services: `WEB_SERVICE_HOST`, and the longer ones that Docker's links had. */
export function serviceEnvironment(services: readonly Service[]): Map<string, string> {
  const variables = new Map<string, string>();
  for (const service of services) addService(variables, service);
  return variables;
}

function addService(variables: Map<string, string>, service: Service): void {
  const ip = service.spec?.clusterIP ?? "";
  const ports = service.spec?.ports ?? [];
  const [first] = ports;
  if (ip === "" || ip === "None" || first === undefined) return;
  const prefix = variableName(service.metadata.name ?? "");
  const host = ip.includes(":") ? `[${ip}]` : ip;
  variables.set(`${prefix}_SERVICE_HOST`, ip);
  variables.set(`${prefix}_SERVICE_PORT`, String(first.port));
  for (const { name, port } of ports) {
    if (name) variables.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
  }
  for (const [index, { port, protocol = "TCP" }] of ports.entries()) {
    const address = `${protocol.toLowerCase()}://${host}:${port}`;
    const long = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
    if (index === 0) variables.set(`${prefix}_PORT`, address);
    variables.set(long, address);
    variables.set(`${long}_PROTO`, protocol.toLowerCase());
    variables.set(`${long}_PORT`, String(port));
    variables.set(`${long}_ADDR`, ip);
  }
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}
