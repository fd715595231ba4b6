import process from "node:process";
import { messageOf } from "#base/log.ts";
import { createProgram } from "#cli/program.ts";
import { packageVersion } from "#main/build-info.ts";
import type { Actions } from "#cli/program.ts";

// What `bin/kogge` runs. Each action loads its own code only when it is called, so that `--help` is instant.
const actions: Actions = {
  up: async (options) => (await import("#main/up.ts")).up(options),
  down: async (options) => (await import("#main/lifecycle.ts")).down(options),
  status: async (options) => (await import("#main/lifecycle.ts")).status(options),
  reset: async (options) => (await import("#main/lifecycle.ts")).reset(options),
  kubeconfig: async (options) => (await import("#main/kubeconfig-command.ts")).kubeconfig(options),
  server: async (options) => (await import("#main/server-command.ts")).server(options),
  agent: async (options) => (await import("#main/agent-command.ts")).agent(options),
  tokenCreate: async (options) => (await import("#main/token-commands.ts")).tokenCreate(options),
  tokenList: async (options) => (await import("#main/token-commands.ts")).tokenList(options),
  tokenDelete: async (token, options) =>
    (await import("#main/token-commands.ts")).tokenDelete(token, options),
  backup: async (file, options) => (await import("#main/backup-commands.ts")).backup(file, options),
  restore: async (file, options) =>
    (await import("#main/backup-commands.ts")).restore(file, options),
  rotateKey: async (options) => (await import("#main/secrets-commands.ts")).rotateKey(options),
  imageBuild: async (folder, options) =>
    (await import("#main/images/image-commands.ts")).imageBuild(folder, options),
  imageImport: async (file, options) =>
    (await import("#main/images/image-commands.ts")).imageImport(file, options),
  imageList: async (options) => (await import("#main/images/image-commands.ts")).imageList(options),
  imageRemove: async (name, options) =>
    (await import("#main/images/image-commands.ts")).imageRemove(name, options),
  login: async (options) => (await import("#main/login-command.ts")).login(options),
  whoCan: async (verb, target, options) =>
    (await import("#main/access/who-can-command.ts")).whoCanCommand(verb, target, options),
  can: async (user, options) =>
    (await import("#main/access/can-command.ts")).canCommand(user, options),
  explainAccess: async (verb, target, options) =>
    (await import("#main/access/explain-access-command.ts")).explainAccessCommand(
      verb,
      target,
      options,
    ),
  grant: async (role, options) =>
    (await import("#main/access/grant-command.ts")).grantCommand(role, options),
  rbacFromAudit: async (options) =>
    (await import("#main/access/from-audit-command.ts")).fromAuditCommand(options),
  doctor: async (options) => (await import("#main/machine/doctor.ts")).doctor(options),
};

try {
  await createProgram(actions, packageVersion()).parseAsync();
} catch (error) {
  process.stderr.write(`kogge: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
