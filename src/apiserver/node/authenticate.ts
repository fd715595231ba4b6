import type { TLSSocket } from "node:tls";
import { anonymous } from "#apiserver/request.ts";
import { authenticatedUser } from "#apiserver/authenticated-user.ts";
import type { UserInfo } from "#apiserver/request.ts";

/** Says who a bearer token belongs to; undefined when it is nobody's. */
export type TokenAuthenticator = (token: string) => Promise<UserInfo | undefined>;

/** What is known of a caller before anything of the request is believed. */
export interface Credentials {
  readonly socket: TLSSocket;
  readonly authorization: string | undefined;
}

/**
 * The user behind a connection or a bearer token, with `system:authenticated` among the groups; the anonymous user
 * when nothing was shown; undefined when what was shown is not valid (401). Without a token it is known at once.
 */
export function authenticate(
  credentials: Credentials,
  tokens: readonly TokenAuthenticator[],
): Promise<UserInfo | undefined> | UserInfo | undefined {
  const certified = userOfCertificate(credentials.socket);
  if (certified !== undefined) return certified;
  const token = bearerToken(credentials.authorization);
  // Who shows a certificate of somebody else's authority is not taken for somebody who shows none.
  if (token === undefined) return showsCertificate(credentials.socket) ? undefined : anonymous;
  return ownerOf(token, tokens);
}

async function ownerOf(
  token: string,
  tokens: readonly TokenAuthenticator[],
): Promise<UserInfo | undefined> {
  for (const authenticator of tokens) {
    const user = await authenticator(token);
    if (user !== undefined) return authenticatedUser(user);
  }
  return undefined;
}

/** How somebody has tried to say who it is, in the words of upstream's audit log; what `access_token` holds is not read. */
export function attemptedMethods(
  { socket, authorization = "" }: Credentials,
  query: URLSearchParams,
): readonly string[] {
  const methods: string[] = [];
  if (/^basic /i.test(authorization)) methods.push("basic");
  if (/^\s*bearer /i.test(authorization)) methods.push("bearer");
  if ((query.get("access_token") ?? "").trim() !== "") methods.push("access_token");
  if (showsCertificate(socket)) methods.push("x509");
  return methods;
}

const known = new WeakMap<TLSSocket, UserInfo | "none">();

/** Read once a connection: a certificate cannot change during one. */
function userOfCertificate(socket: TLSSocket): UserInfo | undefined {
  let user = known.get(socket);
  if (user === undefined) {
    user = readCertificate(socket) ?? "none";
    known.set(socket, user);
  }
  return user === "none" ? undefined : user;
}

function readCertificate(socket: TLSSocket): UserInfo | undefined {
  if (!socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  const name = oneOf(subject?.CN);
  if (name === undefined) return undefined;
  return authenticatedUser({ name, groups: listOf(subject.O) });
}

function showsCertificate(socket: TLSSocket): boolean {
  return Object.keys(socket.getPeerCertificate()).length > 0;
}

function bearerToken(authorization: string | undefined): string | undefined {
  const match = /^Bearer\s+(\S+)\s*$/i.exec(authorization ?? "");
  return match?.[1];
}

function oneOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : value;
}
