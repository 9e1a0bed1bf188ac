import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { neutralEnvironment } from './command.ts';
import { elfProgram } from './probe-init.ts';

const READINGS = 7;
const SLEEP_NS = 20_000_000;
const TIMEOUT_MS = 5_000;
const NS_PER_MS = 1_000_000n;

/**
 * How often the time-stamp counter of this device ticks, kHz. A translated guest sees this counter
 * and has no other clock to compare it with, so it has to be told. Absent on processors without
 * one. A program of some 150 bytes reads it beside CLOCK_MONOTONIC; the median of seven readings.
 *
 * @param folder where that program may be put.
 */
export async function measureTscKhz(folder: string): Promise<number | undefined> {
  if (process.arch !== 'x64') return undefined;
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'counter');
  const readings: number[] = [];
  try {
    await writeFile(file, elfProgram('x64', readerX64()), { mode: 0o755 });
    for (let count = 0; count < READINGS; count += 1) readings.push(await readOnce(file));
  } finally {
    await rm(file, { force: true });
  }
  return readings.toSorted((one, other) => one - other)[Math.floor(READINGS / 2)];
}

async function readOnce(file: string): Promise<number> {
  const { stdout } = await promisify(execFile)(file, {
    encoding: 'buffer',
    env: neutralEnvironment,
    timeout: TIMEOUT_MS,
  });
  return frequencyKhz(stdout);
}

/** From two times (seconds and ns) and two counts, as the program prints them. */
export function frequencyKhz(output: Buffer): number {
  const at = (index: number): bigint => output.readBigInt64LE(index * 8);
  const elapsedNs = (at(2) - at(0)) * 1_000_000_000n + at(3) - at(1);
  return Number(((at(5) - at(4)) * NS_PER_MS) / elapsedNs);
}

// On its stack: two timespecs, two counts, and how long it sleeps.
function readerX64(): Buffer {
  const sleep = Buffer.alloc(4);
  sleep.writeUInt32LE(SLEEP_NS);
  return Buffer.from([
    ...[0x48, 0x83, 0xec, 0x40], // sub rsp, 64
    ...[0xb8, 228, 0, 0, 0], // mov eax, 228 (clock_gettime)
    ...[0xbf, 1, 0, 0, 0], // mov edi, 1 (CLOCK_MONOTONIC)
    ...[0x48, 0x89, 0xe6, 0x0f, 0x05], // mov rsi, rsp; syscall
    ...[0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0], // rdtsc; shl rdx, 32; or rax, rdx
    ...[0x48, 0x89, 0x44, 0x24, 0x20], // mov [rsp + 32], rax
    ...[0x48, 0xc7, 0x44, 0x24, 0x30, 0, 0, 0, 0], // mov qword [rsp + 48], 0
    ...[0x48, 0xc7, 0x44, 0x24, 0x38, ...sleep], // mov qword [rsp + 56], ns
    ...[0xb8, 35, 0, 0, 0], // mov eax, 35 (nanosleep)
    ...[0x48, 0x8d, 0x7c, 0x24, 0x30], // lea rdi, [rsp + 48]
    ...[0x31, 0xf6, 0x0f, 0x05], // xor esi, esi; syscall
    ...[0xb8, 228, 0, 0, 0], // mov eax, 228
    ...[0xbf, 1, 0, 0, 0], // mov edi, 1
    ...[0x48, 0x8d, 0x74, 0x24, 0x10, 0x0f, 0x05], // lea rsi, [rsp + 16]; syscall
    ...[0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0], // rdtsc; shl rdx, 32; or rax, rdx
    ...[0x48, 0x89, 0x44, 0x24, 0x28], // mov [rsp + 40], rax
    ...[0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0], // mov eax, 1 (write); mov edi, 1
    ...[0x48, 0x89, 0xe6, 0xba, 48, 0, 0, 0, 0x0f, 0x05], // mov rsi, rsp; mov edx, 48; syscall
    ...[0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05], // mov eax, 60 (exit); xor edi, edi; syscall
  ]);
}
