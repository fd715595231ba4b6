/** Maps a long list piece by piece, with the event loop free in between. */
export async function inTurns<Item, Result>(
  items: readonly Item[],
  map: (item: Item) => Result,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const item of items) {
    results.push(map(item));
    if (results.length % turnMax === 0) await nextTurn();
  }
  return results;
}

/** Some milliseconds' worth of objects that must be decoded. */
const turnMax = 200;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
