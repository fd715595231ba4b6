import type { OutgoingAnswer } from "#apiserver/outgoing.ts";

/** Why an answer of another server is none, in the words of client-go; undefined for a good one. */
export function answerProblem(answer: OutgoingAnswer): AnswerError | undefined {
  const { status } = answer;
  if (status >= 200 && status <= 206) return undefined;
  return new AnswerError(messageOf(answer), status);
}

/** Carries the code of the answer. */
export class AnswerError extends Error {
  override readonly name = "AnswerError";
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

function messageOf(answer: OutgoingAnswer): string {
  const known = messages[answer.status];
  if (known !== undefined) return known;
  const text = new TextDecoder().decode(answer.body.subarray(0, quotedBytesMax)).trim();
  if (answer.status >= 500) {
    return `an error on the server (${JSON.stringify(text)}) has prevented the request from succeeding`;
  }
  return `the server responded with the status code ${answer.status} but did not return more information`;
}

const quotedBytesMax = 2_048;

const messages: Readonly<Record<number, string>> = {
  400: "the server rejected our request for an unknown reason",
  401: "the server has asked for the client to provide credentials",
  403: "the server has forbidden the request",
  404: "the server could not find the requested resource",
  405: "the server does not allow this method on the requested resource",
  406: "the server was unable to respond with a content type that the client supports",
  409: "the server reported a conflict",
  415: "the body of the request was in an unknown format",
  422: "the server rejected our request due to an error in our request",
  429: "the server has received too many requests and has asked us to try again later",
  503: "the server is currently unable to handle the request",
  504: "the server was unable to return a response in the time allotted, but may still be processing the request",
};
