import { isFor, type Attempt } from "#apiserver/admission/admission.ts";
import type { Call } from "#apiserver/call.ts";
import { ensureObject, setOrRemove } from "#apiserver/objects/json.ts";
import { userObject } from "#apiserver/reviews/review-answer.ts";

/** Who asks for a certificate is what the server knows, not what the request says. */
export function certificateRequester(call: Call, { operation, object }: Attempt): void {
  if (operation !== "CREATE" || object === undefined) return;
  if (!isFor(call, "certificates.k8s.io", "certificatesigningrequests")) return;
  const spec = ensureObject(object, "spec");
  const user = userObject(call.user);
  for (const field of ["username", "uid", "groups", "extra"]) setOrRemove(spec, field, user[field]);
}
