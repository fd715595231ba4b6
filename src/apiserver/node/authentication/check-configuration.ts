import type { Field } from "#api/validation/field.ts";
import { domainPathProblems } from "#api/validation/formats.ts";
import { itemsOf, type Given } from "#api/validation/given.ts";
import {
  compileRule,
  type Result,
  type Subject,
} from "#apiserver/node/authentication/claim-expressions.ts";
import type {
  AuthenticationConfiguration,
  ClaimMappings,
  ClaimValidationRule,
  JwtIssuer,
  PrefixedClaim,
  UserValidationRule,
} from "#apiserver/node/authentication/configuration.ts";

const issuersMax = 64;

/** Notes what upstream's kube-apiserver would refuse to start with. */
export function checkConfiguration(
  given: Given<AuthenticationConfiguration>,
  root: Field,
  ownIssuers: readonly string[],
): void {
  const issuers = itemsOf(given.jwt);
  if (issuers.length > issuersMax) root.child("jwt").tooMany(issuers.length, issuersMax);
  const seen = new Set<string>();
  for (const [at, issuer] of issuers.entries()) {
    const field = root.child("jwt").index(at);
    checkIssuer(issuer, field, ownIssuers);
    const { url, discoveryURL } = issuer.issuer ?? {};
    for (const [name, value] of Object.entries({ url, discoveryURL })) {
      const key = `${name} ${value}`;
      if (value && seen.has(key)) field.child("issuer", name).duplicate(value);
      seen.add(key);
    }
  }
  const { enabled, conditions } = given.anonymous ?? {};
  if (!enabled && itemsOf(conditions).length > 0) {
    root
      .child("anonymous", "conditions")
      .invalid(conditions, "enabled should be set to true when conditions are defined");
  }
}

function checkIssuer(jwt: Given<JwtIssuer>, field: Field, ownIssuers: readonly string[]): void {
  const { url, discoveryURL, certificateAuthority } = jwt.issuer ?? {};
  const at = field.child("issuer");
  if (!url) at.child("url").required();
  else {
    if (ownIssuers.includes(url)) {
      const list = `[${ownIssuers.join(" ")}]`;
      at.child("url").invalid(url, `URL must not overlap with disallowed issuers: ${list}`);
    }
    checkUrl(url, at.child("url"));
  }
  if (discoveryURL) {
    if (withoutSlash(url ?? "") === withoutSlash(discoveryURL))
      at.child("discoveryURL").invalid(discoveryURL, "discoveryURL must be different from URL");
    checkUrl(discoveryURL, at.child("discoveryURL"));
  }
  checkAudiences(jwt, at);
  if (certificateAuthority && !certificateAuthority.includes("-----BEGIN CERTIFICATE-----")) {
    at.child("certificateAuthority").invalid(
      "<omitted>",
      "data does not contain any valid RSA or ECDSA certificates",
    );
  }
  const rules = itemsOf(jwt.claimValidationRules);
  checkClaimRules(rules, field.child("claimValidationRules"));
  checkMappings(jwt.claimMappings ?? {}, rules, field.child("claimMappings"));
  checkUserRules(itemsOf(jwt.userValidationRules), field.child("userValidationRules"));
}

