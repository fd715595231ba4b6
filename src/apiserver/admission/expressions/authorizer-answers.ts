import type {
  Ask,
  AuthorizationAnswer,
  AuthorizationQuestion,
} from "#api/cel/library/authorizer.ts";
import type { Attributes, Authorizer, Decision } from "#apiserver/authorizer.ts";
import type { UserInfo } from "#apiserver/request.ts";

/** Thrown by an expression that asks what the authorizer has to think about; it is run again then. */
class Undecided extends Error {
  readonly ready: Promise<void>;

  constructor(ready: Promise<void>) {
    super("the authorizer has not answered yet");
    this.ready = ready;
  }
}

/** What the authorizer says to the expressions of one request, each question asked once. */
export class AuthorizerAnswers {
  readonly #authorizer: Authorizer;
  readonly #user: UserInfo;
  readonly #answers = new Map<string, AuthorizationAnswer>();

  constructor(authorizer: Authorizer, user: UserInfo) {
    this.#authorizer = authorizer;
    this.#user = user;
  }

  /** For expressions within `whenAnswered`. */
  readonly ask: Ask = (question) => {
    const key = JSON.stringify(question);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const decision = this.#decide(question);
    if (!(decision instanceof Promise)) return this.#remember(key, answerOf(decision));
    const ready = decision.then(answerOf, failureOf).then((answer) => {
      this.#remember(key, answer);
    });
    throw new Undecided(ready);
  };

  /** Runs the expressions, again after each question that takes its time. */
  async whenAnswered<T>(run: () => T): Promise<T> {
    for (;;) {
      try {
        return run();
      } catch (error) {
        if (!(error instanceof Undecided)) throw error;
        await error.ready;
      }
    }
  }

  #remember(key: string, answer: AuthorizationAnswer): AuthorizationAnswer {
    this.#answers.set(key, answer);
    return answer;
  }

  #decide(question: AuthorizationQuestion): Decision | Promise<Decision> {
    try {
      return this.#authorizer.authorize(attributesOf(question, this.#user));
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

function answerOf({ allowed, reason }: Decision): AuthorizationAnswer {
  return { allowed, reason };
}

function failureOf(error: unknown): AuthorizationAnswer {
  const text = error instanceof Error ? error.message : String(error);
  return { allowed: false, reason: "", error: text };
}

function attributesOf(question: AuthorizationQuestion, user: UserInfo): Attributes {
  const { serviceAccount, path, verb, group, resource, subresource, namespace, name } = question;
  return {
    user: serviceAccount === undefined ? user : accountUser(serviceAccount),
    verb,
    isResource: path === undefined,
    group,
    version: path === undefined ? "*" : "",
    resource,
    subresource,
    namespace,
    name,
    path: path ?? "",
    ...(question.fieldSelector !== undefined && { fieldSelector: question.fieldSelector }),
  };
}

function accountUser({ namespace, name }: { readonly namespace: string; readonly name: string }) {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: [
      "system:serviceaccounts",
      `system:serviceaccounts:${namespace}`,
      "system:authenticated",
    ],
  };
}
