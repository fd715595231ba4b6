/**
 * Replaces `$(NAME)` by the value that `lookUp` has for it; unknown names stay as they are, and `$$` is one `$`,
 * as in Kubernetes' commands, arguments and variables.
 */
export function expand(text: string, lookUp: (name: string) => string | undefined): string {
  return text.replaceAll(/\$(?:\$|\(([^)]*)\))/g, (whole, name: string | undefined) =>
    name === undefined ? "$" : (lookUp(name) ?? whole),
  );
}
