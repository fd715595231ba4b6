import { execFile } from "node:child_process";

const outputBytesMax = 1024 * 1024;

/** Runs a program to its end and returns its output; a failure carries what it said. */
export function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { maxBuffer: outputBytesMax }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const why = stderr.trim() === "" ? error.message : stderr.trim();
      reject(new Error(`Cannot run "${program}": ${why}`, { cause: error }));
    });
  });
}
