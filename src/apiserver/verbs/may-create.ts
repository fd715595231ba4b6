import { attributesOf, authorize } from "#apiserver/authorize.ts";
import type { Call } from "#apiserver/call.ts";

/** An update or an apply that makes the object needs the right to create it as well. */
export async function assertMayCreate({ server, user, info, request }: Call): Promise<void> {
  const attributes = attributesOf(user, { ...info, verb: "create" }, request.query);
  await authorize(server.authorizer, attributes);
}
