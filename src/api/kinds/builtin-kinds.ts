import type { Kind, StoredAs, Subresource } from "#api/kind.ts";
import { columnsOf, rowConditionsOf } from "#api/kinds/columns/columns.ts";
import { autoscalerConversion } from "#api/kinds/conversions/autoscalers.ts";
import { eventConversion } from "#api/kinds/conversions/events.ts";
import { builtinKindFacts } from "#api/kinds/kind-facts.ts";
import type { KindFacts, SubresourceFacts } from "#api/kinds/kind-facts.ts";
import { schemaOf } from "#api/schemas/builtin-schemas.ts";
import { strategyOf } from "#api/strategies/strategies.ts";

/** Every kind of the GA API of Kubernetes 1.36, in upstream's order of groups. */
export function builtinKinds(): readonly Kind[] {
  kinds ??= builtinKindFacts().map(kindOf);
  return kinds;
}

let kinds: readonly Kind[] | undefined;

function kindOf(facts: KindFacts): Kind {
  const { definition, subresources, ...kind } = facts;
  return {
    ...kind,
    schema: schemaOf(definition),
    subresources: subresources.map(subresourceOf),
    columns: columnsOf(facts.group, facts.kind),
    ...rowConditionsOf(facts.group, facts.kind),
    strategy: strategyOf(facts.group, facts.kind),
    stored: storedAs(facts),
  };
}

function subresourceOf(facts: SubresourceFacts): Subresource {
  const { name, verbs, group, version, kind, definition } = facts;
  return { name, verbs, group, version, kind, schema: schemaOf(definition) };
}

/** Events of both groups are one set of objects, as are autoscalers of both versions. */
function storedAs(facts: KindFacts): StoredAs {
  const { group, version, kind, resource } = facts;
  if (group === "events.k8s.io") {
    return { group: "", version: "v1", kind, resource, convert: eventConversion };
  }
  if (group === "autoscaling" && version === "v1") {
    return { group, version: "v2", kind, resource, convert: autoscalerConversion };
  }
  return { group, version, kind, resource };
}
