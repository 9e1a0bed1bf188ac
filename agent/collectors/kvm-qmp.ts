import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LockstepError, errorCodeOf } from '../../schemas/errors.ts';
import type { Reading, Roots, SandboxTarget } from './collector.ts';
import {
  StatsResults,
  StatsSchemas,
  Vcpus,
  planStats,
  readingsOfStats,
} from './kvm-stats-schema.ts';
import type { StatPlans } from './kvm-stats-schema.ts';
import { QmpConnection, QmpRefusal } from './qmp-connection.ts';
import { findProcessWithFile } from './vmm-process.ts';

/** So often in a row a reading may be late and left out: at its start QEMU is busy otherwise. */
const LATE_MAX = 5;

/** A QEMU that answers, and what it can be asked. */
interface Session {
  readonly processId: string;
  readonly connection: QmpConnection;
  readonly vmPlans: StatPlans;
  readonly vcpuPlans: StatPlans;
  /** Number of the vCPU behind each of QEMU's objects. */
  readonly vcpuOf: ReadonlyMap<string, number>;
}

/**
 * Statistics of KVM by the monitor of QEMU, which knows them by name, kind and unit. Source: QEMU,
 * qapi/stats.json (query-stats-schemas, query-stats), since 7.1.
 */
export class KvmQmpReader {
  readonly #target: SandboxTarget;
  readonly #roots: Roots;
  readonly #socket: string;
  #session: Session | undefined;
  #hasEnded = false;
  #lateInARow = 0;

  /** @param socket path of the monitor's socket in the mount namespace of QEMU. */
  constructor(target: SandboxTarget, roots: Roots, socket: string) {
    this.#target = target;
    this.#roots = roots;
    this.#socket = socket;
  }

  /**
   * Takes one reading.
   *
   * @throws QmpRefusal if this QEMU can't be asked; LockstepError if it answers nonsense, or has
   * not answered for several readings.
   */
  async read(): Promise<Reading[] | 'absent' | 'ended'> {
    if (this.#hasEnded) return 'ended';
    try {
      const readings = await this.#read();
      this.#lateInARow = 0;
      return readings;
    } catch (error) {
      if (errorCodeOf(error) !== 'DEADLINE_EXCEEDED') throw error;
      this.#lateInARow += 1;
      if (this.#lateInARow >= LATE_MAX) throw error;
      return 'absent';
    }
  }

  async #read(): Promise<Reading[] | 'absent' | 'ended'> {
    const session = this.#session ?? (await this.#begin());
    if (session === undefined) return 'absent';
    this.#session = session;
    try {
      return await readAll(session);
    } catch (error) {
      if (error instanceof QmpRefusal) throw error;
      this.close();
      // An end in the middle of a reading is the end, and no failure.
      if (existsSync(join(this.#roots.proc, session.processId, 'root', this.#socket))) throw error;
      this.#hasEnded = true;
      return 'ended';
    }
  }

  /** Ends the connection. A later reading would make another. */
  close(): void {
    this.#session?.connection.close();
    this.#session = undefined;
  }

  async #begin(): Promise<Session | undefined> {
    const processId = findProcessWithFile(this.#target, this.#roots, this.#socket);
    if (processId === undefined) return undefined;
    const root = join(this.#roots.proc, processId, 'root');
    let connection: QmpConnection;
    try {
      connection = await QmpConnection.open(root, this.#socket);
    } catch (error) {
      // The socket is there a moment before QEMU listens, and after it has ended.
      if (isNobodyThere(error)) return undefined;
      throw error;
    }
    try {
      return await explore(processId, connection);
    } catch (error) {
      connection.close();
      throw error;
    }
  }
}

function isNobodyThere(error: unknown): boolean {
  const cause = error instanceof LockstepError ? error.cause : undefined;
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  return code === 'ECONNREFUSED' || code === 'ENOENT' || code === 'ESRCH';
}

async function explore(processId: string, connection: QmpConnection): Promise<Session> {
  const schemas = StatsSchemas.parse(await connection.execute('query-stats-schemas'));
  const vcpus = Vcpus.parse(await connection.execute('query-cpus-fast'));
  return {
    processId,
    connection,
    vmPlans: planStats(schemas, 'vm'),
    vcpuPlans: planStats(schemas, 'vcpu'),
    vcpuOf: new Map(vcpus.map((vcpu) => [vcpu['qom-path'], vcpu['cpu-index']])),
  };
}

async function readAll({ connection, vcpuOf, vcpuPlans, vmPlans }: Session): Promise<Reading[]> {
  const readings: Reading[] = [];
  for (const result of await query(connection, 'vm')) {
    readings.push(...readingsOfStats(result.stats, vmPlans));
  }
  for (const result of await query(connection, 'vcpu')) {
    const index = vcpuOf.get(result['qom-path'] ?? '');
    if (index === undefined) continue;
    readings.push(...readingsOfStats(result.stats, vcpuPlans, `vcpu-${index}`));
  }
  return readings;
}

async function query(connection: QmpConnection, target: string): Promise<StatsResults> {
  const results = StatsResults.parse(await connection.execute('query-stats', { target }));
  return results.filter(({ provider }) => provider === 'kvm');
}