function checkUrl(text: string, field: Field): void {
  if (!URL.canParse(text)) return field.invalid(text, `parse ${JSON.stringify(text)}: invalid URL`);
  const url = new URL(text);
  if (url.protocol !== "https:") field.invalid(text, "URL scheme must be https");
  if (url.username !== "" || url.password !== "")
    field.invalid(text, "URL must not contain a username or password");
  if (url.search !== "") field.invalid(text, "URL must not contain a query");
  if (url.hash !== "") field.invalid(text, "URL must not contain a fragment");
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

function checkAudiences({ issuer }: Given<JwtIssuer>, at: Field): void {
  const field = at.child("audiences");
  const audiences = itemsOf(issuer?.audiences);
  if (audiences.length === 0) return field.required(`at least one ${field.path} is required`);
  for (const [index, audience] of audiences.entries()) {
    if (audience === "") field.index(index).required();
    if (audiences.indexOf(audience) < index) field.index(index).duplicate(audience);
  }
  const policy = issuer?.audienceMatchPolicy ?? "";
  if (policy === "MatchAny") return;
  if (audiences.length > 1) {
    at.child("audienceMatchPolicy").invalid(
      policy,
      "audienceMatchPolicy must be MatchAny for multiple audiences",
    );
  } else if (policy !== "") {
    at.child("audienceMatchPolicy").invalid(
      policy,
      "audienceMatchPolicy must be empty or MatchAny for single audience",
    );
  }
}

function checkClaimRules(rules: readonly Given<ClaimValidationRule>[], field: Field): void {
  for (const [at, { claim, expression, requiredValue, message }] of rules.entries()) {
    const rule = field.index(at);
    if (claim && expression) rule.invalid(claim, "claim and expression can't both be set");
    else if (claim) {
      if (message) rule.child("message").invalid(message, "may not be specified when claim is set");
      if (rules.findIndex((other) => other.claim === claim) < at)
        rule.child("claim").duplicate(claim);
    } else if (expression) {
      if (requiredValue) {
        rule
          .child("requiredValue")
          .invalid(requiredValue, "may not be specified when expression is set");
      }
      if (rules.findIndex((other) => other.expression === expression) < at)
        rule.child("expression").duplicate(expression);
      checkExpression(expression, rule.child("expression"), "claims", "bool");
    } else rule.required("claim or expression is required");
  }
}

function checkMappings(
  mappings: Given<ClaimMappings>,
  rules: readonly Given<ClaimValidationRule>[],
  field: Field,
): void {
  checkPrefixed(mappings.username, field.child("username"), true);
  checkPrefixed(mappings.groups, field.child("groups"), false);
  const { claim, expression } = mappings.uid ?? {};
  if (claim && expression) field.child("uid").invalid("", "claim and expression can't both be set");
  else if (expression)
    checkExpression(expression, field.child("uid", "expression"), "claims", "anything");
  checkExtra(mappings, field.child("extra"));
  checkEmail(mappings, rules, field);
}

function checkPrefixed(
  mapping: Given<PrefixedClaim> | null | undefined,
  field: Field,
  isRequired: boolean,
): void {
  const { claim, expression, prefix } = mapping ?? {};
  if (claim && expression) field.invalid("", "claim and expression can't both be set");
  else if (expression) {
    if (typeof prefix === "string")
      field.child("prefix").invalid(prefix, "prefix can't be set when expression is set");
    checkExpression(expression, field.child("expression"), "claims", "anything");
  } else if (claim) {
    if (typeof prefix !== "string") {
      field
        .child("prefix")
        .required(
          `prefix is required when claim is set. It can be set to an empty string to disable prefixing`,
        );
    }
  } else {
    if (isRequired) field.required("claim or expression is required");
    if (typeof prefix === "string")
      field.child("prefix").invalid(prefix, "non-empty claim name is required when prefix is set");
  }
}

function checkExtra({ extra }: Given<ClaimMappings>, field: Field): void {
  const entries = itemsOf(extra);
  for (const [at, { key = "", valueExpression }] of entries.entries()) {
    const entry = field.index(at);
    entry.child("key").invalidAll(key, domainPathProblems(key ?? ""));
    if (key !== key?.toLowerCase()) entry.child("key").invalid(key, "must be lowercase");
    if (/(?:^|\.)(?:k8s|kubernetes)\.io$/.test(key?.split("/")[0] ?? "")) {
      entry
        .child("key")
        .invalid(key, "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use");
    }
    if (entries.findIndex((other) => other.key === key) < at) entry.child("key").duplicate(key);
    if (!valueExpression) entry.child("valueExpression").required();
    else checkExpression(valueExpression, entry.child("valueExpression"), "claims", "anything");
  }
}

/** An address that the issuer has not verified can be anybody's. */
function checkEmail(
  { username, extra }: Given<ClaimMappings>,
  rules: readonly Given<ClaimValidationRule>[],
  field: Field,
): void {
  const expression = username?.expression ?? "";
  if (!names(expression, "email")) return;
  const others = [
    expression,
    ...itemsOf(extra).map(({ valueExpression }) => valueExpression),
    ...rules.map((rule) => rule.expression),
  ];
  if (others.some((other) => names(other ?? "", "email_verified"))) return;
  field
    .child("username", "expression")
    .invalid(
      expression,
      "claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression",
    );
}

function names(expression: string, claim: string): boolean {
  return new RegExp(`\\bclaims\\s*\\.\\s*\\??\\s*${claim}\\b`).test(withoutTexts(expression));
}

/** What stands in quotes names no claim. */
function withoutTexts(expression: string): string {
  return expression.replaceAll(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '""');
}

function checkUserRules(rules: readonly Given<UserValidationRule>[], field: Field): void {
  for (const [at, { expression }] of rules.entries()) {
    const place = field.index(at).child("expression");
    if (!expression) {
      place.required("expression is required");
      continue;
    }
    if (rules.findIndex((other) => other.expression === expression) < at)
      place.duplicate(expression);
    checkExpression(expression, place, "user", "bool");
  }
}

function checkExpression(
  source: string,
  field: Field,
  ...[about, result]: [Subject, Result]
): void {
  const compiled = compileRule(source, about, result);
  if ("problem" in compiled) field.invalid(source, compiled.problem);
}
