import type { UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";
import { dealHand } from "#apiserver/fairness/shuffle-shard.ts";

/** A request that waits for its seats. */
export interface Waiting {
  /** Who waits, for whoever looks at the queues. */
  readonly arrival: { readonly user: UserInfo; readonly info: RequestInfo };
  readonly flow: { readonly schema: string; readonly distinguisher: string };
  readonly seats: number;
  readonly arrivedMs: number;
  /** Called once: with the queue it waited in when its turn has come. */
  readonly start: (queue: FairQueue) => void;
  /** Called whenever it would be its turn and there are not seats enough. */
  readonly noRoom: () => void;
}

export interface QueueSettings {
  readonly queues: number;
  readonly handSize: number;
  readonly lengthMax: number;
}

/** One queue, and how much of its share those that came through it have had. */
export class FairQueue {
  readonly waiting: Waiting[] = [];
  seatsWaiting = 0;
  seatsInUse = 0;
  executing = 0;
  /** In the time of the set: when its next request would begin if every queue had its equal share. */
  nextStart = 0;
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Where the time of the set and its queues stood when a request last began: for metrics. */
export interface Dispatched {
  readonly time: number;
  readonly start: number;
  readonly starts: Bounds;
  /** Less what is taken to be done by those who are carried out. */
  readonly discounted: Bounds;
}

/** What a request is taken to last until it has ended, in seconds: upstream's guess. */
const guessSeconds = 0.003;

/**
 * Queues that are served in turn so that each gets an equal share of the seats, whatever it asks for: start-time
 * fair queueing. `time` goes as fast as seats fall to each active queue.
 */
export class FairQueues {
  readonly #settings: QueueSettings;
  readonly #queues: FairQueue[];
  #time = 0;
  #last: Dispatched | undefined;
  #lastMs = 0;
  #waiting = 0;

  constructor(settings: QueueSettings, nowMs: number) {
    this.#settings = settings;
    this.#queues = Array.from({ length: settings.queues }, () => new FairQueue());
    this.#lastMs = nowMs;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** As fast as seats fall to each active queue; seconds of a seat. */
  get time(): number {
    return this.#time;
  }

  get lastDispatched(): Dispatched | undefined {
    return this.#last;
  }

  /** In the order of their numbers; for whoever looks. */
  get all(): readonly FairQueue[] {
    return this.#queues;
  }

  /** Puts a request into the shortest of its flow's queues; undefined when that is full. */
  enqueue(flow: string, request: Waiting, seatsMax: number): FairQueue | undefined {
    this.#advance(request.arrivedMs, seatsMax);
    const queue = this.#shortest(flow);
    if (queue === undefined || queue.waiting.length >= this.#settings.lengthMax) return undefined;
    if (queue.waiting.length === 0 && queue.seatsInUse === 0) {
      queue.nextStart = Math.max(queue.nextStart, this.#time);
    }
    queue.waiting.push(request);
    queue.seatsWaiting += request.seats;
    this.#waiting += 1;
    return queue;
  }

  /** The length of the queue after a request came into it: for metrics. */
  static lengthOf(queue: FairQueue): number {
    return queue.waiting.length;
  }

  /** Takes out the request whose turn it is, if so many seats are free as it needs. */
  next(seatsFree: number, nowMs: number, seatsMax: number): Waiting | undefined {
    if (this.#waiting === 0) return undefined;
    this.#advance(nowMs, seatsMax);
    const queue = this.#first();
    const request = queue?.waiting[0];
    if (queue === undefined || request === undefined) return undefined;
    if (request.seats > seatsFree) {
      request.noRoom();
      return undefined;
    }
    this.#last = this.#dispatched(queue);
    this.#take(queue, request);
    queue.seatsInUse += request.seats;
    queue.executing += 1;
    queue.nextStart += request.seats * guessSeconds;
    request.start(queue);
    return request;
  }

  /** What the guess was wrong by is put right. */
  finished(queue: FairQueue, seats: number, seconds: number): void {
    queue.seatsInUse -= seats;
    queue.executing -= 1;
    queue.nextStart += seats * (seconds - guessSeconds);
  }

  /** A request that waits no longer. */
  withdraw(queue: FairQueue, request: Waiting): boolean {
    if (!queue.waiting.includes(request)) return false;
    this.#take(queue, request);
    return true;
  }

  #take(queue: FairQueue, request: Waiting): void {
    queue.waiting.splice(queue.waiting.indexOf(request), 1);
    queue.seatsWaiting -= request.seats;
    this.#waiting -= 1;
  }

  #shortest(flow: string): FairQueue | undefined {
    const { handSize } = this.#settings;
    let best: FairQueue | undefined;
    for (const index of dealHand(flow, this.#queues.length, handSize)) {
      const queue = this.#queues[index];
      const isBetter = best === undefined || (queue !== undefined && load(queue) < load(best));
      if (isBetter) best = queue;
    }
    return best;
  }

  #first(): FairQueue | undefined {
    let best: FairQueue | undefined;
    for (const queue of this.#queues) {
      if (queue.waiting.length === 0) continue;
      if (best === undefined || queue.nextStart < best.nextStart) best = queue;
    }
    return best;
  }

  #dispatched({ nextStart }: FairQueue): Dispatched {
    const waiting = this.#queues.filter((queue) => queue.waiting.length > 0);
    return {
      time: this.#time,
      start: nextStart,
      starts: boundsOf(waiting.map((queue) => queue.nextStart)),
      discounted: boundsOf(
        waiting.map((queue) => queue.nextStart - queue.seatsInUse * guessSeconds),
      ),
    };
  }

  #advance(nowMs: number, seatsMax: number): void {
    const seconds = (nowMs - this.#lastMs) / 1_000;
    this.#lastMs = nowMs;
    if (seconds <= 0) return;
    let active = 0;
    let wanted = 0;
    for (const queue of this.#queues) {
      const seats = queue.seatsWaiting + queue.seatsInUse;
      if (seats > 0) active += 1;
      wanted += seats;
    }
    if (active > 0) this.#time += (seconds * Math.min(wanted, seatsMax)) / active;
  }
}

function boundsOf(values: readonly number[]): Bounds {
  return { min: Math.min(...values), max: Math.max(...values) };
}

function load(queue: FairQueue): number {
  return queue.seatsWaiting + queue.seatsInUse;
}
