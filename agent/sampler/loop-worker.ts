import assert from 'node:assert';
import { parentPort, workerData } from 'node:worker_threads';
import type { FastSource, SeriesIdentity } from '../collectors/collector.ts';
import { openSource } from './open-sources.ts';
import type { Collectors, OpeningOrder } from './open-sources.ts';
import { tightenOwnTimerSlack } from './own-threads.ts';
import type { ReadingChunk } from './reading-table.ts';
import { COMMANDS, SampleLoop } from './sample-loop.ts';
import type { LoopStatistics } from './sample-loop.ts';
import type { SourceKey } from './sample-columns.ts';

/** What the loop's thread is told by messages while no loop goes; see COMMANDS for the rest. */
export type LoopRequest =
  | {
      readonly kind: 'open';
      readonly keys: readonly SourceKey[];
      readonly order: OpeningOrder;
      readonly rateHz: number;
      readonly maxBytes: number;
    }
  | { readonly kind: 'begin' | 'close' };

/** A source as the thread opened it: undefined if it is gone again. */
export interface LoopOpened {
  readonly series: readonly SeriesIdentity[];
  readonly limitedBy?: string;
}

/** What the thread answers. */
export type LoopReply =
  | { readonly kind: 'opened'; readonly sources: readonly (LoopOpened | undefined)[] }
  | { readonly kind: 'begun' | 'closed' }
  | { readonly kind: 'taken'; readonly tables: ReadingChunk[][] }
  | {
      readonly kind: 'ended';
      readonly tables: ReadingChunk[][];
      readonly statistics: LoopStatistics;
    };

/** Serves the loop in a worker thread whose data is the memory of the commands. */
export function serveLoop(collectors: Collectors): void {
  assert(parentPort !== null && workerData instanceof SharedArrayBuffer, 'not a worker thread');
  const port = parentPort;
  const control = new Int32Array(workerData);
  tightenOwnTimerSlack();
  let sources: FastSource[] = [];
  let loop: SampleLoop | undefined;
  const close = (): void => {
    for (const source of sources) source.close();
    sources = [];
    loop = undefined;
  };
  const reply = (message: LoopReply, tables: ReadingChunk[][] = []): void => {
    port.postMessage(
      message,
      tables.flat().flatMap(({ monoNs, values }) => [monoNs.buffer, values.buffer]),
    );
  };
  const sample = (): void => {
    assert(loop !== undefined, 'nothing is open');
    loop.run(
      () => {
        reply({ kind: 'begun' });
      },
      (tables) => {
        reply({ kind: 'taken', tables }, tables);
      },
    );
    const tables = loop.close();
    const statistics = loop.statistics();
    close();
    Atomics.store(control, 0, COMMANDS.go);
    reply({ kind: 'ended', tables, statistics }, tables);
  };
  port.on('message', (request: LoopRequest) => {
    if (request.kind === 'open') {
      const { keys, order, rateHz, maxBytes } = request;
      const opened = keys.map((key) => fastSource(collectors, key, order));
      sources = opened.filter((source) => source !== undefined);
      loop = new SampleLoop({ sources, rateHz, maxBytes, control });
      reply({ kind: 'opened', sources: opened.map((source) => source && described(source)) });
    } else if (request.kind === 'begin') {
      sample();
    } else {
      close();
      reply({ kind: 'closed' });
    }
  });
}

function fastSource(
  collectors: Collectors,
  key: SourceKey,
  order: OpeningOrder,
): FastSource | undefined {
  const opened = openSource(collectors, key, order);
  if ('unavailable' in opened) return undefined;
  if (opened.pace === 'fast') return opened;
  void opened.close();
  return undefined;
}

function described({ series, limit }: FastSource): LoopOpened {
  return { series, ...(limit === undefined ? {} : { limitedBy: limit.reason }) };
}
