import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

/** One file, directory or link of an image. Paths have no leading slash. */
export interface ImageFile {
  readonly path: string;
  readonly content?: Uint8Array | string;
  readonly mode?: number;
  readonly linkTo?: string;
  readonly directory?: boolean;
}

export interface ImageContent {
  /** The full reference: `docker.io/library/web:1`. */
  readonly name: string;
  readonly files: readonly ImageFile[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly stopSignal?: string;
  /** As OCI names them: `amd64`, `arm64`. */
  readonly architecture: string;
}

/** An image of one layer as an OCI archive (a tar of an image layout), the same bytes for the same content. */
export async function ociArchive(image: ImageContent): Promise<Buffer> {
  const layer = await tar(image.files);
  const zipped = gzipSync(layer);
  const config = json({
    architecture: image.architecture,
    os: "linux",
    config: {
      ...(image.entrypoint && { Entrypoint: image.entrypoint }),
      ...(image.command && { Cmd: image.command }),
      ...(image.env && { Env: image.env }),
      ...(image.user && { User: image.user }),
      ...(image.workingDir && { WorkingDir: image.workingDir }),
      ...(image.stopSignal && { StopSignal: image.stopSignal }),
    },
    rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
    history: [{ created_by: "kogge" }],
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers: [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", zipped)],
  });
  const index = json({
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor(manifestType, manifest),
        platform: { architecture: image.architecture, os: "linux" },
        annotations: {
          "io.containerd.image.name": image.name,
          "org.opencontainers.image.ref.name": image.name.slice(image.name.lastIndexOf(":") + 1),
        },
      },
    ],
  });
  return tar([
    { path: "oci-layout", content: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", content: index },
    ...[config, manifest, zipped].map((content) => ({ path: blobPath(content), content })),
  ]);
}

const manifestType = "application/vnd.oci.image.manifest.v1+json";

function descriptor(mediaType: string, content: Uint8Array): object {
  return { mediaType, digest: digestOf(content), size: content.length };
}

function digestOf(content: Uint8Array): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

function blobPath(content: Uint8Array): string {
  return `blobs/sha256/${digestOf(content).slice("sha256:".length)}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function tar(files: readonly ImageFile[]): Promise<Buffer> {
  const archive = pack();
  for (const file of files) {
    const header = { name: file.path, mtime: new Date(0), mode: file.mode ?? 0o644 };
    if (file.directory)
      archive.entry({ ...header, type: "directory", mode: file.mode ?? 0o755 }, () => {});
    else if (file.linkTo !== undefined)
      archive.entry({ ...header, type: "symlink", linkname: file.linkTo }, () => {});
    else archive.entry(header, Buffer.from(file.content ?? ""));
  }
  archive.finalize();
  return buffer(archive);
}
