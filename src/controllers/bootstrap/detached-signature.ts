/**
 * The signature of a text with a bootstrap token: a JWS (RFC 7515) in compact form whose payload is left out, HMAC with
 * SHA-256, keyed by the token's secret and named by its id. What upstream puts into `cluster-info`.
 */
export async function detachedSignature(
  content: string,
  token: { readonly id: string; readonly secret: string },
): Promise<string> {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const header = base64Url(bytes(JSON.stringify({ alg: "HS256", kid: token.id })));
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const secret = bytes(token.secret);
  const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
  const signed = bytes(`${header}.${base64Url(bytes(content))}`);
  const signature = await crypto.subtle.sign("HMAC", key, signed);
  return `${header}..${base64Url(new Uint8Array(signature))}`;
}

function base64Url(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
