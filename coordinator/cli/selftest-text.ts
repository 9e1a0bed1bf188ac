import type {
  SelftestEvent,
  SelftestReport,
  SelftestSandbox,
  SelftestTrials,
} from '../../schemas/selftest.ts';
import { formatDuration } from './duration.ts';
import { textTable } from './text-table.ts';

const HEADER = ['sandbox', 'result', 'version', 'runs on', 'checks', 'trials'].concat([
  'cold start ms',
  'least',
  'most',
]);

/** What a driver calls what it runs on, beside its version. */
const PLATFORM_NAMES = ['platform', 'accelerator', 'runtime'];

/** The report for people: the device, a row per kind, and why some failed or are not there. */
export function selftestText(report: SelftestReport): string {
  const { sandboxes } = report;
  const reasons = sandboxes.flatMap(reasonLines);
  return [
    ...deviceLines(report),
    '',
    textTable(HEADER, sandboxes.map(sandboxRow)),
    ...(reasons.length === 0 ? [] : ['', ...reasons]),
    '',
    summary(report),
  ].join('\n');
}

/** A line on what begins. */
export function progressText(event: Extract<SelftestEvent, { event: 'progress' }>): string {
  const { done, leftMs, part, sandbox, total, what } = event;
  const place = `${part} ${Math.min(done + 1, total)}/${total}`;
  // What is cut off at the edge of a terminal is the least important.
  return `${place}, about ${formatDuration(leftMs)} left: ${sandbox} ${what}`;
}

/** A line on a kind that is through with a part. */
export function partText({ part, sandbox }: Extract<SelftestEvent, { event: 'part' }>): string {
  const { name, failure } = sandbox;
  if (sandbox.result === 'unavailable') return `${name}: unavailable: ${failure?.message ?? ''}`;
  if (part === 'contract') {
    const took = formatDuration(sandbox.contractMs);
    const failed = sandbox.checks.find(({ result }) => result === 'fail');
    const which = failed === undefined ? '' : `; failed: ${failed.title}`;
    return `${name}: checks ${checksText(sandbox)} passed in ${took}${which}`;
  }
  return `${name}: trials ${trialsText(sandbox)} in ${formatDuration(sandbox.trialsMs)}`;
}

function deviceLines({ device, lockstepVersion, ...report }: SelftestReport): string[] {
  const user = device.isRoot ? 'root' : 'a plain user';
  const reason = report.cgroupReason === undefined ? '' : ` (${report.cgroupReason})`;
  return [
    `Lockstep ${lockstepVersion} on ${device.model || device.hostname}, ${device.os}`,
    `  processor    ${device.cpuModel || device.architecture}, ${device.cpuCount} online`,
    `  kernel       ${device.kernel} ${device.architecture}`,
    `  cgroups      ${device.cgroup}${reason}`,
    `  KVM          ${kvmText(device)}`,
    `  runs as      ${user}; namespaces as ${report.isolation}; ${report.schedulingClass}`,
  ];
}

function kvmText({ kvm }: SelftestReport['device']): string {
  const module = kvm?.module === undefined ? '' : `, ${kvm.module}`;
  if (kvm?.isAccessible !== true) return `not accessible${module}`;
  if (kvm.guestBoots === undefined) return `accessible${module}`;
  if (kvm.guestBoots) return `guests boot${module}`;
  return `guests do not boot${module}: ${kvm.reason ?? ''}`;
}

function sandboxRow(sandbox: SelftestSandbox): string[] {
  const { name, result, details } = sandbox;
  const version = details['version'] ?? '';
  if (result === 'unavailable') return [name, result, version];
  const platform = PLATFORM_NAMES.flatMap((key) => details[key] ?? []).join(', ');
  const coldStart = sandbox.trials.find(({ procedure }) => procedure === 'cold-start');
  const { median, minimum, maximum } = coldStart?.toResponseMs ?? {};
  return [
    ...[name, result, version, platform],
    ...[checksText(sandbox), trialsText(sandbox)],
    ...[median, minimum, maximum].map((value) => value?.toFixed(1) ?? ''),
  ];
}

function checksText({ checks }: SelftestSandbox): string {
  return `${checks.filter(({ result }) => result === 'pass').length} of ${checks.length}`;
}

function trialsText({ trials }: SelftestSandbox): string {
  const sum = (count: (trial: SelftestTrials) => number): number =>
    trials.reduce((total, trial) => total + count(trial), 0);
  const all = sum((trial) => trial.trials);
  return `${all - sum((trial) => trial.failed)} of ${all}`;
}

function reasonLines({ name, result, failure, checks, trials }: SelftestSandbox): string[] {
  if (result === 'pass') return [];
  const hint = failure?.hint === undefined ? [] : [`  ${failure.hint}`];
  if (result === 'unavailable') return [`${name}: ${failure?.message ?? 'no reason'}`, ...hint];
  const failedChecks = checks
    .filter((check) => check.result === 'fail')
    .map(({ title, message = '' }) => `  ${title}: ${firstLines(message)}`);
  const failedTrials = trials
    .filter((trial) => trial.result === 'fail')
    .map(({ procedure, failed, trials: all, failure: why }) => {
      return `  trial ${procedure}, ${failed} of ${all}: ${why?.message ?? ''}`;
    });
  return [`${name}: failed`, ...failedChecks, ...failedTrials, ...hint];
}

/** What was wrong, without where in the program it was found. */
function firstLines(message: string): string {
  const lines = message.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && !line.startsWith('at '))
    .slice(0, 8)
    .join('; ');
}

function summary({ sandboxes, durationMs }: SelftestReport): string {
  const count = (result: SelftestSandbox['result']): string =>
    `${sandboxes.filter((one) => one.result === result).length} ${result}`;
  const counts = [count('pass'), count('fail'), count('unavailable')].join(', ');
  return `${counts}; it took ${formatDuration(durationMs)}`;
}
