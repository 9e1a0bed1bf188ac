import { join } from 'node:path';
import { ByteScan } from './byte-scan.ts';
import type {
  FastSource,
  OpenedSource,
  ReadOutcome,
  Roots,
  SandboxCollector,
  SandboxTarget,
} from './collector.ts';
import { KeptFile, TEXT } from './kept-file.ts';
import { readKvmModules } from './kvm-modules.ts';
import { processesUnknown, readSandboxProcesses } from './vmm-process.ts';

/**
 * The time that the kernel accounted as spent in the guest of a virtual machine. How often a guest
 * was left is with the source kvm; the other runtimes tell nothing of the kind. Source:
 * proc_pid_stat(5), guest_time.
 */
export const guestExits: SandboxCollector = { source: 'guest-exits', open };

/** Modules of KVM under which the kernel accounts guests' time as the VMM's own. */
const WITHOUT_GUEST_TIME = ['kvm_pvm'];

function open(target: SandboxTarget, roots: Roots): OpenedSource {
  const { vmm } = target;
  if (vmm === undefined) {
    return {
      unavailable:
        'nothing takes over from a process or a container, and gVisor has no counter of it ' +
        'that can be read while it runs',
    };
  }
  if (vmm.kvmUnavailable !== undefined) return { unavailable: vmm.kvmUnavailable };
  const unknown = processesUnknown(target);
  if (unknown !== undefined) return { unavailable: unknown };
  const modules = readKvmModules(roots.sys);
  const module = modules.find((name) => WITHOUT_GUEST_TIME.includes(name));
  if (module !== undefined && modules.length === 1) {
    return { unavailable: `with ${module} the kernel does not account the time of guests` };
  }
  return new GuestTime(target, roots);
}

// Clock ticks of user space are 100 a second on every architecture that is served here.
const TICKS_PER_S = 100;
const TICKS_HZ_LIMIT = { hz: TICKS_PER_S, reason: 'the time of guests is counted by the tick' };
const SEARCH_MS = 10;
const PARENTHESIS = 0x29;
/** Fields between the name in parentheses and guest_time, which is field 43. */
const FIELDS_BETWEEN = 40;

class GuestTime implements FastSource {
  readonly pace = 'fast';
  readonly series = [{ metric: 'lockstep.sandbox.guest.time' }] as const;
  readonly limit = TICKS_HZ_LIMIT;
  readonly #target: SandboxTarget;
  readonly #roots: Roots;
  #file: KeptFile | undefined;
  #nextLookMs = 0;
  #isClosed = false;

  constructor(target: SandboxTarget, roots: Roots) {
    this.#target = target;
    this.#roots = roots;
  }

  read(row: Float64Array): ReadOutcome {
    if (this.#isClosed) return 'ended';
    this.#file ??= this.#look();
    if (this.#file === undefined) return 'absent';
    const length = this.#file.read();
    if (typeof length !== 'number') return length;
    row[0] = parseGuestTicks(TEXT, length) / TICKS_PER_S;
    return 'read';
  }

  close(): void {
    this.#isClosed = true;
    this.#file?.close();
  }

  // What joined the cgroup before the start becomes the VMM by exec, and keeps its id.
  #look(): KeptFile | undefined {
    const nowMs = performance.now();
    if (nowMs < this.#nextLookMs) return undefined;
    this.#nextLookMs = nowMs + SEARCH_MS;
    const [processId] = readSandboxProcesses(this.#target);
    return processId === undefined
      ? undefined
      : new KeptFile(join(this.#roots.proc, processId, 'stat'));
  }
}

const scan = new ByteScan();

/**
 * Reads guest_time from the text of /proc/PID/stat, in ticks. NaN if the text is not of that kind.
 */
export function parseGuestTicks(text: Uint8Array, length: number): number {
  // The name may have spaces and parentheses in it; nothing behind it has.
  const end = text.subarray(0, length).lastIndexOf(PARENTHESIS);
  if (end === -1) return Number.NaN;
  scan.begin(text, 0, length);
  scan.position = end + 1;
  for (let count = 0; count < FIELDS_BETWEEN; count += 1) {
    scan.skipGaps();
    scan.skipWord();
  }
  return scan.integer();
}
