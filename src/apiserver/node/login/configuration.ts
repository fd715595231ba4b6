import { parseGoDuration } from "#base/go-duration.ts";
import { causesOf, type Field } from "#api/validation/field.ts";
import type { Given } from "#api/validation/given.ts";

/** `LoginConfiguration` of `config.kogge.dev/v1`: a directory whose people log in with their passwords. */
export interface LoginConfiguration {
  readonly apiVersion: string;
  readonly kind: string;
  /** How long a login holds: `8h`. */
  readonly tokenLifetime: string;
  readonly ldap: LdapConfiguration;
}

export interface LdapConfiguration {
  /** `ldaps://HOST[:PORT]`, or `ldap://…` with `startTLS`. */
  readonly url: string;
  readonly startTLS: boolean;
  /** Lets passwords travel in the clear: for tests and sockets of the same machine. */
  readonly insecure: boolean;
  /** PEM; absent: what the machine trusts. */
  readonly certificateAuthorityFile: string;
  /** Who searches; absent: anybody. */
  readonly bindDN: string;
  readonly bindPasswordFile: string;
  readonly userSearch: Search;
  readonly groupSearch: Search;
  readonly usernamePrefix: string;
  readonly groupsPrefix: string;
}

export interface Search {
  readonly baseDN: string;
  /** `{user}` stands for the name that was typed, `{dn}` for the entry of the user who was found; both are escaped. */
  readonly filter: string;
  /** What the cluster calls the user or group. */
  readonly nameAttribute: string;
}

export const usualLifetime = "8h";
const lifetimeMaxMs = 7 * 24 * 3_600_000;

/** @throws an Error that names every field that is wrong */
export function readLoginConfiguration(value: unknown): Given<LoginConfiguration> {
  const given = (value ?? {}) as Given<LoginConfiguration>;
  if (given.apiVersion !== "config.kogge.dev/v1" || given.kind !== "LoginConfiguration") {
    throw new Error(
      `it is of "${given.apiVersion ?? ""}" "${given.kind ?? ""}" and not of "config.kogge.dev/v1" "LoginConfiguration"`,
    );
  }
  const causes = causesOf((root) => check(given, root));
  if (causes.length > 0)
    throw new Error(causes.map(({ field, message }) => `${field}: ${message}`).join("; "));
  return given;
}

function check({ ldap, tokenLifetime }: Given<LoginConfiguration>, root: Field): void {
  const lifetimeMs = parseGoDuration(tokenLifetime ?? usualLifetime);
  if (lifetimeMs === undefined || lifetimeMs < 60_000 || lifetimeMs > lifetimeMaxMs) {
    root.child("tokenLifetime").invalid(tokenLifetime, "must be a duration from 1m to 168h");
  }
  const field = root.child("ldap");
  if (!ldap) return field.required();
  checkUrl(ldap, field);
  if (ldap.bindDN && !ldap.bindPasswordFile)
    field.child("bindPasswordFile").required("is needed to bind as bindDN");
  checkSearch(ldap.userSearch, field.child("userSearch"), "{user}");
  if (ldap.groupSearch) checkSearch(ldap.groupSearch, field.child("groupSearch"), undefined);
}

function checkUrl({ url, startTLS, insecure }: Given<LdapConfiguration>, field: Field): void {
  if (!url) return field.child("url").required();
  const scheme = /^(ldaps?):\/\/[^/?#]+\/?$/.exec(url)?.[1];
  if (scheme === undefined)
    return field
      .child("url")
      .invalid(url, "must be ldaps://HOST or ldap://HOST, with or without a port");
  if (scheme === "ldap" && !startTLS && !insecure) {
    field
      .child("url")
      .invalid(
        url,
        "passwords would travel in the clear: use ldaps://, startTLS: true, or say insecure: true",
      );
  }
}

function checkSearch(
  search: Given<Search> | null | undefined,
  field: Field,
  mustHave: string | undefined,
): void {
  if (!search?.baseDN) field.child("baseDN").required();
  if (!search?.nameAttribute) field.child("nameAttribute").required();
  const filter = search?.filter;
  if (!filter) return field.child("filter").required();
  if (!/^\(.*\)$/.test(filter)) field.child("filter").invalid(filter, "must stand in parentheses");
  if (mustHave !== undefined && !filter.includes(mustHave))
    field.child("filter").invalid(filter, `must contain ${mustHave}`);
}
