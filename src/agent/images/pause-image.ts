import { ociArchive } from "#agent/images/oci-archive.ts";

/** The image of every pod's sandbox. It is made here, so that no registry is needed. */
export const pauseImageName = "kogge.local/pause:1";

/** The pause image as an OCI archive for a machine of Node's `process.arch`. */
export function pauseImageArchive(arch: string): Promise<Buffer> {
  return ociArchive({
    name: pauseImageName,
    files: [{ path: "pause", content: pauseProgram(arch), mode: 0o755 }],
    entrypoint: ["/pause"],
    user: "65535:65535",
    architecture: arch === "x64" ? "amd64" : arch,
  });
}

/**
 * A static ELF program without any library. It ignores SIGCHLD, so that the kernel itself reaps the orphans which
 * become its children where a pod shares its process namespace, and then sleeps for ever; it ends by SIGKILL.
 */
export function pauseProgram(arch: string): Uint8Array {
  if (arch === "x64") return elfProgram(62, x64Code());
  if (arch === "arm64") return elfProgram(183, arm64Code());
  throw new Error(`Cannot make the pause program: no code for the processor "${arch}"`);
}

/** `struct kernel_sigaction` with the handler SIG_IGN (1), and no flags, restorer or mask. */
const ignoreSignal = [1, ...Array.from({ length: 31 }, () => 0)];

function x64Code(): number[] {
  const code = [
    [0xb8, 13, 0, 0, 0], // mov eax, 13 (rt_sigaction)
    [0xbf, 17, 0, 0, 0], // mov edi, 17 (SIGCHLD)
    [0x48, 0x8d, 0x35, 22, 0, 0, 0], // lea rsi, [rip + 22], the action after the code
    [0x31, 0xd2], // xor edx, edx
    [0x41, 0xba, 8, 0, 0, 0], // mov r10d, 8 (bytes of a signal set)
    [0x0f, 0x05], // syscall
    [0xb8, 34, 0, 0, 0], // mov eax, 34 (pause)
    [0x0f, 0x05], // syscall
    [0xeb, 0xf7], // jump back to the mov before
    [0x90, 0x90, 0x90], // pads to the address that lea names
  ].flat();
  return [...code, ...ignoreSignal];
}

function arm64Code(): number[] {
  const move = (register: number, value: number): number => 0xd2800000 | (value << 5) | register;
  const systemCall = 0xd4000001;
  const words = [
    move(8, 134), // rt_sigaction
    move(0, 17), // SIGCHLD
    0x10000000 | (11 << 5) | 1, // adr x1, the action, 11 words on
    move(2, 0),
    move(3, 8),
    systemCall,
    move(8, 73), // ppoll of nothing, without an end
    move(0, 0),
    move(1, 0),
    move(2, 0),
    move(3, 0),
    systemCall,
    0x14000000 | (-6 & 0x3ffffff), // back to the first of ppoll's moves
  ];
  const bytes = Buffer.alloc(words.length * 4);
  words.forEach((word, index) => bytes.writeUInt32LE(word >>> 0, index * 4));
  return [...bytes, ...ignoreSignal];
}

const loadAddress = 0x400000n;
const headerBytes = 64;
const segmentBytes = 56;

/** A 64-bit ELF file (elf(5)) whose only segment is read and run where it lies, the entry just after the headers. */
function elfProgram(machine: number, code: readonly number[]): Uint8Array {
  const start = headerBytes + segmentBytes;
  const file = Buffer.alloc(start + code.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  file.writeUInt16LE(2, 16); // an executable
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(loadAddress + BigInt(start), 24);
  file.writeBigUInt64LE(BigInt(headerBytes), 32);
  file.writeUInt16LE(headerBytes, 52);
  file.writeUInt16LE(segmentBytes, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, headerBytes); // a segment to load
  file.writeUInt32LE(5, headerBytes + 4); // readable and executable
  file.writeBigUInt64LE(loadAddress, headerBytes + 16);
  file.writeBigUInt64LE(loadAddress, headerBytes + 24);
  file.writeBigUInt64LE(BigInt(file.length), headerBytes + 32);
  file.writeBigUInt64LE(BigInt(file.length), headerBytes + 40);
  file.writeBigUInt64LE(0x1000n, headerBytes + 48);
  file.set(code, start);
  return file;
}
