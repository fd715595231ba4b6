import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAuthority } from "#apiserver/node/pki/authority.ts";
import { freePorts } from "#test/etcd.ts";
import { temporaryFolder } from "#test/temporary.ts";

/** A real LDAP server with a few people, in a folder and on ports of its own. */
export interface TestSlapd extends AsyncDisposable {
  /** Answers StartTLS. */
  readonly ldap: string;
  readonly ldaps: string;
  /** The authority of its certificate, in PEM. */
  readonly authority: string;
}

const suffix = "dc=example,dc=com";

const person = (name: string, password: string): string => `
dn: uid=${name},ou=people,${suffix}
objectClass: inetOrgPerson
uid: ${name}
cn: ${name}
sn: ${name}
userPassword: ${password}
`;
const group = (name: string, members: readonly string[]): string => `
dn: cn=${name},ou=groups,${suffix}
objectClass: groupOfNames
cn: ${name}
${members.map((member) => `member: uid=${member},ou=people,${suffix}`).join("\n")}
`;

const entries = `dn: ${suffix}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,${suffix}
objectClass: organizationalUnit
ou: people

dn: ou=groups,${suffix}
objectClass: organizationalUnit
ou: groups
${person("jane", "correct horse")}${person("joe", "battery staple")}${person("o(dd)*", "staple")}${person("system:admin", "x")}${group("dev", ["jane"])}${group("qa", ["jane", "joe"])}${group("system:masters", ["joe"])}`;

export async function startSlapd(): Promise<TestSlapd> {
  await using starting = new AsyncDisposableStack();
  const folder = starting.use(temporaryFolder("slapd"));
  const at = (name: string): string => join(folder.path, name);
  const authority = createAuthority(Date.now());
  const { key, certificate } = authority.issue({
    subject: { commonName: "localhost" },
    use: "server",
    dnsNames: ["localhost"],
    ipAddresses: ["127.0.0.1"],
  });
  writeFileSync(at("tls.key"), key, { mode: 0o600 });
  writeFileSync(at("tls.crt"), certificate);
  writeFileSync(at("ca.crt"), authority.certificate);
  writeFileSync(at("entries.ldif"), entries);
  writeFileSync(at("slapd.conf"), configuration(folder.path));
  mkdirSync(at("data"));
  const added = spawnSync("slapadd", ["-f", at("slapd.conf"), "-l", at("entries.ldif")], {
    encoding: "utf8",
  });
  if (added.status !== 0) throw new Error(`slapadd failed: ${added.stderr}`);
  const [plain = 0, secure = 0] = await freePorts(2);
  const ldap = `ldap://localhost:${plain}`;
  const ldaps = `ldaps://localhost:${secure}`;
  const child = spawn("slapd", ["-f", at("slapd.conf"), "-h", `${ldap} ${ldaps}`, "-d", "0"], {
    stdio: "ignore",
  });
  starting.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  });
  await answering(plain, child);
  const running = starting.move();
  return {
    ldap,
    ldaps,
    authority: authority.certificate,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function configuration(folder: string): string {
  return `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${folder}/slapd.pid
TLSCACertificateFile ${folder}/ca.crt
TLSCertificateFile ${folder}/tls.crt
TLSCertificateKeyFile ${folder}/tls.key
TLSVerifyClient never
database mdb
suffix "${suffix}"
rootdn "cn=admin,${suffix}"
rootpw secret
directory ${folder}/data
maxsize 10485760
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=admin,${suffix}" write by users read by * none
`;
}

const attemptsMax = 200;

/** Tries until the server takes a connection; it says nothing when it does. */
async function answering(port: number, child: ReturnType<typeof spawn>): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`slapd ended with ${child.exitCode}`);
    const socket = connect({ host: "localhost", port });
    try {
      await once(socket, "connect");
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 25));
    } finally {
      socket.destroy();
    }
  }
  throw new Error("slapd does not answer");
}
