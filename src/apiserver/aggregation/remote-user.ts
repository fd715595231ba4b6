import type { UserInfo } from "#apiserver/request.ts";

/** Headers that tell an extension server on whose behalf it is asked; it believes them from the front proxy alone. */
export function remoteUserHeaders(user: UserInfo): Record<string, string | readonly string[]> {
  const extra = Object.entries(user.extra ?? {}).map(
    ([key, values]) => [`x-remote-extra-${headerKey(key)}`, values] as const,
  );
  return {
    "x-remote-user": user.name,
    ...(user.uid && { "x-remote-uid": user.uid }),
    ...(user.groups.length > 0 && { "x-remote-group": user.groups }),
    ...Object.fromEntries(extra.filter(([, values]) => values.length > 0)),
  };
}

/** Whether a header would be taken for one of these: never passed on from outside. */
export function isUserHeader(name: string): boolean {
  return name.startsWith("x-remote-") || name.startsWith("impersonate-");
}

/** What cannot stand in the name of a header is percent-encoded, and so is the percent sign. */
function headerKey(key: string): string {
  const bytes = new TextEncoder().encode(key.toLowerCase());
  return Array.from(bytes, (byte) => {
    const letter = String.fromCharCode(byte);
    return /[!#$&'*+.^_`|~\w-]/.test(letter) && byte < 0x80
      ? letter
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}
