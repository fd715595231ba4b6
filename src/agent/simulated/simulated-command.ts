import type { SimulatedCommand } from "#agent/simulated/simulated-runtime.ts";

interface Place {
  readonly hostname: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
}

const known: Readonly<Record<string, (words: readonly string[], place: Place) => Said>> = {
  cat: () => ({ echoesInput: true }),
  echo: (words) => ({ stdout: `${words.join(" ")}\n` }),
  env: (_, { env }) => ({ stdout: env.map(({ name, value }) => `${name}=${value}\n`).join("") }),
  false: () => ({ exitCode: 1 }),
  hostname: (_, { hostname }) => ({ stdout: `${hostname}\n` }),
  true: () => ({}),
};

type Said = Partial<SimulatedCommand>;

/** What a command says in a simulated container. Very few are known; others say so and end with 127, as a shell does. */
export function simulatedCommand(command: readonly string[], place: Place): SimulatedCommand {
  const [path = "", ...words] = command;
  const name = path.slice(path.lastIndexOf("/") + 1);
  const said = Object.hasOwn(known, name) ? known[name]?.(words, place) : undefined;
  return {
    stdout: "",
    stderr: "",
    exitCode: 0,
    echoesInput: false,
    ...(said ?? {
      stderr: `Cannot run "${path}": this container is simulated and knows only ${Object.keys(known).join(", ")}\n`,
      exitCode: 127,
    }),
  };
}
