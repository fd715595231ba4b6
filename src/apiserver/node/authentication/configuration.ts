import { causesOf } from "#api/validation/field.ts";
import type { Given } from "#api/validation/given.ts";
import { checkConfiguration } from "#apiserver/node/authentication/check-configuration.ts";

/** `AuthenticationConfiguration` of `apiserver.config.k8s.io/v1` (KEP-3331). */
export interface AuthenticationConfiguration {
  readonly apiVersion: string;
  readonly kind: string;
  readonly jwt: readonly JwtIssuer[];
  readonly anonymous: AnonymousAccess;
}

export interface JwtIssuer {
  readonly issuer: {
    readonly url: string;
    readonly discoveryURL: string;
    readonly certificateAuthority: string;
    readonly audiences: readonly string[];
    readonly audienceMatchPolicy: string;
  };
  readonly claimValidationRules: readonly ClaimValidationRule[];
  readonly claimMappings: ClaimMappings;
  readonly userValidationRules: readonly UserValidationRule[];
}

export interface ClaimValidationRule {
  readonly claim: string;
  readonly requiredValue: string;
  readonly expression: string;
  readonly message: string;
}

export interface ClaimMappings {
  readonly username: PrefixedClaim;
  readonly groups: PrefixedClaim;
  readonly uid: ClaimOrExpression;
  readonly extra: readonly { readonly key: string; readonly valueExpression: string }[];
}

export interface ClaimOrExpression {
  readonly claim: string;
  readonly expression: string;
}

export interface PrefixedClaim extends ClaimOrExpression {
  readonly prefix: string;
}

export interface UserValidationRule {
  readonly expression: string;
  readonly message: string;
}

export interface AnonymousAccess {
  readonly enabled: boolean;
  readonly conditions: readonly { readonly path: string }[];
}

/**
 * Checks a file's content as upstream does.
 * @throws an Error that names every field that is wrong
 */
export function readAuthenticationConfiguration(
  value: unknown,
  ownIssuers: readonly string[],
): Given<AuthenticationConfiguration> {
  const given = (value ?? {}) as Given<AuthenticationConfiguration>;
  const [group, version = ""] = (given.apiVersion ?? "").split("/");
  const isKnown = group === "apiserver.config.k8s.io" && ["v1", "v1beta1"].includes(version);
  if (!isKnown || given.kind !== "AuthenticationConfiguration") {
    throw new Error(
      `it is of "${given.apiVersion ?? ""}" "${given.kind ?? ""}" and not of "apiserver.config.k8s.io/v1" "AuthenticationConfiguration"`,
    );
  }
  const causes = causesOf((root) => checkConfiguration(given, root, ownIssuers));
  if (causes.length > 0)
    throw new Error(causes.map(({ field, message }) => `${field}: ${message}`).join("; "));
  return given;
}
