import { cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "#test/clients.ts";
import type { koggeFor } from "#test/kogge-command.ts";
import type { Programs } from "#tools/upstream/programs.ts";

// Stand-ins for upstream's images, under their names: upstream's programs on Debian instead of on Alpine, and Debian's
// own busybox, nginx and etcd. No registry is asked.

export interface ImagesParts {
  readonly folder: string;
  readonly programs: Programs;
  readonly kogge: ReturnType<typeof koggeFor>;
}

interface Image {
  readonly names: readonly string[];
  readonly dockerfile: string;
  /** Copied beside the Dockerfile: from where, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

const testPrograms =
  "bash bind9-dnsutils ca-certificates curl etcd-server iperf iproute2 iputils-ping net-tools netcat-openbsd procps wget";
const prefix = "registry.k8s.io/e2e-test-images";
const agnhost = `${prefix}/agnhost:2.63.0`;
const busybox = `${prefix}/busybox:1.37.0-1`;

/** Builds each image and gives it to all nodes of the cluster. */
export async function buildImages(parts: ImagesParts): Promise<void> {
  const base = await debianWith(parts.folder, "base", testPrograms.split(" "));
  const nginx = await debianWith(parts.folder, "nginx", ["nginx-light"]);
  for (const { names, dockerfile, files = {} } of imagesFrom(parts.programs, { base, nginx })) {
    const context = join(parts.folder, "context");
    rmSync(context, { recursive: true, force: true });
    mkdirSync(context, { recursive: true });
    for (const [name, source] of Object.entries(files)) {
      cpSync(source, join(context, name), { recursive: true });
    }
    writeFileSync(join(context, "Dockerfile"), dockerfile);
    for (const name of names) {
      console.log(`Building ${name}`);
      await parts.kogge(["image", "build", context, "-t", name]);
    }
  }
}

/** An archive of Debian with these packages; made once. */
async function debianWith(
  folder: string,
  name: string,
  packages: readonly string[],
): Promise<string> {
  const archive = join(folder, `${name}.tar`);
  if (existsSync(archive)) return archive;
  console.log(`Fetching Debian with ${packages.join(", ")}`);
  const words = ["--variant=minbase", `--include=${packages.join(",")}`, "bookworm"];
  const unfinished = join(folder, `${name}-unfinished.tar`);
  const { code, stderr } = await run("mmdebstrap", [...words, unfinished]);
  if (code !== 0) throw new Error(`Cannot make the images' base: mmdebstrap: ${stderr}`);
  renameSync(unfinished, archive);
  return archive;
}

function imagesFrom(
  { ofImage, imageSources }: Programs,
  debian: { readonly base: string; readonly nginx: string },
): readonly Image[] {
  return [
    {
      names: [agnhost, `${prefix}/agnhost:2.55`],
      files: {
        "base.tar": debian.base,
        agnhost: ofImage("agnhost"),
        "localhost.crt": join(imageSources, "agnhost/porter/localhost.crt"),
        "localhost.key": join(imageSources, "agnhost/porter/localhost.key"),
      },
      dockerfile: `FROM scratch
ADD base.tar /
COPY agnhost localhost.crt localhost.key /
RUN ln -s agnhost /agnhost-2 && mkdir -p /uploads && ln -s /usr/bin/iperf /usr/local/bin/iperf \\
 && useradd --uid 1000 --create-home user-defined-in-image \\
 && groupadd --gid 50000 group-defined-in-image \\
 && usermod --append --groups group-defined-in-image user-defined-in-image
ENTRYPOINT ["/agnhost"]
CMD ["pause"]
`,
    },
    {
      names: [`${prefix}/glibc-dns-testing:2.0.0`, "registry.k8s.io/etcd:3.6.8-0"],
      dockerfile: `FROM ${agnhost}
RUN ln -s /usr/bin/etcd /usr/local/bin/etcd
ENTRYPOINT []
CMD ["bash"]
`,
    },
    {
      names: [busybox],
      // Its own shell drops variables whose names a shell cannot use, which upstream's keeps.
      files: {
        busybox: "/bin/busybox",
        sh: "/bin/bash-static",
        hostname: ofImage("busybox"),
      },
      dockerfile: `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox --install -s /bin; rm /bin/sh /bin/hostname; mkdir -p /etc /tmp /root /home; chmod 1777 /tmp; echo root:x:0:0:root:/root:/bin/sh > /etc/passwd; echo nobody:x:65534:65534:nobody:/home:/bin/false >> /etc/passwd; echo root:x:0: > /etc/group; echo nobody:x:65534: >> /etc/group"]
COPY sh hostname /bin/
CMD ["sh"]
`,
    },
    { names: [`${prefix}/nonroot:1.5`], dockerfile: `FROM ${busybox}\nUSER 1234\n` },
    {
      names: [`${prefix}/nonewprivs:1.4`],
      files: { nnp: ofImage("nonewprivs") },
      dockerfile: `FROM ${busybox}
COPY nnp /usr/local/bin/nnp
RUN chmod +s /usr/local/bin/nnp
CMD ["nnp"]
`,
    },
    ...(["kitten", "nautilus"] as const).map((name) => ({
      names: [`${prefix}/${name}:1.8`],
      files: { html: join(imageSources, name, "html") },
      dockerfile: `FROM ${agnhost}\nCOPY html/ /\nCMD ["test-webserver"]\n`,
    })),
    ...(
      [
        ["regression-issue-74839", "1.5", "/regression-issue-74839"],
        ["sample-apiserver", "1.29.2", "/sample-apiserver"],
        ["resource-consumer", "1.14", "/consumer"],
      ] as const
    ).map(([name, tag, path]) => ({
      names: [`${prefix}/${name}:${tag}`],
      files: { program: ofImage(name) },
      dockerfile: `FROM ${busybox}\nCOPY program ${path}\nENTRYPOINT ["${path}"]\n`,
    })),
    {
      names: ["registry.k8s.io/pause:3.10.2"],
      files: { agnhost: ofImage("agnhost") },
      dockerfile: `FROM scratch\nCOPY agnhost /pause\nENTRYPOINT ["/pause", "pause"]\n`,
    },
    {
      names: [`${prefix}/nginx:1.15-4`, `${prefix}/nginx:1.27-0`],
      files: { "nginx.tar": debian.nginx },
      dockerfile: `FROM scratch
ADD nginx.tar /
RUN ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log
CMD ["nginx", "-g", "daemon off;"]
`,
    },
  ];
}
