/** The device plugin API `v1beta1` of k8s.io/kubelet, as far as this example needs it. */
import { fromJSON } from "@grpc/proto-loader";
import type { ServiceDefinition } from "@grpc/grpc-js";

const text = (id: number, repeated = false) => ({
  id,
  type: "string",
  ...(repeated && { rule: "repeated" }),
});
const flag = (id: number) => ({ id, type: "bool" });
const many = (id: number, type: string) => ({ id, type, rule: "repeated" });
const map = (id: number) => ({ id, keyType: "string", type: "string" });
const call = (requestType: string, responseType: string) => ({
  requestType,
  responseType,
  comment: "",
});

const description = fromJSON(
  {
    nested: {
      v1beta1: {
        nested: {
          Empty: { fields: {} },
          DevicePluginOptions: {
            fields: { preStartRequired: flag(1), getPreferredAllocationAvailable: flag(2) },
          },
          RegisterRequest: {
            fields: { version: text(1), endpoint: text(2), resourceName: text(3) },
          },
          NUMANode: { fields: { ID: { id: 1, type: "int64" } } },
          TopologyInfo: { fields: { nodes: many(1, "NUMANode") } },
          Device: {
            fields: { ID: text(1), health: text(2), topology: { id: 3, type: "TopologyInfo" } },
          },
          ListAndWatchResponse: { fields: { devices: many(1, "Device") } },
          ContainerIds: { fields: { devicesIds: text(1, true) } },
          AllocateRequest: { fields: { containerRequests: many(1, "ContainerIds") } },
          Mount: { fields: { containerPath: text(1), hostPath: text(2), readOnly: flag(3) } },
          DeviceSpec: {
            fields: { containerPath: text(1), hostPath: text(2), permissions: text(3) },
          },
          ContainerAllocateResponse: {
            fields: {
              envs: map(1),
              mounts: many(2, "Mount"),
              devices: many(3, "DeviceSpec"),
              annotations: map(4),
            },
          },
          AllocateResponse: {
            fields: { containerResponses: many(1, "ContainerAllocateResponse") },
          },
          ContainerPreferredRequest: {
            fields: {
              availableDeviceIDs: text(1, true),
              mustIncludeDeviceIDs: text(2, true),
              allocationSize: { id: 3, type: "int32" },
            },
          },
          PreferredAllocationRequest: {
            fields: { containerRequests: many(1, "ContainerPreferredRequest") },
          },
          ContainerPreferredResponse: { fields: { deviceIDs: text(1, true) } },
          PreferredAllocationResponse: {
            fields: { containerResponses: many(1, "ContainerPreferredResponse") },
          },
          Registration: { methods: { Register: call("RegisterRequest", "Empty") } },
          DevicePlugin: {
            methods: {
              GetDevicePluginOptions: call("Empty", "DevicePluginOptions"),
              ListAndWatch: { ...call("Empty", "ListAndWatchResponse"), responseStream: true },
              GetPreferredAllocation: call(
                "PreferredAllocationRequest",
                "PreferredAllocationResponse",
              ),
              Allocate: call("AllocateRequest", "AllocateResponse"),
              PreStartContainer: call("ContainerIds", "Empty"),
            },
          },
        },
      },
    },
  },
  { defaults: true, arrays: true, longs: Number },
);

export const registration = description["v1beta1.Registration"] as ServiceDefinition;
export const devicePlugin = description["v1beta1.DevicePlugin"] as ServiceDefinition;
