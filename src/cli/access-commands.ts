import { Option, type Command } from "commander";
import {
  collect,
  dataDir,
  examples,
  json,
  type DataDirOption,
  type JsonOption,
} from "#cli/options.ts";

/** Questions about who may do what, each answered from the cluster's roles and bindings. */
export interface AccessActions {
  readonly whoCan: (verb: string, target: string, options: WhoCanOptions) => Promise<void>;
  readonly can: (user: string, options: CanOptions) => Promise<void>;
  readonly explainAccess: (
    verb: string | undefined,
    target: string | undefined,
    options: ExplainAccessOptions,
  ) => Promise<void>;
  readonly grant: (role: string, options: GrantOptions) => Promise<void>;
  readonly rbacFromAudit: (options: FromAuditOptions) => Promise<void>;
}

export interface AccessOptions extends DataDirOption, JsonOption {
  /** Another cluster than the data directory's. */
  readonly kubeconfig?: string;
}

export interface WhoCanOptions extends AccessOptions {
  readonly namespace?: string;
  readonly subresource?: string;
}

export interface CanOptions extends AccessOptions {
  readonly group?: readonly string[];
  readonly namespace?: string;
}

export interface ExplainAccessOptions extends WhoCanOptions {
  readonly as?: string;
  readonly asGroup?: readonly string[];
  readonly error?: string;
}

export interface GrantOptions extends AccessOptions {
  readonly for: string;
  readonly user?: string;
  readonly group?: string;
  readonly serviceaccount?: string;
  readonly namespace?: string;
}

export interface FromAuditOptions extends AccessOptions {
  readonly user: string;
  readonly file?: readonly string[];
  readonly name?: string;
  readonly withNames?: boolean;
  readonly denied?: boolean;
  readonly offline?: boolean;
}

const namespace = (): Option =>
  new Option("-n, --namespace <name>", "in this namespace; without it, in the whole cluster");
const subresource = (): Option =>
  new Option("--subresource <name>", "a part such as log or scale (or write pods/log)");

/** Each works on the data directory's cluster or on another. */
function accessCommand(parent: Command, name: string): Command {
  const kubeconfig = new Option("--kubeconfig <file>", "another cluster than the data directory's");
  return parent.command(name).addOption(dataDir()).addOption(kubeconfig).addOption(json());
}

export function addAccessCommands(program: Command, actions: AccessActions): void {
  addQuestions(program, actions);
  addGrant(program, actions);
  const rbac = program.command("rbac").description("roles made from what happened");
  accessCommand(rbac, "from-audit")
    .description("print the smallest role that covers what a user did, with its binding, as YAML")
    .requiredOption(
      "--user <name>",
      "whose requests: a user or system:serviceaccount:NAMESPACE:NAME",
    )
    .option(
      "--file <file>",
      "an audit log (may be given several times; default: the cluster's)",
      collect,
    )
    .option("--name <name>", "the name of the role and its binding")
    .option("--with-names", "hold requests for single objects to the names that were used")
    .option("--denied", "cover also what was refused")
    .option("--offline", "ask no cluster: what everybody may do stays in the role")
    .addHelpText(
      "after",
      examples(
        "kogge rbac from-audit --user jane",
        "kogge rbac from-audit --user system:serviceaccount:dev:prometheus --with-names | kubectl apply -f -",
      ),
    )
    .action(actions.rbacFromAudit);
}

function addGrant(program: Command, actions: AccessActions): void {
  accessCommand(program, "grant")
    .argument("<role>", "a Role of the namespace, or a ClusterRole: view, edit, admin, …")
    .description("give a role for a time; the binding ends by itself")
    .requiredOption("--for <duration>", "how long: 30m, 2h, 7d")
    .option("--user <name>", "to this user")
    .option("--group <name>", "to this group")
    .option("--serviceaccount <namespace:name>", "to this service account")
    .addOption(namespace())
    .addHelpText(
      "after",
      examples(
        "kogge grant edit --user jane --for 2h -n prod",
        "kogge grant cluster-admin --group oncall --for 8h",
      ),
    )
    .action(actions.grant);
}

function addQuestions(program: Command, actions: AccessActions): void {
  accessCommand(program, "who-can")
    .argument("<verb>", "get, list, create, delete, …")
    .argument("<resource>", "pods, deploy, pods/log, secrets/NAME, or a path such as /metrics")
    .description("say who may do something, and through which binding and rule")
    .addOption(namespace())
    .addOption(subresource())
    .addHelpText(
      "after",
      examples(
        "kogge who-can delete pods -n prod",
        "kogge who-can get secrets/database -n prod",
        "kogge who-can create pods/exec",
      ),
    )
    .action(actions.whoCan);
  accessCommand(program, "can")
    .argument("<user>", "a user's name, or system:serviceaccount:NAMESPACE:NAME")
    .description("list everything somebody may do, and through which binding")
    .option("--group <group>", "a group of that user (may be given several times)", collect)
    .addOption(namespace())
    .addHelpText(
      "after",
      examples("kogge can jane --group dev", "kogge can system:serviceaccount:dev:prometheus"),
    )
    .action(actions.can);
  accessCommand(program, "explain-access")
    .argument("[verb]", "get, list, create, delete, …")
    .argument("[resource]", "pods, deploy, pods/log, secrets/NAME, or a path such as /metrics")
    .description("say why a request is allowed or denied, naming the rule; exit code 1 when denied")
    .option("--as <user>", "who asks")
    .option("--as-group <group>", "a group of that user (may be given several times)", collect)
    .option("--error <text>", "explain the Forbidden answer that somebody got instead")
    .addOption(namespace())
    .addOption(subresource())
    .addHelpText(
      "after",
      examples(
        "kogge explain-access list pods -n prod --as jane --as-group dev",
        `kogge explain-access --error 'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "prod"'`,
      ),
    )
    .action(actions.explainAccess);
}
