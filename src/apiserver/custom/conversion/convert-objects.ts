import type { ConversionWebhook } from "#api/custom/conversion-webhook.ts";
import type { JsonObject } from "#api/kind.ts";
import { internalError } from "#api/status.ts";
import { randomUid } from "#base/random.ts";
import { ask } from "#apiserver/webhook-client.ts";
import { checkedConversion } from "#apiserver/custom/conversion/checked-conversion.ts";
import type { ConversionFailure } from "#apiserver/custom/conversion/conversion-metrics.ts";
import {
  conversionBody,
  conversionVersion,
  convertedObjects,
  type ConversionQuestion,
} from "#apiserver/custom/conversion/conversion-review.ts";
import { stringAt } from "#apiserver/objects/json.ts";
import type { ServerState } from "#apiserver/server-state.ts";

export interface Converting {
  readonly webhook: ConversionWebhook;
  /** The `apiVersion` they are to have; none of them has it. */
  readonly desired: string;
  readonly objects: readonly JsonObject[];
}

/** Has objects converted by their webhook, many with one question. Throws a 500 in upstream's words. */
export async function convertObjects(
  server: ServerState,
  { webhook, desired, objects }: Converting,
): Promise<readonly JsonObject[]> {
  const converted: JsonObject[] = [];
  for (let at = 0; at < objects.length; at += batchMax) {
    const batch = objects.slice(at, at + batchMax);
    converted.push(...(await convertBatch(server, { webhook, desired, objects: batch })));
  }
  return converted;
}

/** A page of a large list: some megabytes of objects of the usual size. */
const batchMax = 500;
const limitBytes = 64 * 1024 * 1024;
/** Upstream's default for requests it sends. */
const timeoutSeconds = 30;

async function convertBatch(
  server: ServerState,
  converting: Converting,
): Promise<readonly JsonObject[]> {
  const startMs = server.clock.now();
  const { webhook, desired, objects } = converting;
  const from = stringAt(objects[0], "apiVersion");
  const observe = (failure: ConversionFailure | ""): void =>
    server.conversions.observe({
      definition: webhook.definition,
      from,
      to: desired,
      seconds: (server.clock.now() - startMs) / 1_000,
      failure,
    });
  try {
    const converted = await answered(server, converting);
    observe("");
    return converted;
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    observe(error.failure);
    server.log.warn("objects were not converted", { definition: webhook.definition, error });
    throw internalError(`conversion webhook for ${subjectOf(objects[0])} ${error.message}`);
  }
}

class ConversionError extends Error {
  override readonly name = "ConversionError";
  readonly failure: ConversionFailure;

  constructor(message: string, failure: ConversionFailure) {
    super(message);
    this.failure = failure;
  }
}

function subjectOf(object: JsonObject | undefined): string {
  return `${stringAt(object, "apiVersion")}, Kind=${stringAt(object, "kind")}`;
}

async function answered(
  server: ServerState,
  { webhook, desired, objects }: Converting,
): Promise<readonly JsonObject[]> {
  const version = conversionVersion(webhook.reviewVersions);
  if (version === undefined) {
    throw new ConversionError(
      "failed: no supported conversion review versions",
      "conversion_webhook_call_failure",
    );
  }
  const question = { uid: randomUid(server.random), version, desired, objects };
  const answer = await attempt("conversion_webhook_call_failure", "failed: ", () =>
    ask(server, {
      client: webhook.client,
      body: conversionBody(question),
      timeoutSeconds,
      limitBytes,
    }),
  );
  return verified(answer, question);
}

async function verified(
  answer: JsonObject,
  question: ConversionQuestion,
): Promise<readonly JsonObject[]> {
  const { objects, desired } = question;
  const converted = await attempt("conversion_webhook_malformed_response_failure", "failed: ", () =>
    convertedObjects(answer, question),
  );
  if (converted.length !== objects.length) {
    throw new ConversionError(
      `returned ${converted.length} objects, expected ${objects.length}`,
      "conversion_webhook_partial_response_failure",
    );
  }
  return attempt("conversion_webhook_invalid_converted_object_failure", "", () =>
    objects.map((original, index) => checkedConversion(original, converted[index], desired)),
  );
}

async function attempt<T>(
  failure: ConversionFailure,
  prefix: string,
  act: () => T | Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConversionError(`${prefix}${why}`, failure);
  }
}
