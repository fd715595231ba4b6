import { Option, type Command } from "commander";
import { examples, json, type JsonOption } from "#cli/options.ts";

export interface LoginActions {
  readonly login: (options: LoginOptions) => Promise<void>;
}

export interface LoginOptions extends JsonOption {
  readonly server?: string;
  readonly certificateAuthority?: string;
  readonly user?: string;
  readonly passwordStdin?: boolean;
  readonly kubeconfig?: string;
  readonly execCredential?: boolean;
}

export function addLoginCommand(program: Command, actions: LoginActions): void {
  program
    .command("login")
    .description(
      "log in with a directory's name and password; the kubeconfig gets a short-lived token",
    )
    .option("--server <url>", "the API server (default: the kubeconfig's current one)")
    .option("--certificate-authority <file>", "the server's authority, with --server (PEM)")
    .option("--user <name>", "who logs in (default: asked for, or this machine's user)")
    .option("--password-stdin", "read the password from standard input")
    .option(
      "--kubeconfig <file>",
      "where the login is kept (default: KUBECONFIG, or ~/.kube/config)",
    )
    .addOption(
      new Option("--exec-credential", "print an ExecCredential, for kubectl to call this command"),
    )
    .addOption(json())
    .addHelpText(
      "after",
      examples(
        "kogge login --server https://192.0.2.2:6443 --certificate-authority ca.crt --user jane",
        "kogge login",
        "kogge login --user robot --password-stdin < password",
      ),
    )
    .action(actions.login);
}
