import { Command, InvalidArgumentError, Option } from "commander";
import { addLoginCommand, type LoginActions } from "#cli/login-command.ts";
import { addAccessCommands, type AccessActions } from "#cli/access-commands.ts";
import {
  collect,
  dataDir,
  examples,
  json,
  type DataDirOption,
  type JsonOption,
} from "#cli/options.ts";
import type { ServerFlags } from "#cli/server-flags.ts";
import { addServerFlags } from "#cli/server-options.ts";

/** What each command does, handed in by `main`. Every function throws an Error whose message the user reads. */
export interface Actions extends AccessActions, LoginActions {
  readonly up: (options: UpOptions) => Promise<void>;
  readonly down: (options: DataDirOption) => Promise<void>;
  readonly status: (options: DataDirOption & JsonOption) => Promise<void>;
  readonly reset: (options: DataDirOption & { readonly yes: boolean }) => Promise<void>;
  readonly kubeconfig: (options: KubeconfigOptions) => Promise<void>;
  readonly server: (options: ServerOptions) => Promise<void>;
  readonly agent: (options: AgentOptions) => Promise<void>;
  readonly tokenCreate: (options: TokenCreateOptions) => Promise<void>;
  readonly tokenList: (options: DataDirOption & JsonOption) => Promise<void>;
  readonly tokenDelete: (token: string, options: DataDirOption) => Promise<void>;
  readonly backup: (file: string, options: DataDirOption) => Promise<void>;
  readonly restore: (file: string, options: DataDirOption) => Promise<void>;
  readonly rotateKey: (options: DataDirOption) => Promise<void>;
  readonly imageBuild: (
    directory: string,
    options: DataDirOption & ImageBuildOptions,
  ) => Promise<void>;
  readonly imageImport: (file: string, options: DataDirOption) => Promise<void>;
  readonly imageList: (options: DataDirOption & JsonOption) => Promise<void>;
  readonly imageRemove: (name: string, options: DataDirOption) => Promise<void>;
  readonly doctor: (options: DataDirOption & JsonOption) => Promise<void>;
}

export interface UpOptions extends DataDirOption, JsonOption, ServerFlags {
  readonly port?: number;
  readonly nodes?: number;
  readonly runtime: "auto" | "containerd" | "simulated";
  readonly detach?: boolean;
}

export interface ServerOptions extends DataDirOption, ServerFlags {
  readonly store?: string;
  readonly port?: number;
}

export interface AgentOptions extends DataDirOption {
  readonly server: string;
  /** Not needed by a node that has joined before. */
  readonly token?: string;
  readonly caCertHash?: readonly string[];
  readonly nodeName?: string;
  readonly nodeIp?: string;
  readonly runtime: "auto" | "containerd" | "simulated";
}

export interface TokenCreateOptions extends DataDirOption, JsonOption {
  readonly ttl: string;
  readonly description?: string;
  /** Print the command that joins a node instead of the token. */
  readonly printJoinCommand?: boolean;
}

export interface KubeconfigOptions extends DataDirOption {
  readonly user?: string;
  readonly group?: readonly string[];
  readonly merge?: boolean;
}

export interface ImageBuildOptions {
  readonly tag: string;
  readonly file?: string;
}

export function createProgram(actions: Actions, version: string): Command {
  const program = new Command("kogge")
    .description("A Kubernetes cluster in one program: control plane, node agent, network")
    .version(version)
    .showHelpAfterError("(kogge --help lists the commands)")
    .addHelpText(
      "after",
      `
Examples:
  kogge up --detach                    start a cluster and return when it is ready
  export KUBECONFIG=$(kogge status --json | jq -r .kubeconfig)
  kubectl get nodes
  kogge down                           stop it; the data stays`,
    );
  addClusterCommands(program, actions);
  addPartCommands(program, actions);
  addTokenCommands(program, actions);
  addSecretsCommands(program, actions);
  addImageCommands(program, actions);
  addAccessCommands(program, actions);
  addLoginCommand(program, actions);
  return program;
}

