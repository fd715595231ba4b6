import type { Client, Entry } from "ldapts";

/** Where people and their groups are kept. */
export interface Directory {
  /** Who somebody is who knows the password; undefined when it is wrong or there is nobody of that name. */
  login(user: string, password: string): Promise<Person | undefined>;
}

export interface Person {
  readonly name: string;
  readonly groups: readonly string[];
}

export interface DirectoryParts {
  readonly url: string;
  readonly startTls: boolean;
  /** PEM; absent: what the machine trusts. */
  readonly authorities?: string;
  /** Who searches; absent: anybody. */
  readonly searcher?: { readonly dn: string; readonly password: string };
  readonly users: Search;
  readonly groups?: Search;
}

interface Search {
  readonly baseDn: string;
  readonly filter: string;
  readonly nameAttribute: string;
}

const timeoutMs = 10_000;
const groupsMax = 1000;

/** An LDAP server (RFC 4511) or Active Directory. Each login has connections of its own: a bind is a connection's. */
export function createLdapDirectory(parts: DirectoryParts): Directory {
  return {
    async login(user, password) {
      // An empty password is an anonymous bind, which succeeds for everybody (RFC 4513, section 5.1.2).
      if (user === "" || password === "") return undefined;
      await using search = await connect(parts);
      if (parts.searcher) await search.client.bind(parts.searcher.dn, parts.searcher.password);
      const entry = await findUser(search.client, parts.users, user);
      const name = entry && firstOf(entry, parts.users.nameAttribute);
      if (entry === undefined || name === undefined) return undefined;
      if (!(await knowsPassword(parts, entry.dn, password))) return undefined;
      return { name, groups: await groupsOf(search.client, parts.groups, { user, dn: entry.dn }) };
    },
  };
}

async function connect(parts: DirectoryParts) {
  const { Client: LdapClient } = await import("ldapts");
  const tlsOptions = parts.authorities === undefined ? {} : { ca: [parts.authorities] };
  const client = new LdapClient({
    url: parts.url,
    timeout: timeoutMs,
    connectTimeout: timeoutMs,
    ...(parts.url.startsWith("ldaps:") && { tlsOptions }),
  });
  if (parts.startTls) {
    const host = new URL(parts.url).hostname;
    await client.startTLS({ ...tlsOptions, host });
  }
  return {
    client,
    // A server that hung up needs no goodbye.
    [Symbol.asyncDispose]: () => client.unbind().catch(() => {}),
  };
}

/** @throws when the search finds several: nobody can say then whose password it is */
async function findUser(
  client: Client,
  { baseDn, filter, nameAttribute }: Search,
  user: string,
): Promise<Entry | undefined> {
  const { searchEntries } = await client.search(baseDn, {
    scope: "sub",
    filter: filter.replaceAll("{user}", await escaped(user)),
    attributes: [nameAttribute],
    sizeLimit: 2,
  });
  if (searchEntries.length > 1)
    throw new Error(`the search for "${user}" finds more than one entry`);
  return searchEntries[0];
}

async function knowsPassword(
  parts: DirectoryParts,
  dn: string,
  password: string,
): Promise<boolean> {
  const { InvalidCredentialsError } = await import("ldapts");
  await using own = await connect(parts);
  try {
    await own.client.bind(dn, password);
    return true;
  } catch (error) {
    if (error instanceof InvalidCredentialsError) return false;
    throw error;
  }
}

async function groupsOf(
  client: Client,
  search: Search | undefined,
  { user, dn }: { readonly user: string; readonly dn: string },
): Promise<readonly string[]> {
  if (search === undefined) return [];
  const { searchEntries } = await client.search(search.baseDn, {
    scope: "sub",
    filter: search.filter
      .replaceAll("{user}", await escaped(user))
      .replaceAll("{dn}", await escaped(dn)),
    attributes: [search.nameAttribute],
    sizeLimit: groupsMax,
  });
  return searchEntries.flatMap((entry) => firstOf(entry, search.nameAttribute) ?? []).toSorted();
}

/** What has a meaning in filters stands for itself (RFC 4515). */
async function escaped(text: string): Promise<string> {
  const { Filter } = await import("ldapts");
  return Filter.escape(text);
}

function firstOf(entry: Entry, attribute: string): string | undefined {
  const key = Object.keys(entry).find((name) => name.toLowerCase() === attribute.toLowerCase());
  const value = key === undefined ? undefined : entry[key];
  const first = Array.isArray(value) ? value[0] : value;
  return first === undefined || first.length === 0 ? undefined : first.toString();
}
