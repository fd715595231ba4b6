import type { ImageAccess, PullSecret } from "#agent/images/pull-records.ts";

/** Where nodes ask each other for images: `GET /images?name=…&secret=NAMESPACE/NAME/UID`, and get an archive. */
export const imagesPath = "/images";

/** The answer's header that tells what is in the archive. */
export const offerHeader = "kogge-image";

/** A secret by where it is; its credentials never leave a node. */
export type SecretName = Omit<PullSecret, "credentialHash">;

export interface ImageOffer {
  readonly id: string;
  /** The name that was asked for, and the image's digests in the same repository. */
  readonly names: readonly string[];
  readonly access: Exclude<ImageAccess["kind"], "secrets"> | "secret";
  /** The one of the asked secrets that the image was pulled with, for access "secret". */
  readonly secret?: SecretName;
}

export function imagePathFor(name: string, secrets: readonly SecretName[]): string {
  const query = new URLSearchParams({ name });
  for (const secret of secrets.slice(0, secretsMax)) query.append("secret", secretText(secret));
  return `${imagesPath}?${query.toString()}`;
}

const secretsMax = 32;

export function secretsIn(query: URLSearchParams): readonly SecretName[] {
  return query
    .getAll("secret")
    .slice(0, secretsMax)
    .map((text) => {
      const [namespace = "", name = "", uid = ""] = text.split("/");
      return { namespace, name, uid };
    });
}

function secretText({ namespace, name, uid }: SecretName): string {
  return `${namespace}/${name}/${uid}`;
}

export function readOffer(header: string | undefined): ImageOffer {
  const offer = JSON.parse(header ?? "{}") as Partial<ImageOffer>;
  const { id = "", names = [], access, secret } = offer;
  const isComplete = id !== "" && names.length > 0 && names.length <= namesMax;
  if (!isComplete || access === undefined || (access === "secret" && secret === undefined)) {
    throw new Error("the answer does not say what it is");
  }
  return { id, names, access, ...(secret && { secret }) };
}

export const namesMax = 20;
