import fc from 'fast-check';
import { ERROR_CODES } from '../../schemas/errors.ts';
import type { ErrorCode } from '../../schemas/errors.ts';
import { MEASUREMENT_LABELS, MEASURES } from '../../schemas/measurement.ts';
import type { Measurement, MeasureName } from '../../schemas/measurement.ts';
import { INVALID_CODES, PHASES } from '../../schemas/result.ts';
import type { InvalidCode, TrialResult } from '../../schemas/result.ts';
import { SOURCE_NAMES } from '../../schemas/telemetry-names.ts';
import type { SamplerReport, SourceReport } from '../../schemas/telemetry.ts';

/** A model of an object whose optional fields may be missing. */
function object<T extends object>(
  required: { [Name in keyof T]?: fc.Arbitrary<unknown> },
  optional: { [Name in keyof T]?: fc.Arbitrary<unknown> } = {},
): fc.Arbitrary<T> {
  const model: Record<string, fc.Arbitrary<unknown>> = { ...required, ...optional };
  const requiredKeys: string[] = Object.keys(required);
  return fc.record(model, {
    requiredKeys,
    noNullPrototype: true,
  }) as fc.Arbitrary<unknown> as never;
}

type Clock = NonNullable<TrialResult['clock']>;
type Start = NonNullable<TrialResult['start']>;
type Instance = TrialResult['instances'][number];

/** Nanoseconds as the schema has them: up to 20 digits, more than 64 bits hold. */
const ns = fc.oneof(
  { weight: 20, arbitrary: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) },
  { weight: 5, arbitrary: fc.bigInt({ min: -10n, max: 10n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(10n ** 20n - 1n), max: 10n ** 20n - 1n }) },
);

/** Any text, also such that is no proper Unicode, or has controls in it. */
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.string({ unit: 'grapheme', maxLength: Math.min(maxLength, 24) }) },
    { weight: 1, arbitrary: fc.constantFrom('', "'", '"', '\\', ' a\r\n\t', '𝒳', 'é', 'null') },
    { weight: 1, arbitrary: fc.constantFrom('\0', 'a\0b', '\ud800', 'x\udc00') },
  );
const count = fc.oneof(fc.nat(), fc.maxSafeNat());
const identifier = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,6}[a-z0-9])?$/);
const digest = fc.stringMatching(/^sha256:[0-9a-f]{64}$/);

const failure = object<NonNullable<TrialResult['failure']>>(
  { code: fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[])), message: text(4096) },
  { hint: text(4096) },
);

const usage = object<NonNullable<Instance['usage']>>(
  {},
  { memoryBytes: count, memoryPeakBytes: count, cpuNs: ns, unavailable: text(512) },
);

const instance = object<Instance>(
  {
    index: fc.nat({ max: 4095 }),
    address: text(64),
    status: fc.constantFrom('ok', 'failed'),
    phases: object<Instance['phases']>({}, Object.fromEntries(PHASES.map((phase) => [phase, ns]))),
  },
  {
    failure,
    failedAfter: fc.constantFrom(...PHASES),
    logTail: text(16_384),
    httpStatus: fc.oneof(fc.nat({ max: 599 }), fc.maxSafeInteger()),
    responseBytes: count,
    usage,
  },
);

const clock = object<Clock>(
  {
    fleetTime: text(128),
    offsetNs: ns,
    boundNs: ns,
    ageNs: ns,
    probes: fc.integer({ min: 1 }),
    roundTripMinNs: ns,
    bracketed: fc.boolean(),
  },
  {
    burstNs: ns,
    // JSON has no negative zero.
    driftPpb: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  },
);

const start = object<Start>(
  {
    targetFleetNs: ns,
    targetMonoNs: ns,
    actualMonoNs: ns,
    latenessNs: ns,
    schedulingClass: text(64),
    wave: fc.nat({ max: 999 }),
    startedAtUtcNs: ns,
  },
  { schedulingReason: text(512) },
);

const measurement = object<Measurement>(
  {
    measure: fc.constantFrom(...(Object.keys(MEASURES) as MeasureName[])),
    value: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  },
  {
    instance: fc.nat({ max: 4095 }),
    labels: fc.dictionary(fc.constantFrom(...Object.keys(MEASUREMENT_LABELS)), text(64), {
      noNullPrototype: true,
    }),
  },
);

const barrier = object<TrialResult['barriers'][number]>({
  name: identifier,
  arrivedMonoNs: ns,
  targetMonoNs: ns,
  actualMonoNs: ns,
});

const mark = object<TrialResult['invalid'][number]>({
  code: fc.constantFrom(...(Object.keys(INVALID_CODES) as InvalidCode[])),
  message: text(1024),
});

const cell = object<TrialResult['cell']>({
  id: text(200),
  sandbox: identifier,
  function: identifier,
  instances: fc.integer({ min: 1, max: 1024 }),
});

const rate = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);

const source = object<SourceReport>(
  { source: fc.constantFrom(...SOURCE_NAMES), samples: count },
  {
    instance: fc.nat({ max: 4095 }),
    rateHz: rate,
    limitedBy: text(512),
    unavailable: text(512),
    remedy: text(512),
  },
);

const sampler = object<SamplerReport>({
  rateHz: rate,
  achievedHz: rate,
  rounds: count,
  missed: count,
  latenessP50Ns: ns,
  latenessP99Ns: ns,
  latenessMaxNs: ns,
  cpuNs: ns,
  wallNs: ns,
  cpus: text(256),
  samples: count,
  thinnedBy: count.map(atLeastOne),
  blocks: count,
  sources: fc.array(source, { maxLength: 3 }),
});

const telemetry = fc.oneof(sampler, fc.record({ failure: text(1024) }, { noNullPrototype: true }));

/** Any results of one run that its schema allows, each with a key of its own. */
export function anyResults(
  runId: string,
  deviceIds: readonly string[],
): fc.Arbitrary<TrialResult[]> {
  const one = object<TrialResult>(
    {
      protocol: fc.constant(1),
      runId: fc.constant(runId),
      trialId: identifier,
      attempt: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.maxSafeNat().map(atLeastOne)),
      deviceId: fc.constantFrom(...deviceIds),
      cell,
      reportedBy: fc.constantFrom('device', 'coordinator', 'import'),
      status: fc.constantFrom('ok', 'failed'),
      invalid: fc.array(mark, { maxLength: 2 }),
      barriers: fc.array(barrier, { maxLength: 2 }),
      instances: fc.array(instance, { maxLength: 3 }),
      sandboxDetails: fc.dictionary(
        fc.string({ maxLength: 8 }).filter((name) => name !== '__proto__'),
        text(256),
        { noNullPrototype: true, maxKeys: 3 },
      ),
    },
    {
      ...{ failure, clock, start, functionDigest: digest, hostMemoryDropBytes: count, telemetry },
      measurements: fc.array(measurement, { maxLength: 3 }),
      conditions: fc.dictionary(text(64), text(256), { maxKeys: 2, noNullPrototype: true }),
    },
  );
  return fc.uniqueArray(one, {
    maxLength: 25,
    selector: ({ trialId, attempt, deviceId }) => `${trialId}/${attempt}/${deviceId}`,
  });
}

function atLeastOne(value: number): number {
  return Math.max(1, value);
}
