import type { OpenedSource } from '../../../../agent/collectors/collector.ts';
import { COLLECTORS } from '../../../../agent/sampler/collectors.ts';
import type { Collectors } from '../../../../agent/sampler/open-sources.ts';

/** The collectors of the release, without the limits of those that are read in the loop. */
export const UNLIMITED: Collectors = {
  host: COLLECTORS.host.map((collector) => ({
    source: collector.source,
    open: (roots) => withoutLimit(collector.open(roots)),
  })),
  sandbox: COLLECTORS.sandbox.map((collector) => ({
    source: collector.source,
    open: (target, roots) => withoutLimit(collector.open(target, roots)),
  })),
};

function withoutLimit(opened: OpenedSource): OpenedSource {
  if ('unavailable' in opened || opened.pace === 'slow') return opened;
  return {
    pace: 'fast',
    series: opened.series,
    read: (row) => opened.read(row),
    ...(opened.deferred === undefined ? {} : { deferred: opened.deferred }),
    close: () => {
      opened.close();
    },
  };
}
