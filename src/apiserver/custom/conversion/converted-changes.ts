import type { Kind } from "#api/kind.ts";
import type { Change } from "#apiserver/cache/resource-cache.ts";
import { prepareViews } from "#apiserver/custom/conversion/converted-views.ts";
import type { ServerState } from "#apiserver/server-state.ts";

interface Receiver {
  /** Takes a change whose objects `viewOf` can show. */
  readonly onChange: (change: Change) => void;
  /** A change could not be converted; none follows. */
  readonly onFailure: (error: unknown) => void;
}

interface InOrder {
  readonly onChange: (change: Change) => void;
  /** Acts when all changes that came before are handed on. */
  readonly afterwards: (act: () => void) => void;
}

/** Hands changes on in their order, each once its objects are converted: at once where no webhook has to. */
export function onceConverted(server: ServerState, kind: Kind, receiver: Receiver): InOrder {
  if (kind.stored.webhook === undefined) {
    return { onChange: receiver.onChange, afterwards: (act) => act() };
  }
  let last: Promise<void> = Promise.resolve();
  let failed = false;
  const handOn = async (change: Change): Promise<void> => {
    try {
      await prepareChanges(server, kind, [change]);
      receiver.onChange(change);
    } catch (error) {
      failed = true;
      receiver.onFailure(error);
    }
  };
  const inTurn = (act: () => void | Promise<void>): void => {
    last = last.then(() => (failed ? undefined : act()));
  };
  return { onChange: (change) => inTurn(() => handOn(change)), afterwards: inTurn };
}

/** Before and after, and the last content of what is gone. Undefined where there is nothing to do. */
export function prepareChanges(
  server: ServerState,
  kind: Kind,
  changes: readonly Change[],
): Promise<void> | undefined {
  if (kind.stored.webhook === undefined) return undefined;
  const objects = changes.flatMap(({ current, previous, gone }) => [current, previous, gone()]);
  return prepareViews(
    server,
    kind,
    objects.filter((object) => object !== undefined),
  );
}
