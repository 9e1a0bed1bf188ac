import { hostFinder } from '../analysis/co-location.ts';
import { deviceConditions } from '../analysis/device-conditions.ts';
import type { RunSummary } from '../analysis/run-summary.ts';
import type { Device } from '../../schemas/device.ts';
import type { Run } from '../../schemas/run.ts';
import { clockTable } from './clock-table.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';
import { textTable } from './text-table.ts';

/** On what the run was measured: hosts, devices, sandboxes and the digests of what ran. */
export function environmentSection(run: Run, summary: RunSummary): Markup {
  const hostOf = hostFinder(summary.hosts);
  return html`<section aria-labelledby="environment">
    <h2 id="environment">Environment</h2>
    ${independence(summary)}
    ${
      run.devices.length === 0
        ? html`<p>The run has no device.</p>`
        : textTable(
            'Devices, as they were when the run began',
            [
              'device',
              'host',
              'machine',
              'processor',
              'memory',
              'kernel and system',
              'rights',
              'agent',
              'labels',
            ],
            run.devices.map((device) => deviceRow(device, hostOf)),
          )
    }
    ${conditionTable(run)} ${clockTable(summary.start)} ${sandboxTable(run, summary)}
    ${textTable(
      'Artefacts: one digest names every byte that ran in a sandbox',
      ['artefact', 'digest'],
      [
        ...run.functions.map(({ name, digest }) => [name, digest]),
        ...(run.guestKernelDigest === undefined ? [] : [['guest-kernel', run.guestKernelDigest]]),
      ],
    )}
  </section>`;
}

function independence({ hosts }: RunSummary): Markup | undefined {
  const shared = hosts.filter(({ deviceIds }) => deviceIds.length > 1);
  if (shared.length === 0) return undefined;
  return html`${shared.map(
    ({ host, deviceIds }) =>
      html`<p>
        <strong>${deviceIds.join(', ')} run on one host (${host}).</strong> They share its
        processors, caches and disturbances: they are agents, not independent devices, and say
        nothing of how machines differ.
      </p>`,
  )}`;
}

function deviceRow({ presence }: Device, hostOf: (deviceId: string) => string): string[] {
  const { facts, deviceId, agentVersion, labels } = presence;
  const cpuModel = facts.cpuModel === '' ? 'unknown' : facts.cpuModel;
  const processors = `${cpuModel}, ${facts.cpuCount} online`;
  return [
    deviceId,
    hostOf(deviceId),
    [facts.hostname, facts.model].filter((text) => text !== '').join(', '),
    `${processors}, ${facts.architecture}`,
    `${(facts.memoryBytes / 2 ** 30).toFixed(1)} GiB`,
    `${facts.kernel}, ${facts.os}`,
    `${facts.isRoot ? 'root' : 'not root'}, cgroup ${facts.cgroup}`,
    agentVersion,
    Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(', '),
  ];
}

/** What devices found of themselves, a row for each value, so that what differs stands out. */
function conditionTable({ devices }: Run): Markup | undefined {
  const found = devices.flatMap(({ presence: { deviceId, facts } }) =>
    deviceConditions(facts).map(({ name, value }) => ({ name, value, deviceId })),
  );
  if (found.length === 0) return undefined;
  const groups = Map.groupBy(found, ({ name, value }) => JSON.stringify([name, value]));
  const names = [...new Set(found.map(({ name }) => name))];
  const rows = [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const ids = group.map(({ deviceId }) => deviceId);
    const whose = ids.length === devices.length && ids.length > 1 ? 'all' : ids.join(', ');
    return [[first.name, first.value, whose]];
  });
  return textTable(
    'Conditions of the devices, as they measured them',
    ['condition', 'value', 'devices'],
    rows.toSorted(([a = ''], [b = '']) => names.indexOf(a) - names.indexOf(b)),
  );
}

/** What each kind of sandbox ran on, as the results say; then what devices could not run. */
function sandboxTable(run: Run, { setUps }: RunSummary): Markup | undefined {
  const used = setUps.map(({ sandbox, details, deviceIds }) => [
    sandbox,
    details === '' ? 'nothing to tell' : details,
    deviceIds.join(', '),
  ]);
  const wanted: readonly string[] = run.experiment.factors.sandbox;
  const unavailable = run.devices.flatMap(({ presence }) =>
    presence.sandboxes.flatMap((sandbox) =>
      sandbox.available || !wanted.includes(sandbox.name)
        ? []
        : [
            [
              sandbox.name,
              `unavailable: ${sandbox.failure.message} ${sandbox.failure.hint ?? ''}`,
              presence.deviceId,
            ],
          ],
    ),
  );
  const rows = [...used, ...unavailable].toSorted((a, b) => (a.join() < b.join() ? -1 : 1));
  if (rows.length === 0) return undefined;
  return textTable('Sandboxes', ['sandbox', 'ran on', 'devices'], rows);
}
