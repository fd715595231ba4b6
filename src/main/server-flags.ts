/**
 * New objects of a server get 3 × 2 MB before they are looked at, not 3 × 16 MB: most live for one request, and what
 * V8 once took for them an idle server would keep. Node's compile cache is one for each set of such flags.
 */
export const serverFlags: readonly string[] = ["--max-semi-space-size=2"];
