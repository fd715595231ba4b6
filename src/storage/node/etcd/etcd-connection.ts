import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { ChannelCredentials, ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { sleep, type Clock } from "#base/clock.ts";
import { wireMethods } from "#base/node/wire-table.ts";
import type { WireDefinition } from "#base/node/wire-table.ts";
import { etcdTable } from "#storage/node/etcd/etcd-messages.ts";
import { failureOf } from "#storage/node/etcd/etcd-errors.ts";

export interface EtcdAccess {
  /** `http://` or `https://` URLs of the members. The first is asked as long as it answers. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTls;
}

/** PEM texts. Without an authority those that Node knows are trusted. */
export interface EtcdTls {
  readonly authority?: Uint8Array;
  readonly certificate?: Uint8Array;
  readonly key?: Uint8Array;
}

export type EtcdStream = ClientDuplexStream<object, object>;

/** Calls to whichever member answers. */
export class EtcdConnection implements Disposable {
  readonly #members: readonly Client[];
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  #preferred = 0;

  /** @throws when an endpoint is no URL */
  constructor(access: EtcdAccess, clock: Clock) {
    this.#clock = clock;
    this.#members = access.endpoints.map((endpoint) => memberAt(endpoint, access.tls));
  }

  /**
   * Asks one member after the other until one answers or the time is over. With `once`, a request that may have been
   * carried out is not sent again. Rejects with gRPC's own error.
   */
  async call<Answer>(
    method: string,
    request: object,
    options: { readonly once?: boolean; readonly totalMs?: number } = {},
  ): Promise<Answer> {
    const endMs = this.#clock.now() + (options.totalMs ?? answerTimeoutMs);
    for (let attempt = 0; ; attempt += 1) {
      const member = this.#preferred;
      try {
        return await this.#ask<Answer>(member, method, request);
      } catch (error) {
        const failure = failureOf(error as ServiceError);
        if (failure === "final") throw error;
        this.#avoid(member);
        if (failure === "doubtful" && options.once === true) throw error;
        const delayMs = retryDelayMs(attempt, this.#members.length);
        if (this.#stop.signal.aborted || this.#clock.now() + delayMs > endMs) throw error;
        await sleep(this.#clock, delayMs, this.#stop.signal).catch(() => {});
      }
    }
  }

  /** A stream to the member that answered last. `failed` sends the next one elsewhere. */
  openWatch(): { readonly stream: EtcdStream; readonly failed: () => void } {
    const member = this.#preferred;
    const { path, requestSerialize, responseDeserialize } = definitionOf("Watch/Watch");
    const stream = this.#client(member).makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      requireLeader(),
    );
    return { stream, failed: () => this.#avoid(member) };
  }

  [Symbol.dispose](): void {
    this.#stop.abort(new Error("Cannot use the store: it is closed"));
    for (const member of this.#members) member.close();
  }

  #ask<Answer>(member: number, method: string, request: object): Promise<Answer> {
    const { path, requestSerialize, responseDeserialize } = definitionOf(method);
    return new Promise((resolve, reject) => {
      this.#client(member).makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        requireLeader(),
        // A deadline is an instant of the machine's clock: gRPC knows no other.
        { deadline: Date.now() + attemptTimeoutMs },
        (error, answer) => (error ? reject(error) : resolve(answer as Answer)),
      );
    });
  }

  #avoid(member: number): void {
    if (this.#preferred === member) this.#preferred = (member + 1) % this.#members.length;
  }

  #client(member: number): Client {
    const client = this.#members[member];
    if (client === undefined) throw new Error("Cannot ask etcd: there is no endpoint");
    return client;
  }
}

/** How long a request goes from member to member. */
const answerTimeoutMs = 10_000;
/**
 * Shorter than etcd itself waits for a majority (7 s): what a member forwarded to a leader that died is better asked
 * again when there is a new one, after a second or two.
 */
const attemptTimeoutMs = 3_000;
const retryMinMs = 20;
const retryMaxMs = 500;

/** Each member is asked once before the first wait that is worth the name. */
function retryDelayMs(attempt: number, members: number): number {
  const round = Math.floor(attempt / members);
  return Math.min(retryMaxMs, retryMinMs * 2 ** round);
}

/** A member that is cut off from the majority then says so at once. */
function requireLeader(): Metadata {
  const metadata = new Metadata();
  metadata.set("hasleader", "true");
  return metadata;
}

function memberAt(endpoint: string, tls: EtcdTls | undefined): Client {
  const { hostname, port, secure } = parseEndpoint(endpoint);
  const access = secure ? secureWith(tls, hostname) : credentials.createInsecure();
  return new Client(`dns:${hostname}:${port}`, access, {
    // An address is no server name that TLS could ask for; the certificate is checked for the address all the same.
    ...(secure && isIP(bare(hostname)) !== 0 && { "grpc.ssl_target_name_override": "etcd" }),
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 5_000,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.service_config_disable_resolution": 1,
  });
}

function secureWith(tls: EtcdTls = {}, hostname: string): ChannelCredentials {
  const bytes = (pem: Uint8Array | undefined) => (pem === undefined ? null : Buffer.from(pem));
  const { authority, key, certificate } = tls;
  return credentials.createSsl(bytes(authority), bytes(key), bytes(certificate), {
    checkServerIdentity: (_, shown) => checkServerIdentity(bare(hostname), shown),
  });
}

/** Without the brackets of an IPv6 address. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

function parseEndpoint(endpoint: string): {
  readonly hostname: string;
  readonly port: string;
  readonly secure: boolean;
} {
  const url = URL.parse(endpoint);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw new Error(
      `Cannot use the etcd endpoint "${endpoint}": it must be a URL like http://127.0.0.1:2379`,
    );
  }
  const port = url.port !== "" ? url.port : url.protocol === "https:" ? "443" : "80";
  return { hostname: url.hostname, port, secure: url.protocol === "https:" };
}

let definitions: ReadonlyMap<string, WireDefinition> | undefined;

function definitionOf(method: string): WireDefinition {
  definitions ??= new Map(wireMethods(etcdTable));
  const definition = definitions.get(`etcdserverpb.${method}`);
  if (definition === undefined) throw new Error(`Cannot call "${method}": no such method`);
  return definition;
}
