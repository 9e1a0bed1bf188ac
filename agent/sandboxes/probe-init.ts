import type { Architecture } from '../../schemas/artefact.ts';

/** What the probe guest prints to show that it runs programs. */
export const PROBE_MARKER = 'lockstep:probe';

const LOAD_ADDRESS = 0x400_000;
const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const CODE_OFFSET = ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES;

/** Address of the first instruction of an {@link elfProgram}. */
export const ELF_CODE_ADDRESS = LOAD_ADDRESS + CODE_OFFSET;

const MACHINES: Record<Architecture, number> = { x64: 62, arm64: 183 };

/**
 * A complete program of some 200 bytes that prints {@link PROBE_MARKER} and ends: the init of a
 * guest that shows whether an accelerator works, without the need for a compiler on the device.
 * Source: elf(5); the system calls write and exit.
 */
export function probeInit(architecture: Architecture): Buffer {
  const message = Buffer.from(`${PROBE_MARKER}\n`);
  const code = architecture === 'x64' ? codeX64(message.length) : codeArm64(message.length);
  return elfProgram(architecture, Buffer.concat([code, message]));
}

/** A program of one segment, with its code first; it is loaded at {@link ELF_CODE_ADDRESS}. */
export function elfProgram(architecture: Architecture, codeAndData: Buffer): Buffer {
  const size = BigInt(CODE_OFFSET + codeAndData.length);
  const head = Buffer.alloc(CODE_OFFSET);
  // 64-bit, little-endian, version 1.
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  head.writeUInt16LE(2, 16);
  head.writeUInt16LE(MACHINES[architecture], 18);
  head.writeUInt32LE(1, 20);
  head.writeBigUInt64LE(BigInt(ELF_CODE_ADDRESS), 24);
  head.writeBigUInt64LE(BigInt(ELF_HEADER_BYTES), 32);
  head.writeUInt16LE(ELF_HEADER_BYTES, 52);
  head.writeUInt16LE(PROGRAM_HEADER_BYTES, 54);
  head.writeUInt16LE(1, 56);
  // One segment: the whole file, to be read and executed.
  head.writeUInt32LE(1, 64);
  head.writeUInt32LE(5, 68);
  head.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 80);
  head.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 88);
  head.writeBigUInt64LE(size, 96);
  head.writeBigUInt64LE(size, 104);
  head.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([head, codeAndData]);
}

function codeX64(messageLength: number): Buffer {
  return Buffer.from([
    ...[0xb8, 1, 0, 0, 0], // mov eax, 1 (write)
    ...[0xbf, 1, 0, 0, 0], // mov edi, 1
    ...[0x48, 0x8d, 0x35, 16, 0, 0, 0], // lea rsi, [rip + 16], the message
    ...[0xba, messageLength, 0, 0, 0], // mov edx, length
    ...[0x0f, 0x05], // syscall
    ...[0xb8, 60, 0, 0, 0], // mov eax, 60 (exit)
    ...[0x31, 0xff], // xor edi, edi
    ...[0x0f, 0x05], // syscall
  ]);
}

function codeArm64(messageLength: number): Buffer {
  const words = [
    0xd280_0020, // mov x0, 1
    0x1000_0000 | (7 << 5), // adr x1, 28 bytes on, the message
    0xd280_0002 | (messageLength << 5), // mov x2, length
    0xd280_0808, // mov x8, 64 (write)
    0xd400_0001, // svc 0
    0xd280_0000, // mov x0, 0
    0xd280_0ba8, // mov x8, 93 (exit)
    0xd400_0001, // svc 0
  ];
  // The destination register of adr is in its lowest bits.
  words[1] = ((words[1] ?? 0) | 1) >>> 0;
  const code = Buffer.alloc(words.length * 4);
  words.forEach((word, index) => code.writeUInt32LE(word >>> 0, index * 4));
  return code;
}
