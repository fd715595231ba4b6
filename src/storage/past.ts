/** What a write did to one key: the state before it, undefined when there was nothing. */
export interface Undo<State> {
  readonly key: string;
  readonly before: State | undefined;
}

/**
 * A key-ordered walk over the past: the present with the writes since then undone. `since` holds those writes, the
 * oldest first, so that the first one of a key tells what the key was.
 */
export function* pastStates<State>(
  present: Iterable<readonly [string, State]>,
  since: Iterable<Undo<State>>,
): Generator<readonly [string, State]> {
  const undone = new Map<string, State | undefined>();
  for (const { key, before } of since) if (!undone.has(key)) undone.set(key, before);
  const changed = [...undone.keys()].sort(byCodeUnit);
  let next = 0;
  for (const [key, state] of present) {
    for (; next < changed.length && (changed[next] ?? "") <= key; next++) {
      yield* restored(changed[next] ?? "", undone);
    }
    if (undone.has(key)) continue;
    yield [key, state];
  }
  for (; next < changed.length; next++) yield* restored(changed[next] ?? "", undone);
}

function* restored<State>(
  key: string,
  undone: ReadonlyMap<string, State | undefined>,
): Generator<readonly [string, State]> {
  const state = undone.get(key);
  if (state !== undefined) yield [key, state];
}

function byCodeUnit(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
