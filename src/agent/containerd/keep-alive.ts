const farAwayMs = 0x7fff_ffff;

/** Keeps this process from ending while `work` waits on nothing but the clock, whose timers do not. */
export async function keepAlive<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, farAwayMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
