import type { PodTemplateSpec, ReplicaSet } from "#api/generated/types.ts";
import { canonicalJson } from "#controllers/same-json.ts";

export const templateHashLabel = "pod-template-hash";

/**
 * A name for a template: equal for equal templates, in letters that are safe in names and spell no words. The
 * collision count makes another one for the same template where the first is taken.
 */
export function templateHash(template: PodTemplateSpec, collisionCount = 0): string {
  const text = canonicalJson(template) + (collisionCount === 0 ? "" : `\n${collisionCount}`);
  return safeEncode(String(fnv1a(text)));
}

/** Whether two templates make the same pods: the hash that a ReplicaSet's template carries does not count. */
export function isSameTemplate(template: PodTemplateSpec, replicaSet: ReplicaSet): boolean {
  return withoutHash(template) === withoutHash(replicaSet.spec?.template ?? {});
}

/** Templates are frozen and shared, so their text is worth keeping as long as they live. */
const texts = new WeakMap<PodTemplateSpec, string>();

function withoutHash(template: PodTemplateSpec): string {
  const known = texts.get(template);
  if (known !== undefined) return known;
  const { [templateHashLabel]: _hash, ...labels } = template.metadata?.labels ?? {};
  const text = canonicalJson({ ...template, metadata: { ...template.metadata, labels } });
  texts.set(template, text);
  return text;
}

const encoder = new TextEncoder();

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

const safeLetters = "bcdfghjklmnpqrstvwxz2456789";

function safeEncode(text: string): string {
  let safe = "";
  for (const character of text) {
    safe += safeLetters[character.charCodeAt(0) % safeLetters.length] ?? "";
  }
  return safe;
}
