/** Where one cluster's own containerd keeps things. */
export interface ContainerdPaths {
  readonly config: string;
  readonly root: string;
  /** Volatile state, on a short path: sockets in it may have at most 107 bytes. */
  readonly state: string;
  readonly socket: string;
  readonly pidFile: string;
  readonly logFile: string;
  /** Where the pod network's CNI configuration is looked for; changes are noticed. */
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  /** One folder for each registry with a `hosts.toml`, as containerd reads them. */
  readonly registryDir: string;
  /** Specifications of devices that are the cluster's own, as the Container Device Interface has them. */
  readonly cdiDir: string;
}

/** Where CDI devices are told of; the last counts. */
export function cdiDirsOf(own: string | undefined): readonly string[] {
  return ["/etc/cdi", "/var/run/cdi", ...(own === undefined ? [] : [own])];
}

export interface ContainerdFeatures {
  readonly snapshotter: "overlayfs" | "native";
  /** Where CAP_SYS_RESOURCE is missing, `oom_score_adj` cannot be lowered: containerd must not ask for it. */
  readonly restrictOomScoreAdj: boolean;
  readonly sandboxImage: string;
}

/** The configuration, in the form (version 2) that containerd 1.6, 1.7 and 2 all read. */
export function containerdConfig(paths: ContainerdPaths, features: ContainerdFeatures): string {
  const cri = `plugins."io.containerd.grpc.v1.cri"`;
  return `version = 2
root = ${quote(paths.root)}
state = ${quote(paths.state)}
disabled_plugins = [${unusedPlugins.map(quote).join(", ")}]

[grpc]
  address = ${quote(paths.socket)}

[debug]
  level = "warn"

[plugins."io.containerd.internal.v1.opt"]
  path = ${quote(`${paths.root}/opt`)}

[${cri}]
  sandbox_image = ${quote(features.sandboxImage)}
  restrict_oom_score_adj = ${features.restrictOomScoreAdj}
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  tolerate_missing_hugetlb_controller = true
  enable_cdi = true
  cdi_spec_dirs = [${cdiDirsOf(paths.cdiDir).map(quote).join(", ")}]

[${cri}.cni]
  bin_dir = ${quote(paths.cniBinDir)}
  conf_dir = ${quote(paths.cniConfDir)}

[${cri}.containerd]
  snapshotter = ${quote(features.snapshotter)}
  default_runtime_name = "runc"

[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[${cri}.containerd.runtimes.runc.options]
  SystemdCgroup = false

[${cri}.registry]
  config_path = ${quote(paths.registryDir)}
`;
}

/** Left out for a faster start; none is needed for CRI with overlayfs or native snapshots. */
const unusedPlugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
];

/** A TOML basic string has JSON's escapes. */
function quote(text: string): string {
  return JSON.stringify(text);
}
