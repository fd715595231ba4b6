import { type GrpcChannel, openGrpcChannel } from "#agent/containerd/grpc-channel.ts";
import { pluginRegistrationTable } from "#agent/devices/device-messages.ts";
import { rpcText } from "#agent/devices/device-plugin.ts";

/** A plugin as it tells of itself. */
export interface PluginInfo {
  readonly name: string;
  /** The path of the socket where it is to be called. */
  readonly endpoint: string;
  readonly versions: readonly string[];
}

/** Takes the plugins of one type. */
export interface PluginHandler {
  /** Throws when such a plugin cannot be taken; it is told why. */
  check(info: PluginInfo): void;
  /** Throws when this one cannot be taken; it is told why. */
  add(info: PluginInfo): void;
  remove(info: PluginInfo): void;
}

/** A registered plugin; disposing of it takes it from its handler. */
export interface Registration extends Disposable {
  readonly info: PluginInfo;
}

interface WireInfo {
  readonly type: string;
  readonly name: string;
  readonly endpoint: string;
  readonly supportedVersions: readonly string[];
}

const dialTimeoutMs = 10_000;
const infoTimeoutMs = 1000;
const notifyTimeoutMs = 5000;

/** Asks a plugin at its registration socket what it is, hands it to its handler and tells it how that went. */
export async function register(
  socket: string,
  handlers: Readonly<Record<string, PluginHandler>>,
  signal: AbortSignal,
): Promise<Registration> {
  using channel = openGrpcChannel(socket, [pluginRegistrationTable]);
  await channel.ready(dialTimeoutMs);
  const found = await channel.call<WireInfo>(
    "pluginregistration.Registration/GetInfo",
    {},
    { timeoutMs: infoTimeoutMs, signal },
  );
  const info: PluginInfo = {
    name: found.name,
    endpoint: found.endpoint === "" ? socket : found.endpoint,
    versions: found.supportedVersions,
  };
  const handler = Object.hasOwn(handlers, found.type) ? handlers[found.type] : undefined;
  try {
    if (handler === undefined) {
      throw new Error(`no handler registered for plugin type: ${found.type} at socket ${socket}`);
    }
    attempt("plugin validation", () => handler.check(info));
    attempt("plugin registration", () => handler.add(info));
  } catch (error) {
    const text = `RegisterPlugin error -- ${rpcText(error)}`;
    await notify(channel, { pluginRegistered: false, error: text }, signal);
    throw new Error(text, { cause: error });
  }
  try {
    await notify(channel, { pluginRegistered: true, error: "" }, signal);
  } catch (error) {
    handler?.remove(info);
    throw error;
  }
  return { info, [Symbol.dispose]: () => handler?.remove(info) };
}

function attempt(what: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    throw new Error(`${what} failed with err: ${rpcText(cause)}`, { cause });
  }
}

async function notify(
  channel: GrpcChannel,
  status: { readonly pluginRegistered: boolean; readonly error: string },
  signal: AbortSignal,
): Promise<void> {
  const options = { timeoutMs: notifyTimeoutMs, signal };
  await channel.call("pluginregistration.Registration/NotifyRegistrationStatus", status, options);
}
