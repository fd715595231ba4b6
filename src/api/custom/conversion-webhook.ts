import type { CustomResourceDefinition } from "#api/generated/types.ts";
import type { WebhookClientConfig } from "#api/strategies/registration/webhook-client.ts";

/** Who converts the objects of a definition between its versions. */
export interface ConversionWebhook {
  /** The name of the definition. */
  readonly definition: string;
  readonly client: WebhookClientConfig & { readonly caBundle?: string };
  readonly reviewVersions: readonly string[];
}

/** Undefined where versions differ in their name alone. */
export function conversionWebhookOf({
  metadata,
  spec: { conversion },
}: CustomResourceDefinition): ConversionWebhook | undefined {
  const client = conversion?.webhook?.clientConfig;
  if (conversion?.strategy !== "Webhook" || client === undefined) return undefined;
  return {
    definition: metadata.name ?? "",
    client,
    reviewVersions: conversion.webhook?.conversionReviewVersions ?? [],
  };
}
