import type { DeviceFacts } from '../../schemas/device.ts';
import type { Run } from '../../schemas/run.ts';
import { deviceConditions } from './device-conditions.ts';
import type { RunSummary } from './run-summary.ts';

/** A run and what it came to; what conditions are compared from. */
export interface ConditionSource {
  readonly run: Run;
  readonly summary: Pick<RunSummary, 'metric' | 'hosts' | 'setUps'>;
}

/** What may differ between runs without changing what a trial measures. */
const NOT_CONDITIONS: readonly string[] = [
  ...['experiment', 'question', 'seed', 'repetitions', 'until', 'devices', 'exclude', 'factors'],
  ...['budget', 'unavailable'],
];

const FACTS = [
  ...(['architecture', 'model', 'cpuModel', 'cpuCount', 'memoryBytes'] as const),
  ...(['kernel', 'os', 'cgroup', 'isRoot'] as const),
] as const satisfies readonly (keyof DeviceFacts)[];

/** Memory that differs by less is the same: a kernel reserves a little more or less. */
const MEMORY_STEP_BYTES = 2 ** 28;

/**
 * In words, every condition that was not the same in two runs: then a difference of the figures may
 * be its doing.
 */
export function conditionDifferences(before: ConditionSource, after: ConditionSource): string[] {
  const [first, second] = [before.run, after.run];
  return [
    ...experimentDifferences(first, second),
    ...functionDifferences(first, second),
    ...setUpDifferences(before.summary, after.summary),
    ...FACTS.flatMap((fact) =>
      differs(`${fact} of the devices`, factsOf(first, fact), factsOf(second, fact)),
    ),
    ...deviceDifferences(first, second),
    ...differs('agent version', agentVersions(first), agentVersions(second)),
    ...differs('coordinator version', [first.coordinatorVersion], [second.coordinatorVersion]),
    ...differs(
      'guest kernel',
      [shortDigest(first.guestKernelDigest ?? 'none')],
      [shortDigest(second.guestKernelDigest ?? 'none')],
    ),
    ...originDifferences(first, second),
  ];
}

function experimentDifferences(first: Run, second: Run): string[] {
  const [one, other] = [first.experiment, second.experiment].map(
    (experiment) => new Map<string, unknown>(Object.entries(experiment)),
  );
  const names = new Set([...(one?.keys() ?? []), ...(other?.keys() ?? [])]);
  return [...names]
    .filter((name) => !NOT_CONDITIONS.includes(name))
    .flatMap((name) => differs(name, [textOf(one?.get(name))], [textOf(other?.get(name))]));
}

/** Functions that both runs have, and that are not the same build. */
function functionDifferences(first: Run, second: Run): string[] {
  return first.functions.flatMap(({ name, digest }) => {
    const others = second.functions.filter((other) => other.name === name);
    if (others.length === 0 || others.some((other) => other.digest === digest)) return [];
    return differs(
      `build of ${name}`,
      [shortDigest(digest)],
      others.map((other) => shortDigest(other.digest)),
    );
  });
}

/** Kinds of sandbox that both runs have, and that ran on other versions or platforms. */
function setUpDifferences(
  first: ConditionSource['summary'],
  second: ConditionSource['summary'],
): string[] {
  const detailsOf = ({ setUps }: ConditionSource['summary'], sandbox: string): string[] =>
    setUps.filter((setUp) => setUp.sandbox === sandbox).map(({ details }) => details || 'none');
  const sandboxes = new Set(first.setUps.map(({ sandbox }) => sandbox));
  return [...sandboxes].flatMap((sandbox) => {
    const other = detailsOf(second, sandbox);
    return other.length === 0
      ? []
      : differs(`set-up of ${sandbox}`, detailsOf(first, sandbox), other);
  });
}

function originDifferences(first: Run, second: Run): string[] {
  const [one, other] = [first, second].map(({ provenance }) =>
    provenance === undefined ? 'measured here' : `imported (${provenance.source})`,
  );
  const limitations = [first, second].flatMap(({ runId, provenance }) =>
    (provenance?.limitations ?? []).map(({ message }) => `of ${runId}: ${message}`),
  );
  return [...differs('origin of the data', [one ?? ''], [other ?? '']), ...limitations];
}

function factsOf({ devices }: Run, fact: (typeof FACTS)[number]): string[] {
  return devices.map(({ presence: { facts } }) => {
    if (fact !== 'memoryBytes') return String(facts[fact]);
    const steps = Math.round(facts.memoryBytes / MEMORY_STEP_BYTES);
    return `${((steps * MEMORY_STEP_BYTES) / 2 ** 30).toFixed(2)} GiB`;
  });
}

/** Conditions of the devices that both runs know; older agents tell fewer. */
function deviceDifferences(first: Run, second: Run): string[] {
  const [one, other] = [first, second].map(({ devices }) => {
    const all = devices.flatMap(({ presence }) => deviceConditions(presence.facts));
    return Map.groupBy(all, ({ name }) => name);
  });
  return [...(one ?? [])].flatMap(([name, own]) => {
    const values = other?.get(name)?.map(({ value }) => value);
    if (values === undefined) return [];
    return differs(
      `${name} of the devices`,
      own.map(({ value }) => value),
      values,
    );
  });
}

function agentVersions({ devices }: Run): string[] {
  return devices.map(({ presence }) => presence.agentVersion);
}

function differs(what: string, first: readonly string[], second: readonly string[]): string[] {
  const [one, other] = [first, second].map((texts) => [...new Set(texts)].toSorted().join(' | '));
  if (one === other) return [];
  return [`${what} differs: ${one ?? ''} (before), ${other ?? ''} (after)`];
}

function textOf(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value);
}

function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}
