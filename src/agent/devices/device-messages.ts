import type { WireTable } from "#base/node/wire-table.ts";

/** Messages and services of the device plugin API, `v1beta1` of k8s.io/kubelet. */
export const devicePluginTable: WireTable = {
  package: "v1beta1",
  messages: {
    DevicePluginOptions: "preStartRequired 1 bool, getPreferredAllocationAvailable 2 bool",
    RegisterRequest:
      "version 1 string, endpoint 2 string, resourceName 3 string, options 4 DevicePluginOptions",
    Empty: "",
    ListAndWatchResponse: "devices 1 Device[]",
    TopologyInfo: "nodes 1 NUMANode[]",
    NUMANode: "ID 1 int64",
    Device: "ID 1 string, health 2 string, topology 3 TopologyInfo",
    PreStartContainerRequest: "devicesIds 1 string[]",
    PreStartContainerResponse: "",
    PreferredAllocationRequest: "containerRequests 1 ContainerPreferredAllocationRequest[]",
    ContainerPreferredAllocationRequest:
      "availableDeviceIDs 1 string[], mustIncludeDeviceIDs 2 string[], allocationSize 3 int32",
    PreferredAllocationResponse: "containerResponses 1 ContainerPreferredAllocationResponse[]",
    ContainerPreferredAllocationResponse: "deviceIDs 1 string[]",
    AllocateRequest: "containerRequests 1 ContainerAllocateRequest[]",
    ContainerAllocateRequest: "devicesIds 1 string[]",
    CDIDevice: "name 1 string",
    AllocateResponse: "containerResponses 1 ContainerAllocateResponse[]",
    ContainerAllocateResponse:
      "envs 1 map, mounts 2 Mount[], devices 3 DeviceSpec[], annotations 4 map, cdiDevices 5 CDIDevice[]",
    Mount: "containerPath 1 string, hostPath 2 string, readOnly 3 bool",
    DeviceSpec: "containerPath 1 string, hostPath 2 string, permissions 3 string",
  },
  enums: {},
  services: [
    {
      name: "Registration",
      methods: { Register: { request: "RegisterRequest", response: "Empty" } },
    },
    {
      name: "DevicePlugin",
      methods: {
        GetDevicePluginOptions: { request: "Empty", response: "DevicePluginOptions" },
        ListAndWatch: { request: "Empty", response: "ListAndWatchResponse", streams: true },
        GetPreferredAllocation: {
          request: "PreferredAllocationRequest",
          response: "PreferredAllocationResponse",
        },
        Allocate: { request: "AllocateRequest", response: "AllocateResponse" },
        PreStartContainer: {
          request: "PreStartContainerRequest",
          response: "PreStartContainerResponse",
        },
      },
    },
  ],
};

/** Messages and the service by which plugins of all types tell of themselves, `v1` of k8s.io/kubelet. */
export const pluginRegistrationTable: WireTable = {
  package: "pluginregistration",
  messages: {
    PluginInfo: "type 1 string, name 2 string, endpoint 3 string, supportedVersions 4 string[]",
    RegistrationStatus: "pluginRegistered 1 bool, error 2 string",
    RegistrationStatusResponse: "",
    InfoRequest: "",
  },
  enums: {},
  services: [
    {
      name: "Registration",
      methods: {
        GetInfo: { request: "InfoRequest", response: "PluginInfo" },
        NotifyRegistrationStatus: {
          request: "RegistrationStatus",
          response: "RegistrationStatusResponse",
        },
      },
    },
  ],
};

/** Messages and the service of the pod-resources API, `v1` of k8s.io/kubelet. */
export const podResourcesTable: WireTable = {
  package: "v1",
  messages: {
    AllocatableResourcesRequest: "",
    AllocatableResourcesResponse:
      "devices 1 ContainerDevices[], cpuIds 2 int64[], memory 3 ContainerMemory[]",
    ListPodResourcesRequest: "",
    ListPodResourcesResponse: "podResources 1 PodResources[]",
    PodResources: "name 1 string, namespace 2 string, containers 3 ContainerResources[]",
    ContainerResources:
      "name 1 string, devices 2 ContainerDevices[], cpuIds 3 int64[], memory 4 ContainerMemory[], dynamicResources 5 DynamicResource[]",
    DynamicResource:
      "claimName 2 string, claimNamespace 3 string, claimResources 4 ClaimResource[]",
    ClaimResource:
      "cdiDevices 1 CDIDevice[], driverName 2 string, poolName 3 string, deviceName 4 string, shareId 5 string",
    CDIDevice: "name 1 string",
    ContainerMemory: "memoryType 1 string, size 2 uint64, topology 3 TopologyInfo",
    ContainerDevices: "resourceName 1 string, deviceIds 2 string[], topology 3 TopologyInfo",
    TopologyInfo: "nodes 1 NUMANode[]",
    NUMANode: "ID 1 int64",
    GetPodResourcesRequest: "podName 1 string, podNamespace 2 string",
    GetPodResourcesResponse: "podResources 1 PodResources",
  },
  enums: {},
  services: [
    {
      name: "PodResourcesLister",
      methods: {
        List: { request: "ListPodResourcesRequest", response: "ListPodResourcesResponse" },
        GetAllocatableResources: {
          request: "AllocatableResourcesRequest",
          response: "AllocatableResourcesResponse",
        },
        Get: { request: "GetPodResourcesRequest", response: "GetPodResourcesResponse" },
      },
    },
  ],
};
