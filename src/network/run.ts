import { spawn } from "node:child_process";
import { buffer } from "node:stream/consumers";

/** Runs a program to its end, with `input` on its standard input, and gives its output. */
export type Run = (program: string, args: readonly string[], input?: string) => Promise<string>;

/** Runs programs on this machine. A failure says what the program said. */
export const runProgram: Run = async (program, args, input = "") => {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", (cause) => reject(new ProgramError(program, cause.message, { cause })));
    child.once("close", resolve);
  });
  child.stdin.on("error", () => {}); // A program that ends early says why on standard error.
  child.stdin.end(input);
  const [code, output, complaint] = await Promise.all([
    ended,
    buffer(child.stdout),
    buffer(child.stderr),
  ]);
  if (code === 0) return output.toString();
  throw new ProgramError(program, shortened(complaint.toString().trim() || `it ended (${code})`));
};

export class ProgramError extends Error {
  override readonly name = "ProgramError";

  constructor(program: string, why: string, options?: ErrorOptions) {
    super(`Cannot run "${program}": ${why}`, options);
  }
}

/** Whether the program is not installed. */
export function isProgramMissing(error: unknown): boolean {
  return error instanceof ProgramError && (error.cause as NodeJS.ErrnoException)?.code === "ENOENT";
}

/** What a failure shows of a long complaint. */
const shownMax = 2000;

function shortened(text: string): string {
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}
