import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseGoDuration } from "#base/go-duration.ts";
import type { Given } from "#api/validation/given.ts";
import type { TokenAuthenticator } from "#apiserver/node/authenticate.ts";
import {
  readLoginConfiguration,
  usualLifetime,
  type LdapConfiguration,
  type Search,
} from "#apiserver/node/login/configuration.ts";
import { createLdapDirectory, type Directory } from "#apiserver/node/login/directory.ts";
import { createLoginEndpoint, loginPath } from "#apiserver/node/login/login-endpoint.ts";
import { createLoginTokens } from "#apiserver/node/login/login-tokens.ts";
import type { LoginPage } from "#apiserver/parts.ts";
import type { LoginParts } from "#main/logins.ts";
import { readYaml } from "#main/yaml-file.ts";

/** People of a directory log in with their passwords. @throws when the file cannot be used */
export function openPasswordLogin(
  file: string,
  { key, ownIssuer, clock, log }: LoginParts,
): LoginPage & { readonly authenticate: TokenAuthenticator } {
  try {
    const { ldap, tokenLifetime } = readLoginConfiguration(readYaml(file));
    const tokens = createLoginTokens({
      key,
      issuer: `${ownIssuer}/login`,
      audience: ownIssuer,
      lifetimeMs: parseGoDuration(tokenLifetime ?? usualLifetime) ?? 0,
      clock,
    });
    const answer = createLoginEndpoint({
      directory: directoryOf(ldap ?? {}, dirname(file)),
      tokens,
      usernamePrefix: ldap?.usernamePrefix ?? "",
      groupsPrefix: ldap?.groupsPrefix ?? "",
      clock,
      log,
    });
    return { path: loginPath, answer, authenticate: tokens.authenticate };
  } catch (cause) {
    throw new Error(`Cannot use --login-config ${file}`, { cause });
  }
}

/** Files that the configuration names lie beside it, unless it says otherwise. */
function directoryOf(ldap: Given<LdapConfiguration>, folder: string): Directory {
  const read = (file: string): string => readFileSync(resolve(folder, file), "utf8");
  const { url, startTLS, certificateAuthorityFile, bindDN, bindPasswordFile } = ldap;
  return createLdapDirectory({
    url: url ?? "",
    startTls: startTLS ?? false,
    users: searchOf(ldap.userSearch ?? {}),
    ...(ldap.groupSearch && { groups: searchOf(ldap.groupSearch) }),
    ...(certificateAuthorityFile && { authorities: read(certificateAuthorityFile) }),
    ...(bindDN && {
      searcher: { dn: bindDN, password: read(bindPasswordFile ?? "").replace(/\r?\n$/, "") },
    }),
  });
}

function searchOf({ baseDN, filter, nameAttribute }: Given<Search>) {
  return {
    baseDn: baseDN ?? "",
    filter: filter ?? "",
    nameAttribute: nameAttribute ?? "",
  };
}
