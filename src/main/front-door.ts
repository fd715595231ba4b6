import type { ApiRequest, ApiResponse } from "#apiserver/request.ts";
import type { ApiServer } from "#apiserver/server.ts";

type Answering = Pick<ApiServer, "handle" | "refuseStranger">;

/** Takes requests from when the socket listens; those that come before the API server is there wait for it. */
export class FrontDoor {
  readonly #opening = Promise.withResolvers<Answering>();
  #server: Answering | undefined;

  open(server: Answering): void {
    this.#server = server;
    this.#opening.resolve(server);
  }

  handle(request: ApiRequest): Promise<ApiResponse> {
    return this.#server?.handle(request) ?? this.#later((server) => server.handle(request));
  }

  refuseStranger(request: ApiRequest, attempted: readonly string[]): Promise<ApiResponse> {
    return this.#later((server) => server.refuseStranger(request, attempted));
  }

  async #later(ask: (server: Answering) => Promise<ApiResponse> | ApiResponse) {
    return ask(await this.#opening.promise);
  }
}
