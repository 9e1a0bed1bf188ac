/** The names of all attributes; where OpenTelemetry has a name it is used as it stands. */

/** Attributes that tell series of one metric apart. */
export const SERIES_ATTRIBUTES = {
  'cpu.logical_number': 'Number of the processor.',
  'cpu.mode': 'What the processor did: user, system, nice, idle, iowait, interrupt, steal, kernel.',
  'disk.io.direction': 'read or write.',
  'hw.id': 'Which sensor, as the kernel names its folder.',
  'hw.name': 'The name that the sensor gives itself.',
  'network.interface.name': 'Name of the interface.',
  'network.io.direction': 'receive or transmit.',
  'system.device.name': 'Name of the block device.',
  'system.memory.state': 'used, free, cached, buffers.',
  'system.paging.fault.type': 'major or minor.',
  'lockstep.component': 'Part of a VMM, as its own metrics name it.',
  'lockstep.condition': 'under-voltage, frequency-capped, throttled or soft-temperature-limit.',
  'lockstep.event': 'Kind of event, as the kernel names it.',
  'lockstep.memory.kind': 'Kind of memory, as memory.stat names it.',
  'lockstep.resource': 'cpu, memory or io.',
  'lockstep.since':
    'now (or within the last 2 s, where the kernel asks the firmware), or boot: at any time ' +
    'since the start of the system.',
  'lockstep.stall': 'some (at least one task waited) or full (all did).',
  'lockstep.stat': 'The counter, as KVM or the VMM names it.',
  'lockstep.thread': 'vcpu-0, vcpu-1, …, or vmm for all other threads together.',
} as const;
type SeriesAttribute = keyof typeof SERIES_ATTRIBUTES;

/** Attributes of resources and spans. */
export const CONTEXT_ATTRIBUTES = {
  'device.id': 'The device.',
  'error.type': 'Code of the failure.',
  'http.response.status_code': 'Status of the first response.',
  'messaging.operation.type': 'send or process.',
  'messaging.system.name': 'nats.',
  'server.address': 'Address of the function.',
  'lockstep.run.id': 'The run.',
  'lockstep.trial.id': 'The trial.',
  'lockstep.trial.attempt': 'The attempt at the trial, from 1.',
  'lockstep.experiment.name': 'Name of the experiment.',
  'lockstep.cell.id': 'The cell: the factors in one string.',
  'lockstep.procedure': 'What is done in the trial.',
  'lockstep.instance.index': 'Number of the sandbox within the trial, from 0.',
  'lockstep.sandbox.kind': 'Kind of sandbox.',
  'lockstep.function': 'The function in the sandbox.',
  'lockstep.clock.offset': 'Fleet time minus CLOCK_MONOTONIC of the device, ns, as a string.',
  'lockstep.clock.bound': 'Limit of the error of that, s.',
  'lockstep.start.lateness': 'Actual minus ordered start, s.',
  'lockstep.scheduling.class': 'Scheduling class of the measuring process.',
  'lockstep.devices': 'Number of devices.',
  'lockstep.invalid': 'Codes of the marks that make the result invalid.',
  'lockstep.telemetry.signal': 'traces, metrics or logs.',
  'lockstep.endpoint': 'Name of an OTLP endpoint.',
  'lockstep.state': 'State of a device: idle, busy, probing, leaving or lost.',
  'lockstep.status': 'ok or failed.',
  'lockstep.run.state': 'queued, going, or as the run ended.',
  'lockstep.trials': 'Number of trials.',
  'lockstep.instances': 'Number of sandboxes of the trial.',
  'lockstep.instances.untraced': 'Sandboxes without spans, as there were more than 128.',
  'lockstep.barrier': 'Name of a barrier within the procedure.',
  'lockstep.outcome': 'accepted, rejected, refused or missed.',
  'lockstep.stream': 'Name of a JetStream stream.',
} as const;
type ContextAttribute = keyof typeof CONTEXT_ATTRIBUTES;

export type AttributeName = SeriesAttribute | ContextAttribute;
