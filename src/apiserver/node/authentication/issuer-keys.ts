import type { JSONWebKeySet } from "jose";
import type { Clock } from "#base/clock.ts";
import type { Outgoing, Trust } from "#apiserver/outgoing.ts";

export interface IssuerKeysParts {
  readonly url: string;
  readonly discoveryURL?: string;
  /** PEM; absent: what the machine trusts. */
  readonly authorities?: string;
  readonly outgoing: Outgoing;
  readonly clock: Clock;
}

/** Where an issuer is asked for its keys no more often than this, whatever tokens claim. */
const askAgainMs = 10_000;
const timeoutMs = 30_000;
const limitBytes = 1024 * 1024;

/**
 * The keys with which an issuer signs, as OpenID Connect Discovery tells where they are. They are fetched when the
 * first token comes and again when a token names a key that is not among them: keys are rotated.
 */
export class IssuerKeys {
  readonly #parts: IssuerKeysParts;
  #keys: Promise<JSONWebKeySet> | undefined;
  #askedMs = -Infinity;

  constructor(parts: IssuerKeysParts) {
    this.#parts = parts;
  }

  /** @throws when the issuer cannot be asked, or its answer is not what it should be */
  async current(): Promise<JSONWebKeySet> {
    const { clock } = this.#parts;
    const isStale = clock.now() - this.#askedMs >= askAgainMs;
    if (this.#keys === undefined || (isStale && (await failed(this.#keys)))) this.#ask();
    return this.#keys ?? { keys: [] };
  }

  /** The keys after a token named one that was not there: asked for again, unless that was just done. */
  async renewed(): Promise<JSONWebKeySet> {
    if (this.#parts.clock.now() - this.#askedMs >= askAgainMs) this.#ask();
    return this.current();
  }

  #ask(): void {
    this.#askedMs = this.#parts.clock.now();
    this.#keys = this.#fetch();
    // Whoever waits for the keys hears of it; without anybody waiting it is no error.
    this.#keys.catch(() => {});
  }

  async #fetch(): Promise<JSONWebKeySet> {
    const { url, discoveryURL } = this.#parts;
    const document = await this.#read(
      discoveryURL ?? `${url.replace(/\/+$/, "")}/.well-known/openid-configuration`,
    );
    const { issuer, jwks_uri: location } = document as Record<string, unknown>;
    if (issuer !== url)
      throw new Error(
        `oidc: issuer did not match the issuer returned by provider, expected "${url}" got "${String(issuer)}"`,
      );
    if (typeof location !== "string") throw new Error("oidc: the provider names no jwks_uri");
    const keys = await this.#read(location);
    if (!Array.isArray((keys as Partial<JSONWebKeySet>).keys))
      throw new Error(`oidc: ${location} holds no keys`);
    return keys as JSONWebKeySet;
  }

  async #read(url: string): Promise<object> {
    const { outgoing, authorities } = this.#parts;
    const trust: Trust = authorities === undefined ? {} : { authorities };
    const { status, body } = await outgoing.send({
      method: "GET",
      url,
      headers: { accept: "application/json" },
      trust,
      timeoutMs,
      limitBytes,
    });
    if (status !== 200) throw new Error(`oidc: ${url} answered ${status}`);
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    if (typeof value !== "object" || value === null)
      throw new Error(`oidc: ${url} answered no object`);
    return value;
  }
}

async function failed(asked: Promise<unknown>): Promise<boolean> {
  try {
    await asked;
    return false;
  } catch {
    return true;
  }
}
