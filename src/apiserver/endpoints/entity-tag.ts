import type { ApiRequest } from "#apiserver/request.ts";

/** Upper-case hexadecimal SHA-512, as upstream tags its discovery and OpenAPI documents. */
export async function contentHash(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-512", new Uint8Array(bytes));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0"))
    .join("")
    .toUpperCase();
}

/** Whether the caller has this very content already. */
export function matchesTag(request: ApiRequest, hash: string): boolean {
  const tags = (request.header("if-none-match") ?? "").split(",").map((tag) => tag.trim());
  return tags.some((tag) => tag === "*" || tag.replace(/^W\//, "") === `"${hash}"`);
}
