import type { StatusCause } from "#api/generated/types.ts";
import type { JsonObject, Strategy } from "#api/kind.ts";
import { causesOf, type Field } from "#api/validation/field.ts";
import type { Filling, Given } from "#api/validation/given.ts";

/** A `Strategy` written in the terms of its kind's type; checks note their causes below the object's root. */
export interface TypedStrategy<T> extends Pick<
  Strategy,
  | "dependents"
  | "generationMetadata"
  | "hasGeneration"
  | "nameRule"
  | "createOnUpdate"
  | "unconditionalUpdate"
> {
  readonly fillDefaults?: (object: Filling<T>) => void;
  readonly prepareForCreate?: (object: Filling<T>) => void;
  readonly prepareForUpdate?: (object: Filling<T>, old: Given<T>) => void;
  /** Runs on updates too, before `validateUpdate`. */
  readonly validate?: (root: Field, object: Given<T>) => void;
  /** Runs on creates alone, after `validate`. */
  readonly validateCreate?: (root: Field, object: Given<T>) => void;
  readonly validateUpdate?: (root: Field, object: Given<T>, old: Given<T>) => void;
  readonly validateStatusUpdate?: (root: Field, object: Given<T>, old: Given<T>) => void;
  readonly warnings?: (object: Given<T>) => readonly string[];
  readonly selectableFields?: Readonly<Record<string, (object: Given<T>) => string>>;
  readonly gracePeriodSeconds?: (object: Given<T>, asked: number | undefined) => number;
}

/**
 * The one place where the plain objects of the API server and the types of the kinds meet: the server has checked an
 * object against its kind's schema before any of these functions sees it.
 */
export function strategyFor<T>(typed: TypedStrategy<T>): Strategy {
  const { validate, validateCreate, validateUpdate, validateStatusUpdate, ...rest } = typed;
  return {
    ...(rest as unknown as Strategy),
    ...((validate ?? validateCreate) && {
      validate: (object: JsonObject) =>
        causesOf((root) => {
          validate?.(root, object as Given<T>);
          validateCreate?.(root, object as Given<T>);
        }),
    }),
    ...((validate ?? validateUpdate) && {
      validateUpdate: compared<T>((root, object, old) => {
        validate?.(root, object);
        validateUpdate?.(root, object, old);
      }),
    }),
    ...(validateStatusUpdate && { validateStatusUpdate: compared(validateStatusUpdate) }),
  };
}

function compared<T>(
  check: (root: Field, object: Given<T>, old: Given<T>) => void,
): (object: JsonObject, old: JsonObject) => readonly StatusCause[] {
  return (object, old) => causesOf((root) => check(root, object as Given<T>, old as Given<T>));
}