const runtime = (): Option =>
  new Option("--runtime <runtime>", "what runs containers; auto takes containerd when it can")
    .choices(["auto", "containerd", "simulated"])
    .default("auto");

function addClusterCommands(program: Command, actions: Actions): void {
  const up = program
    .command("up")
    .description("start the cluster of a data directory, making it when it is new")
    .addOption(dataDir())
    .option("--port <number>", "the API's port (first start: 6443, or a free one)", portNumber)
    .option(
      "--nodes <number>",
      "how many nodes; with containerd each is played on this machine",
      nodeCount,
    )
    .addOption(runtime())
    .option("--detach", "return when the cluster is ready and leave it running")
    .addOption(json());
  addServerFlags(up)
    .addHelpText(
      "after",
      examples("kogge up", "kogge up --detach --json", "kogge up --nodes 100 --runtime simulated"),
    )
    .action(actions.up);
  program
    .command("down")
    .description("stop the cluster and everything it started; its data stays")
    .addOption(dataDir())
    .addHelpText("after", examples("kogge down", "kogge down --data-dir /srv/second"))
    .action(actions.down);
  program
    .command("status")
    .description(
      "say whether the cluster runs; exit code 0 when it is ready, 3 when it does not run",
    )
    .addOption(dataDir())
    .addOption(json())
    .addHelpText("after", examples("kogge status", "kogge status --json"))
    .action(actions.status);
  program
    .command("reset")
    .description("stop the cluster and remove its data directory")
    .addOption(dataDir())
    .option("--yes", "really remove it", false)
    .addHelpText("after", examples("kogge reset --yes"))
    .action(actions.reset);
  program
    .command("kubeconfig")
    .description("print a kubeconfig, the administrator's or one for another user")
    .addOption(dataDir())
    .option("--user <name>", "make a client certificate for this user")
    .option("--group <group>", "a group of that user (may be given several times)", collect)
    .option("--merge", "merge it into ~/.kube/config (or KUBECONFIG) and make it current")
    .addHelpText(
      "after",
      examples(
        "kogge kubeconfig > cluster.yaml",
        "kogge kubeconfig --user jane --group dev",
        "kogge kubeconfig --merge",
      ),
    )
    .action(actions.kubeconfig);
  program
    .command("doctor")
    .description("say what this machine can and cannot do, and how to mend it")
    .addOption(dataDir())
    .addOption(json())
    .addHelpText("after", examples("kogge doctor"))
    .action(actions.doctor);
  program
    .command("backup")
    .argument("<file>", "the archive to write (tar)")
    .description("write the cluster's state, keys and settings to a file; the cluster may run")
    .addOption(dataDir())
    .addHelpText("after", examples("kogge backup cluster.tar"))
    .action(actions.backup);
  program
    .command("restore")
    .argument("<file>", "an archive that `kogge backup` wrote")
    .description("make a data directory from a backup; it must be empty or absent")
    .addOption(dataDir())
    .addHelpText("after", examples("kogge restore cluster.tar --data-dir /srv/restored"))
    .action(actions.restore);
}

