import { formatMs } from '../analysis/format-ms.ts';
import type { BarrierSummary, DurationStatistics, StartSummary } from '../analysis/run-summary.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { startPlots } from './start-plot.ts';

/**
 * How well the trials started together: spread with its bound, lateness, barriers, and every start
 * in a plot.
 */
export function startSection(start: StartSummary): Markup {
  const { boundMaxNs, lateness, sharedClockSpread } = start;
  return html`<section aria-labelledby="start">
    <h2 id="start">How well the trials started together</h2>
    ${spreadText(start)}
    ${
      lateness === undefined
        ? html`<p>No trial started.</p>`
        : html`<p>
            Lateness on the device's own clock: ${figures(lateness)}, over ${lateness.n} starts.
          </p>`
    }
    ${
      boundMaxNs === undefined
        ? undefined
        : html`<p>Largest clock bound of one device: ${formatMs(boundMaxNs)} ms.</p>`
    }
    ${
      sharedClockSpread === undefined
        ? undefined
        : html`<p>
            In ${sharedClockSpread.n} common starts all devices share one monotonic clock, which
            tells the spread without any offset: ${figures(sharedClockSpread)}.
          </p>`
    }
    ${start.barriers.map(barrierText)} ${startPlots(start)}
  </section>`;
}

function spreadText({ spread, pairBoundNs, waves }: StartSummary): Markup {
  const inWaves =
    waves > 1
      ? html`<p>
          The devices started each trial in <strong>${waves} waves</strong>, each simultaneous in
          itself; the spread is within a wave.
        </p>`
      : undefined;
  if (spread === undefined || pairBoundNs === undefined) {
    return html`${inWaves}
      <p>
        The start spread is unknown: no ${waves > 1 ? 'wave' : 'trial'} has synchronised starts of
        two devices or more.
      </p>`;
  }
  return html`${inWaves}
    <p>
      Start spread: median <strong>${formatMs(spread.medianNs)} ms</strong>, p95
      ${formatMs(spread.p95Ns)} ms, largest ${formatMs(spread.maxNs)} ms, each
      <strong>± ${formatMs(pairBoundNs)} ms</strong> clock bound (the sum of the two largest of the
      devices), over ${spread.n} ${waves > 1 ? 'waves of trials' : 'trials'} that started on two
      devices or more.
    </p>`;
}

function barrierText({ name, passes, spread, boundNs, lateness }: BarrierSummary): Markup {
  return html`<p>
    Barrier <code>${name}</code>:
    ${
      spread === undefined || boundNs === undefined
        ? 'the spread of going on is unknown, for no two devices with an estimate of fleet time ' +
          'went on together'
        : html`spread of going on: ${figures(spread)}, each
            <strong>± ${formatMs(boundNs)} ms</strong> clock bound, over ${spread.n} times that two
            devices or more went on together`
    }${
      lateness === undefined
        ? undefined
        : html`; lateness: ${figures(lateness)}, over ${passes} times that a device went on`
    }.
  </p>`;
}

function figures({ medianNs, p95Ns, maxNs }: DurationStatistics): string {
  const [middle, high, most] = [medianNs, p95Ns, maxNs].map(formatMs);
  return `median ${middle} ms, p95 ${high} ms, largest ${most} ms`;
}
