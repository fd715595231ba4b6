import type { Duplex, Readable, Writable } from "node:stream";

/** A process started in a container, or attached to: what `kubectl exec` and `attach` talk to. */
export interface ProcessStreams {
  /** Present when stdin was asked for. Ending it is end-of-file for the process. */
  readonly stdin?: Writable;
  readonly stdout?: Readable;
  /** Absent with a terminal: its output is all on `stdout`. */
  readonly stderr?: Readable;
  /** Sets the terminal's size in characters. Without a terminal it does nothing. */
  resize(size: TerminalSize): void;
  /** Resolves after the process ended and all output was delivered. */
  readonly ended: Promise<ProcessEnd>;
  /** Lets go of the streams; the process of an exec is ended, one that was attached to is left alone. */
  close(): void;
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

export type ProcessEnd =
  | { readonly kind: "exited"; readonly code: number }
  /** It could not be started, or the connection to it broke. */
  | { readonly kind: "failed"; readonly message: string };

export interface ExecOptions {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export type AttachOptions = Omit<ExecOptions, "command">;

/**
 * The containers a node's stream server speaks for, found by the pod's names. Every function rejects with a
 * `StatusError` where upstream's kubelet answers with one (pod or container not found, not running).
 */
export interface StreamTargets {
  exec(container: ContainerName, options: ExecOptions): Promise<ProcessStreams>;
  attach(container: ContainerName, options: AttachOptions): Promise<ProcessStreams>;
  /** A byte stream to a TCP port inside the pod's network. */
  portForward(pod: PodName, port: number): Promise<Duplex>;
  logs(container: ContainerName, options: LogOptions): Promise<Readable>;
}

export interface PodName {
  readonly namespace: string;
  readonly pod: string;
}

export interface ContainerName extends PodName {
  readonly container: string;
}

/** `PodLogOptions` of the API. */
export interface LogOptions {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly limitBytes?: number;
  /** Milliseconds since the epoch. */
  readonly sinceMs?: number;
  readonly stream?: "All" | "Stdout" | "Stderr";
  readonly signal: AbortSignal;
}
