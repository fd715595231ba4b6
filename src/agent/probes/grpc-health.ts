import type { GRPCAction } from "#api/generated/types.ts";
import type { HandlerResult, HandlerTarget } from "#agent/probes/handlers.ts";

const serving = 1;

/** Asks a server by the standard health protocol (`grpc.health.v1`). gRPC is loaded only when a probe needs it. */
export async function grpcHealth(
  action: GRPCAction,
  target: HandlerTarget,
): Promise<HandlerResult> {
  const { Client, credentials } = await import("@grpc/grpc-js");
  const client = new Client(`${target.podIp}:${action.port}`, credentials.createInsecure());
  const service = Buffer.from(action.service ?? "");
  // `HealthCheckRequest` has the service's name as field 1, `HealthCheckResponse` the status as field 1.
  const request = Buffer.concat([Buffer.from([0x0a, service.length]), service]);
  try {
    const status = await new Promise<number>((resolve, reject) => {
      client.makeUnaryRequest(
        "/grpc.health.v1.Health/Check",
        (value: Buffer) => value,
        (bytes: Buffer) => (bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0),
        request,
        { deadline: Date.now() + target.timeoutMs },
        (error, answer) => (error ? reject(error) : resolve(answer ?? 0)),
      );
    });
    if (status === serving) return { ok: true, output: "" };
    return { ok: false, output: `service unhealthy (responded with "${statusName(status)}")` };
  } finally {
    client.close();
  }
}

function statusName(status: number): string {
  return ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"][status] ?? String(status);
}
