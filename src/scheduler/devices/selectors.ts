import type { Device } from "#api/generated/types.ts";
import { compileDeviceSelector, type CompiledSelector } from "#api/cel/devices/device-selector.ts";
import { messageOf } from "#base/log.ts";
import type { PublishedDevice } from "#scheduler/devices/pools.ts";
import type { Wish } from "#scheduler/devices/wishes.ts";

/** One expression, asked of devices; each device is asked once. */
class Question {
  readonly #compiled: CompiledSelector;
  /** A device never changes without becoming another object. */
  readonly #answers = new WeakMap<Device, boolean | string>();

  constructor(expression: string) {
    this.#compiled = compileDeviceSelector(expression);
  }

  answer({ device, driver }: PublishedDevice): boolean | string {
    const known = this.#answers.get(device);
    if (known !== undefined) return known;
    const answer = ask(this.#compiled, device, driver);
    this.#answers.set(device, answer);
    return answer;
  }
}

interface WishQuestion {
  /** Whose it is, for messages: `class gpu: selector #0`. */
  readonly place: string;
  readonly question: Question;
}

/** Expressions that are kept, those used last. */
const expressionsMax = 256;

/** Asks the expressions of classes and claims about devices. */
export class Selectors {
  readonly #questions = new Map<string, Question>();
  readonly #ofWish = new WeakMap<Wish, readonly WishQuestion[]>();

  /** Whether the wish, of the claim of that name, means the device. A text says why that cannot be told. */
  means(wish: Wish, device: PublishedDevice, claimKey: string): boolean | string {
    for (const { place, question } of this.#questionsOf(wish, claimKey)) {
      const answer = question.answer(device);
      if (answer === false) return false;
      if (answer !== true) return `${place}: ${answer}`;
    }
    return true;
  }

  #questionsOf(wish: Wish, claimKey: string): readonly WishQuestion[] {
    const known = this.#ofWish.get(wish);
    if (known) return known;
    const sources = [
      { owner: `class ${wish.className}`, selectors: wish.class.spec.selectors ?? [] },
      { owner: `claim ${claimKey}`, selectors: wish.selectors },
    ];
    const questions = sources.flatMap(({ owner, selectors }) =>
      selectors.map(({ cel }, index) => ({
        place: `${owner}: selector #${index}`,
        question: this.#question(cel?.expression ?? ""),
      })),
    );
    this.#ofWish.set(wish, questions);
    return questions;
  }

  #question(expression: string): Question {
    const question = this.#questions.get(expression) ?? new Question(expression);
    this.#questions.delete(expression);
    this.#questions.set(expression, question);
    if (this.#questions.size > expressionsMax) {
      for (const oldest of this.#questions.keys()) {
        this.#questions.delete(oldest);
        break;
      }
    }
    return question;
  }
}

function ask({ selector, error }: CompiledSelector, device: Device, driver: string) {
  if (selector === undefined) return `CEL compile error: ${error}`;
  try {
    return selector.matches(device, driver);
  } catch (problem) {
    return `CEL runtime error: ${messageOf(problem)}`;
  }
}
