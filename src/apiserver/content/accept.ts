import { StatusError } from "#api/status.ts";
import type { MetaVersion } from "#api/table/table.ts";
import type { ApiRequest } from "#apiserver/request.ts";

/** The form of an answer that the caller accepts. */
export interface Form {
  readonly media: "json" | "yaml" | "protobuf";
  readonly as: "object" | "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList";
  /** Of a meta form; default `v1`. */
  readonly metaVersion?: MetaVersion;
  readonly pretty: boolean;
}

/** What an answer could be. */
export interface Offer {
  /** Which of the meta forms. */
  readonly as: readonly Form["as"][];
  /** The object itself has a protobuf form: custom resources have none. Default true. */
  readonly protobuf?: boolean;
  /** Watches have no YAML. Default true. */
  readonly yaml?: boolean;
}

/** Chooses as upstream does: the first of the caller's wishes that can be met. */
export function formOf(request: ApiRequest, offer: Offer): Form {
  const header = request.header("accept") ?? "";
  const pretty = wantsPretty(request);
  if (header === "") return { media: "json", as: "object", pretty };
  if (header === "application/json") return { media: "json", as: "object", pretty };
  for (const wish of parseAccept(header)) {
    const form = formFor(wish, offer);
    if (form !== undefined) return { ...form, pretty };
  }
  throw notAcceptable(mediaTypesOf(offer));
}

interface Wish {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

export function parseAccept(header: string): readonly Wish[] {
  const wishes = header.split(",").flatMap((part) => {
    const [type = "", ...parameters] = part.split(";").map((text) => text.trim());
    if (type === "") return [];
    const pairs = parameters.map((text) => {
      const equals = text.indexOf("=");
      return [text.slice(0, equals).trim().toLowerCase(), text.slice(equals + 1).trim()] as const;
    });
    const map = new Map(pairs);
    const quality = Number(map.get("q") ?? "1");
    return [
      { type: type.toLowerCase(), parameters: map, quality: Number.isNaN(quality) ? 0 : quality },
    ];
  });
  return wishes.filter((wish) => wish.quality > 0).toSorted((a, b) => b.quality - a.quality);
}

function formFor(wish: Wish, offer: Offer): Omit<Form, "pretty"> | undefined {
  const media = mediaOf(wish.type);
  const as = wish.parameters.get("as") ?? "object";
  if (media === undefined || !offer.as.includes(as as Form["as"])) return undefined;
  if (media === "yaml" && offer.yaml === false) return undefined;
  if (media === "protobuf" && !inProtobuf(as, offer)) return undefined;
  if (as === "object") return { media, as };
  const version = wish.parameters.get("v");
  if (wish.parameters.get("g") !== "meta.k8s.io") return undefined;
  if (version !== "v1" && version !== "v1beta1") return undefined;
  return { media, as: as as Form["as"], metaVersion: version };
}

/** Tables have no protobuf form; metadata alone has one, of custom resources too. */
function inProtobuf(as: string, offer: Offer): boolean {
  return as !== "Table" && (as !== "object" || offer.protobuf !== false);
}

function mediaOf(type: string): Form["media"] | undefined {
  switch (type) {
    case "application/json":
    case "application/*":
    case "*/*":
      return "json";
    case "application/yaml":
      return "yaml";
    case "application/vnd.kubernetes.protobuf":
      return "protobuf";
    default:
      return undefined;
  }
}

export function notAcceptable(accepted: readonly string[] = mediaTypes): StatusError {
  return new StatusError({
    code: 406,
    reason: "NotAcceptable",
    message: `only the following media types are accepted: ${accepted.join(", ")}`,
  });
}

export const mediaTypes: readonly string[] = [
  "application/json",
  "application/yaml",
  "application/vnd.kubernetes.protobuf",
];

function mediaTypesOf(offer: Offer): readonly string[] {
  return mediaTypes.filter(
    (type) =>
      (offer.yaml !== false || !type.endsWith("yaml")) &&
      (offer.protobuf !== false || !type.endsWith("protobuf")),
  );
}

/** As upstream: when asked, or when a person's tool asks without saying. */
function wantsPretty(request: ApiRequest): boolean {
  const asked = request.query.get("pretty");
  if (asked !== null) return asked !== "0" && asked !== "false";
  return /^(?:curl|Wget|Mozilla\/5\.0)/.test(request.header("user-agent") ?? "");
}
