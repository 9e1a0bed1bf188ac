import { LockstepError } from '../../schemas/errors.ts';
import type {
  OpenedSource,
  Reading,
  Roots,
  SandboxCollector,
  SandboxTarget,
  SlowSource,
} from './collector.ts';
import { KvmDebugfsReader, debugfsUnavailable } from './kvm-debugfs.ts';
import { KvmQmpReader } from './kvm-qmp.ts';
import { QmpRefusal } from './qmp-connection.ts';
import { processesUnknown } from './vmm-process.ts';

/**
 * What KVM counts of a guest, by its own names: from QEMU where that can be asked, else from
 * debugfs. The counters are a matter of the module in use, and some of a module never move.
 */
export const kvm: SandboxCollector = { source: 'kvm', open };

function open(target: SandboxTarget, roots: Roots): OpenedSource {
  const { vmm } = target;
  if (vmm === undefined) return { unavailable: 'this kind of sandbox is no virtual machine' };
  if (vmm.kvmUnavailable !== undefined) return { unavailable: vmm.kvmUnavailable };
  const unknown = processesUnknown(target);
  if (unknown !== undefined) return { unavailable: unknown };
  if (vmm.qmpSocket !== undefined) return new KvmByQmp(target, roots, vmm.qmpSocket);
  return debugfsUnavailable(roots) ?? new KvmByDebugfs(target, roots);
}

const QMP_LIMIT = {
  hz: 10,
  reason: 'each reading takes QEMU 0.3 to 0.8 ms and interrupts every vCPU of the guest',
} as const;
const DEBUGFS_LIMIT = {
  hz: 10,
  reason: 'each reading opens some 60 files of debugfs',
} as const;

class KvmByQmp implements SlowSource {
  readonly pace = 'slow';
  readonly limit = QMP_LIMIT;
  readonly #target: SandboxTarget;
  readonly #roots: Roots;
  readonly #qmp: KvmQmpReader;
  #debugfs: KvmDebugfsReader | undefined;

  constructor(target: SandboxTarget, roots: Roots, socket: string) {
    this.#target = target;
    this.#roots = roots;
    this.#qmp = new KvmQmpReader(target, roots, socket);
  }

  async read(): Promise<readonly Reading[] | 'absent' | 'ended'> {
    if (this.#debugfs !== undefined) return this.#debugfs.read();
    try {
      return await this.#qmp.read();
    } catch (error) {
      // A QEMU before 7.1 has no such command.
      if (!(error instanceof QmpRefusal)) throw error;
      const unavailable = debugfsUnavailable(this.#roots);
      if (unavailable !== undefined) {
        throw new LockstepError('SANDBOX_FAILED', `${error.message}; ${unavailable.unavailable}`, {
          cause: error,
          hint: 'use QEMU 7.1 or later',
        });
      }
      this.#qmp.close();
      this.#debugfs = new KvmDebugfsReader(this.#target, this.#roots);
      return this.#debugfs.read();
    }
  }

  close(): Promise<void> {
    this.#qmp.close();
    return Promise.resolve();
  }
}

class KvmByDebugfs implements SlowSource {
  readonly pace = 'slow';
  readonly limit = DEBUGFS_LIMIT;
  readonly #reader: KvmDebugfsReader;

  constructor(target: SandboxTarget, roots: Roots) {
    this.#reader = new KvmDebugfsReader(target, roots);
  }

  read(): Promise<readonly Reading[] | 'absent' | 'ended'> {
    return this.#reader.read();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
