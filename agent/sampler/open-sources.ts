import { errorMessageOf } from '../../schemas/errors.ts';
import type { SourceName } from '../../schemas/telemetry-names.ts';
import type {
  HostCollector,
  OpenedSource,
  Roots,
  SandboxCollector,
  SandboxTarget,
} from '../collectors/collector.ts';
import type { SourceKey } from './sample-columns.ts';

/** All that a sampler can read. */
export interface Collectors {
  readonly sandbox: readonly SandboxCollector[];
  readonly host: readonly HostCollector[];
}

/** What to open, and where. */
export interface OpeningOrder {
  /** Absent: all. */
  readonly sources?: readonly SourceName[];
  readonly sandboxes: readonly SandboxTarget[];
  readonly roots: Roots;
}

/** A source as it was found. */
export interface FoundSource {
  readonly key: SourceKey;
  readonly opened: OpenedSource;
}

/** Opens what was asked for, of the device and of each sandbox. Throws nothing. */
export function openSources(collectors: Collectors, order: OpeningOrder): FoundSource[] {
  const { sources, sandboxes, roots } = order;
  const isWanted = (source: SourceName): boolean => sources?.includes(source) !== false;
  const found: FoundSource[] = [];
  for (const { source, collector } of wanted(collectors.host, isWanted)) {
    found.push({ key: { source }, opened: opening(() => collector.open(roots)) });
  }
  for (const target of sandboxes) {
    for (const { source, collector } of wanted(collectors.sandbox, isWanted)) {
      const key = { source, instance: target.index };
      found.push({ key, opened: opening(() => collector.open(target, roots)) });
    }
  }
  const known = [...collectors.host, ...collectors.sandbox].map(({ source }) => source);
  for (const source of new Set(sources)) {
    if (known.includes(source)) continue;
    const unavailable = 'this release has nothing that reads it';
    found.push({ key: { source }, opened: { unavailable } });
  }
  return found;
}

/** Opens one source again; see {@link openSources}. */
export function openSource(
  collectors: Collectors,
  { source, instance }: SourceKey,
  { sandboxes, roots }: OpeningOrder,
): OpenedSource {
  const target = sandboxes.find(({ index }) => index === instance);
  if (target === undefined) {
    const host = collectors.host.find((collector) => collector.source === source);
    if (host !== undefined && instance === undefined) return opening(() => host.open(roots));
  } else {
    const sandbox = collectors.sandbox.find((collector) => collector.source === source);
    if (sandbox !== undefined) return opening(() => sandbox.open(target, roots));
  }
  return { unavailable: 'nothing that reads it is known' };
}

function wanted<C extends HostCollector | SandboxCollector>(
  collectors: readonly C[],
  isWanted: (source: SourceName) => boolean,
): { source: SourceName; collector: C }[] {
  return collectors
    .filter(({ source }) => isWanted(source))
    .map((collector) => ({ source: collector.source, collector }));
}

// A collector that throws is wrong, but no reason to lose all other sources.
function opening(open: () => OpenedSource): OpenedSource {
  try {
    return open();
  } catch (error) {
    return { unavailable: `it could not be opened: ${errorMessageOf(error)}` };
  }
}
