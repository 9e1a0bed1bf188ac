import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { SampledMetric } from '../../schemas/telemetry-names.ts';
import { ByteScan } from './byte-scan.ts';
import type {
  DeferredReading,
  FastSource,
  ReadOutcome,
  Roots,
  SandboxCollector,
  SeriesIdentity,
} from './collector.ts';
import type { ParseText } from './file-source.ts';
import { KeptFile, TEXT } from './kept-file.ts';
import { missingController } from './missing-controller.ts';
import { networkTable } from './network-table.ts';
import type { NetworkColumn, NetworkCount } from './network-table.ts';
import { TextStore } from './text-store.ts';

const METRICS: readonly (readonly [SampledMetric, NetworkCount])[] = [
  ['container.network.io', 'bytes'],
  ['lockstep.sandbox.network.packets', 'packets'],
  ['lockstep.sandbox.network.dropped', 'dropped'],
];
const SERIES: readonly SeriesIdentity[] = METRICS.flatMap(([metric]) =>
  ['receive', 'transmit'].map((direction) => ({
    metric,
    attributes: { 'network.io.direction': direction },
  })),
);

/** Processes of a sandbox that are tried at one reading; a runtime's helper may be elsewhere. */
const TRIES_MAX = 4;

/**
 * Traffic of a sandbox, read in the network namespace of one of its processes. The tap of a virtual
 * machine is the other end of its wire, so there the directions change places. The open file keeps
 * the namespace, and so the figures, until the source is closed. Source: proc_pid_net(5).
 */
export const sandboxNetwork: SandboxCollector = {
  source: 'sandbox-network',
  open(target, roots) {
    const { networkInterface, cgroup, vmm } = target;
    if (networkInterface === undefined) return { unavailable: 'the sandbox has no interface' };
    if (cgroup.processes === undefined) return missingController(cgroup, 'pids');
    const parse = networkTable([networkInterface], columnsOf(vmm !== undefined));
    return new SandboxNetwork(join(cgroup.processes, 'cgroup.procs'), parse, roots);
  },
};

function columnsOf(isTap: boolean): NetworkColumn[] {
  const [first, second] = isTap
    ? (['transmit', 'receive'] as const)
    : (['receive', 'transmit'] as const);
  return METRICS.flatMap(([, count]) => [
    { count, direction: first },
    { count, direction: second },
  ]);
}

/** The text of a reading that is parsed at once. */
const AT_ONCE = new TextStore(0, 0);

const SCAN = new ByteScan();

class SandboxNetwork implements FastSource, DeferredReading {
  readonly pace = 'fast';
  readonly series = SERIES;
  readonly deferred = this;
  readonly #processes: KeptFile;
  readonly #parse: ParseText;
  readonly #roots: Roots;
  readonly #ownNamespace: string | undefined;
  #table: KeptFile | undefined;
  #isClosed = false;

  constructor(processesPath: string, parse: ParseText, roots: Roots) {
    this.#processes = new KeptFile(processesPath);
    this.#parse = parse;
    this.#roots = roots;
    this.#ownNamespace = readNamespace(roots, 'self');
  }

  read(row: Float64Array): ReadOutcome {
    AT_ONCE.keep(0);
    const outcome = this.take(AT_ONCE);
    if (outcome !== 'read') return outcome;
    AT_ONCE.seek(0);
    return this.parse(AT_ONCE, row) ? 'read' : 'absent';
  }

  take(texts: TextStore): ReadOutcome {
    if (this.#isClosed) return 'ended';
    if (this.#table === undefined) {
      const outcome = this.#find();
      if (outcome !== 'read') return outcome;
    }
    const length = this.#table?.read(texts.bytes, texts.end);
    if (typeof length !== 'number') return 'absent';
    texts.add(length);
    return 'read';
  }

  parse(texts: TextStore, row: Float64Array): boolean {
    row.fill(Number.NaN);
    if (texts.scanNext(SCAN)) this.#parse(SCAN, row, 0);
    // Another namespace has no such interface.
    return !Number.isNaN(row[0]);
  }

  close(): void {
    this.#isClosed = true;
    this.#processes.close();
    this.#table?.close();
    this.#table = undefined;
  }

  #find(): ReadOutcome {
    const length = this.#processes.read();
    if (typeof length !== 'number') return length;
    const ids = TEXT.toString('latin1', 0, length).split('\n', TRIES_MAX);
    for (const id of ids) {
      if (!/^[1-9]\d*$/.test(id) || this.#isOwnNamespace(id)) continue;
      const table = new KeptFile(join(this.#roots.proc, id, 'net/dev'), { inRecords: true });
      if (this.#hasInterface(table)) {
        this.#table = table;
        this.#processes.close();
        return 'read';
      }
      table.close();
    }
    return 'absent';
  }

  // A process that is not where it belongs yet would show an interface of the device.
  #isOwnNamespace(id: string): boolean {
    const namespace = readNamespace(this.#roots, id);
    return namespace !== undefined && namespace === this.#ownNamespace;
  }

  #hasInterface(table: KeptFile): boolean {
    const length = table.read();
    if (typeof length !== 'number') return false;
    const row = new Float64Array(SERIES.length).fill(Number.NaN);
    this.#parse(SCAN.begin(TEXT, 0, length), row, 0);
    return !Number.isNaN(row[0]);
  }
}

function readNamespace(roots: Roots, id: string): string | undefined {
  try {
    return readlinkSync(join(roots.proc, id, 'ns/net'));
  } catch {
    return undefined;
  }
}
