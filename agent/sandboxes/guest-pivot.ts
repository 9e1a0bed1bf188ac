import type { Architecture } from '../../schemas/artefact.ts';
import { ELF_CODE_ADDRESS, elfProgram } from './probe-init.ts';

/** Where things are in the guest before it goes over to its disk. */
export interface PivotPlan {
  /** Kernel modules in the order to load. */
  readonly modulePaths: readonly string[];
  /** A folder of the initial RAM file system that the disk is mounted on. */
  readonly mountPoint: string;
  /** The program to become, by its path on the disk. It gets this program's arguments. */
  readonly programPath: string;
}

/** What is printed if the program can't be executed. */
export const PIVOT_FAILURE = 'lockstep: the function on the disk cannot be executed';

type Call = 'write' | 'openat' | 'finit_module' | 'mount' | 'chdir' | 'chroot' | 'execve' | 'exit';

/** What this program itself was given. */
interface Own {
  readonly own: 'arguments' | 'environment';
}

/** A number, a text that is passed by its address, or what this program was given. */
type Argument = number | string | Own;
type Step = readonly [call: Call, ...values: Argument[]];

const NUMBERS: Record<Architecture, Record<Call, number>> = {
  x64: {
    ...{ write: 1, openat: 257, finit_module: 313, mount: 165 },
    ...{ chdir: 80, chroot: 161, execve: 59, exit: 60 },
  },
  arm64: {
    ...{ write: 64, openat: 56, finit_module: 273, mount: 40 },
    ...{ chdir: 49, chroot: 51, execve: 221, exit: 93 },
  },
};

const GUEST_MARKER = 'lockstep:guest\n';
const FIRST_DESCRIPTOR = 3;
const CLOSE_ON_EXEC = 0o2_000_000;
const MOVE_MOUNT = 8_192;

/**
 * The first program of a guest whose kernel needs modules before it can see its disk: it loads
 * them, mounts the disk as the root, and becomes the function. It is a list of system calls and no
 * compiler is needed for it. Source: elf(5), syscall(2), switch_root(8).
 */
export function pivotProgram(architecture: Architecture, plan: PivotPlan): Buffer {
  const steps = pivotSteps(plan);
  const texts = new Map<string, number>();
  // The length of the code does not depend on the addresses, so it is first made with none.
  const codeLength = assemble(architecture, steps, () => 0).length;
  const data: Buffer[] = [];
  let offset = codeLength;
  for (const text of steps.flat().filter((value) => isText(value))) {
    if (texts.has(text)) continue;
    texts.set(text, ELF_CODE_ADDRESS + offset);
    const bytes = Buffer.from(`${text}\0`);
    data.push(bytes);
    offset += bytes.length;
  }
  const code = assemble(architecture, steps, (text) => texts.get(text) ?? 0);
  return elfProgram(architecture, Buffer.concat([code, ...data]));
}

function pivotSteps({ modulePaths, mountPoint, programPath }: PivotPlan): Step[] {
  return [
    ['write', 1, GUEST_MARKER, GUEST_MARKER.length],
    // The console has the first three descriptors, so those of the modules are known.
    ...modulePaths.flatMap((path, index): Step[] => [
      ['openat', 0, path, CLOSE_ON_EXEC],
      ['finit_module', FIRST_DESCRIPTOR + index, '', 0],
    ]),
    ['mount', 'devtmpfs', '/dev', 'devtmpfs', 0, 0],
    ['mount', '/dev/vda', mountPoint, 'ext4', 0, 0],
    ['mount', '/dev', `${mountPoint}/dev`, 0, MOVE_MOUNT, 0],
    ['chdir', mountPoint],
    ['mount', '.', '/', 0, MOVE_MOUNT, 0],
    ['chroot', '.'],
    ['execve', programPath, { own: 'arguments' }, { own: 'environment' }],
    ['write', 2, `${PIVOT_FAILURE}\n`, PIVOT_FAILURE.length + 1],
    ['exit', 1],
  ];
}

// The first word of a step names the call and is no text of the program.
function isText(value: Argument): value is string {
  return typeof value === 'string' && !Object.hasOwn(NUMBERS.x64, value);
}

function assemble(
  architecture: Architecture,
  steps: readonly Step[],
  addressOf: (text: string) => number,
): Buffer {
  const processor = architecture === 'x64' ? X64 : ARM64;
  return Buffer.concat([
    processor.keepStack,
    ...steps.flatMap(([call, ...values]) => [
      ...values.map((value, index) => {
        if (typeof value === 'object') return processor[value.own];
        return processor.load(index, typeof value === 'string' ? addressOf(value) : value);
      }),
      processor.call(NUMBERS[architecture][call]),
    ]),
  ]);
}

/** The few instructions that are needed. At its start, a program's stack begins with its argc. */
interface Processor {
  /** Keeps the address of the stack where system calls leave it alone. */
  readonly keepStack: Buffer;
  /** Puts the address of argv into the register of the second argument. */
  readonly arguments: Buffer;
  /** Puts the address of the environment into the register of the third argument. */
  readonly environment: Buffer;
  /** Puts a number of at most 32 bits into the register of an argument. */
  load(index: number, value: number): Buffer;
  call(number: number): Buffer;
}

// mov r32, imm32 for edi, esi, edx, r10d, r8d.
const X64_LOADS = [[0xbf], [0xbe], [0xba], [0x41, 0xba], [0x41, 0xb8]] as const;

const X64: Processor = {
  // mov r12, rsp
  keepStack: Buffer.from([0x49, 0x89, 0xe4]),
  // lea rsi, [r12 + 8]
  arguments: Buffer.from([0x49, 0x8d, 0x74, 0x24, 0x08]),
  // mov rax, [r12]; lea rdx, [r12 + rax * 8 + 16]
  environment: Buffer.from([0x49, 0x8b, 0x04, 0x24, 0x49, 0x8d, 0x54, 0xc4, 0x10]),
  load: (index, value) => Buffer.from([...(X64_LOADS[index] ?? []), ...littleEndian(value)]),
  // mov eax, imm32; syscall
  call: (number) => Buffer.from([0xb8, ...littleEndian(number), 0x0f, 0x05]),
};

const ARM64: Processor = {
  // mov x19, sp
  keepStack: words(0x9100_03f3),
  // add x1, x19, 8
  arguments: words(0x9100_2261),
  // ldr x9, [x19]; add x2, x19, x9, lsl 3; add x2, x2, 16
  environment: words(0xf940_0269, 0x8b09_0e62, 0x9100_4042),
  // movz x, low; movk x, high, lsl 16
  load: (index, value) =>
    words(
      (0xd280_0000 | ((value & 0xffff) << 5) | index) >>> 0,
      (0xf2a0_0000 | (((value >>> 16) & 0xffff) << 5) | index) >>> 0,
    ),
  // movz x8, number; svc 0
  call: (number) => words((0xd280_0008 | (number << 5)) >>> 0, 0xd400_0001),
};

function littleEndian(value: number): number[] {
  return [...words(value)];
}

function words(...values: number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => buffer.writeUInt32LE(value >>> 0, index * 4));
  return buffer;
}
