import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { unsupportedMediaType } from "#apiserver/content/body.ts";

export const applyType = "application/apply-patch+yaml";

/** Server-side apply. */
export function apply(_call: Call): Promise<Answer> {
  return Promise.reject(unsupportedMediaType([]));
}
