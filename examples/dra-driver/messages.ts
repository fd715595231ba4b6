/** What a driver of claims speaks, as far as this example needs it: `pluginregistration`, DRA `v1`, health `v1alpha1`. */
import { fromJSON } from "@grpc/proto-loader";
import type { ServiceDefinition } from "@grpc/grpc-js";

const text = (id: number) => ({ id, type: "string" });
const texts = (id: number) => ({ id, type: "string", rule: "repeated" });
const many = (id: number, type: string) => ({ id, type, rule: "repeated" });
const byUid = (id: number, type: string) => ({ id, keyType: "string", type });
const call = (requestType: string, responseType: string) => ({
  requestType,
  responseType,
  comment: "",
});

const registration = {
  InfoRequest: { fields: {} },
  PluginInfo: {
    fields: { type: text(1), name: text(2), endpoint: text(3), supportedVersions: texts(4) },
  },
  RegistrationStatus: { fields: { pluginRegistered: { id: 1, type: "bool" }, error: text(2) } },
  RegistrationStatusResponse: { fields: {} },
  Registration: {
    methods: {
      GetInfo: call("InfoRequest", "PluginInfo"),
      NotifyRegistrationStatus: call("RegistrationStatus", "RegistrationStatusResponse"),
    },
  },
};

const dra = {
  Claim: { fields: { namespace: text(1), uid: text(2), name: text(3) } },
  ClaimsRequest: { fields: { claims: many(1, "Claim") } },
  Device: {
    fields: {
      requestNames: texts(1),
      poolName: text(2),
      deviceName: text(3),
      cdiDeviceIds: texts(4),
    },
  },
  PreparedClaim: { fields: { devices: many(1, "Device"), error: text(2) } },
  PreparedClaims: { fields: { claims: byUid(1, "PreparedClaim") } },
  ReturnedClaim: { fields: { error: text(1) } },
  ReturnedClaims: { fields: { claims: byUid(1, "ReturnedClaim") } },
  DRAPlugin: {
    methods: {
      NodePrepareResources: call("ClaimsRequest", "PreparedClaims"),
      NodeUnprepareResources: call("ClaimsRequest", "ReturnedClaims"),
    },
  },
};

const health = {
  NodeWatchResourcesRequest: { fields: {} },
  DeviceIdentifier: { fields: { poolName: text(1), deviceName: text(2) } },
  DeviceHealth: {
    fields: {
      device: { id: 1, type: "DeviceIdentifier" },
      health: { id: 2, type: "int32" },
      lastUpdatedTime: { id: 3, type: "int64" },
      message: text(5),
    },
  },
  NodeWatchResourcesResponse: { fields: { devices: many(1, "DeviceHealth") } },
  DRAResourceHealth: {
    methods: {
      NodeWatchResources: {
        ...call("NodeWatchResourcesRequest", "NodeWatchResourcesResponse"),
        responseStream: true,
      },
    },
  },
};

const draPackage = "k8s.io.kubelet.pkg.apis.dra.v1";
let nested: object = dra;
for (const part of draPackage.split(".").toReversed()) nested = { [part]: { nested } };

const description = fromJSON(
  {
    nested: {
      pluginregistration: { nested: registration },
      v1alpha1: { nested: health },
      ...nested,
    },
  },
  { defaults: true, arrays: true, longs: Number },
);

export const registrationService = description[
  "pluginregistration.Registration"
] as ServiceDefinition;
export const draService = description[`${draPackage}.DRAPlugin`] as ServiceDefinition;
export const healthService = description["v1alpha1.DRAResourceHealth"] as ServiceDefinition;