function addPartCommands(program: Command, actions: Actions): void {
  const server = program
    .command("server")
    .description("run only the control plane, in the foreground")
    .addOption(dataDir())
    .option("--store <store>", "memory, lmdb or etcd=URL,URL (first start: lmdb)")
    .option("--port <number>", "the API's port", portNumber);
  addServerFlags(server)
    .addHelpText(
      "after",
      examples(
        "kogge server --data-dir /srv/kogge --port 6443",
        "kogge server --host 0.0.0.0                        for nodes on other machines",
        "kogge server --enable-admission-plugins AlwaysPullImages,OwnerReferencesPermissionEnforcement",
        "kogge server --store etcd=https://10.0.0.1:2379,https://10.0.0.2:2379 --etcd-cafile ca.pem --etcd-certfile kogge.pem --etcd-keyfile kogge-key.pem",
      ),
    )
    .action(actions.server);
  program
    .command("agent")
    .description("run only a node and join it to a server, in the foreground")
    .addOption(dataDir())
    .requiredOption("--server <url>", "the API server")
    .addOption(
      new Option(
        "--token <token>",
        "a token made by `kogge token create`; only to join the first time",
      ).env("KOGGE_TOKEN"),
    )
    .option(
      "--ca-cert-hash <sha256:hex>",
      "refuse a server whose authority has another key (may be given several times)",
      collect,
    )
    .option("--node-name <name>", "default: this machine's name")
    .option("--node-ip <address>", "the node's address; default: the one that reaches the server")
    .addOption(runtime())
    .addHelpText(
      "after",
      examples(
        "kogge agent --server https://192.0.2.2:6443 --token abcdef.0123456789abcdef",
        "kogge agent --server https://192.0.2.2:6443        (again, after it has joined)",
        "kogge agent --server https://192.0.2.2:6443 --token … --data-dir /srv/second --node-name b",
      ),
    )
    .action(actions.agent);
}

function addTokenCommands(program: Command, actions: Actions): void {
  const token = program.command("token").description("tokens with which nodes join");
  token
    .command("create")
    .description("make a token and print it")
    .addOption(dataDir())
    .option("--ttl <duration>", "how long it works: 30m, 24h, 7d; 0 for ever", "24h")
    .option("--description <text>", "what it is for")
    .option("--print-join-command", "print the command that joins a node instead of the token")
    .addOption(json())
    .addHelpText(
      "after",
      examples(
        "kogge token create",
        "kogge token create --ttl 1h --description laptop",
        "kogge token create --print-join-command",
      ),
    )
    .action(actions.tokenCreate);
  token
    .command("list")
    .description("list the tokens; secrets are not shown")
    .addOption(dataDir())
    .addOption(json())
    .action(actions.tokenList);
  token
    .command("delete")
    .argument("<token>", "the token or its id")
    .description("make a token useless")
    .addOption(dataDir())
    .action(actions.tokenDelete);
}

function addSecretsCommands(program: Command, actions: Actions): void {
  const secrets = program.command("secrets").description("how Secrets are kept in the store");
  secrets
    .command("rotate-key")
    .description("encrypt everything anew under a new key and drop the old one; the server may run")
    .addOption(dataDir())
    .addHelpText("after", examples("kogge secrets rotate-key --data-dir /srv/kogge"))
    .action(actions.rotateKey);
}

function addImageCommands(program: Command, actions: Actions): void {
  const image = program.command("image").description("the images of the cluster's nodes");
  image
    .command("build")
    .argument("<directory>", "the folder with the Dockerfile")
    .requiredOption("-t, --tag <name>", "the image's name")
    .option("-f, --file <file>", "the Dockerfile, when it is not DIRECTORY/Dockerfile")
    .description("build an image with buildah and give it to the nodes of this machine")
    .addOption(dataDir())
    .addHelpText("after", examples("kogge image build ./web -t web:1"))
    .action(actions.imageBuild);
  image
    .command("import")
    .argument("<file>", "an OCI or docker archive (tar, may be gzipped)")
    .description(
      "give an image from an archive to the nodes of this machine; others get it from them",
    )
    .addOption(dataDir())
    .addHelpText("after", examples("kogge image import web.tar"))
    .action(actions.imageImport);
  image
    .command("list")
    .description("list the images of this machine's node")
    .addOption(dataDir())
    .addOption(json())
    .action(actions.imageList);
  image
    .command("remove")
    .argument("<name>", "the image's name")
    .description("remove an image from the nodes of this machine")
    .addOption(dataDir())
    .action(actions.imageRemove);
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError("a port is a whole number from 1 to 65535");
  }
  return port;
}

const nodesMax = 10_000;

function nodeCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0 || count > nodesMax) {
    throw new InvalidArgumentError(`a whole number from 0 to ${nodesMax}`);
  }
  return count;
}
