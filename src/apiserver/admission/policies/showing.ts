import type { JsonObject } from "#api/kind.ts";
import type { Shown } from "#apiserver/admission/expressions/admission-variables.ts";
import { AuthorizerAnswers } from "#apiserver/admission/expressions/authorizer-answers.ts";
import type { Form } from "#apiserver/admission/matching/equivalents.ts";
import type { Target } from "#apiserver/admission/matching/target.ts";
import { inForm } from "#apiserver/admission/webhooks/invocation.ts";
import { lookUp } from "#apiserver/objects/read.ts";

const namespaces = { group: "", resource: "namespaces" };

/** Shows one request to policies, each object converted once for every form in which it is wanted. */
export class Showing {
  readonly #target: Target;
  readonly #answers: AuthorizerAnswers;
  readonly #inForms = new Map<Form["of"], Pick<Shown, "object" | "old">>();
  readonly #namespace: JsonObject | undefined;

  constructor(target: Target) {
    const { server, user } = target.call;
    this.#target = target;
    this.#answers = new AuthorizerAnswers(server.authorizer, user);
    const isNamespace = target.kind.group === "" && target.kind.kind === "Namespace";
    this.#namespace =
      isNamespace || target.namespace === ""
        ? undefined
        : lookUp(server, namespaces, { name: target.namespace });
  }

  async to(form: Form, params: JsonObject | undefined): Promise<Shown> {
    let objects = this.#inForms.get(form.of);
    if (objects === undefined) {
      const { object, old } = this.#target.attempt;
      objects = {
        object: await inForm(this.#target, form, object),
        old: await inForm(this.#target, form, old),
      };
      this.#inForms.set(form.of, objects);
    }
    const [target, answers, namespace] = [this.#target, this.#answers, this.#namespace];
    return { target, form, answers, namespace, params, ...objects };
  }

  /** The object was changed: it is converted anew for whoever sees it next. */
  forget(): void {
    this.#inForms.clear();
  }
}
