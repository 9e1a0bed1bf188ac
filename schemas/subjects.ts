/**
 * The only place where NATS subjects, streams and buckets are named. Each function builds one
 * subject; the comment above it gives the pattern. Ids are checked identifiers, so no token can
 * contain a dot or a wildcard.
 */
const PREFIX = 'lockstep';

/** lockstep.device.<id>.presence: a device says that it lives; core message. */
export const presenceSubject = (deviceId: string): string =>
  `${PREFIX}.device.${deviceId}.presence`;

/** Every device's presence. */
export const PRESENCE_WILDCARD = `${PREFIX}.device.*.presence`;

/** lockstep.device.<id>.command.<verb>: the coordinator asks one device; request and reply. */
export const commandSubject = (deviceId: string, verb: string): string =>
  `${PREFIX}.device.${deviceId}.command.${verb}`;

/** lockstep.device.<id>.barrier: a device at a barrier asks the coordinator; request and reply. */
export const barrierSubject = (deviceId: string): string => `${PREFIX}.device.${deviceId}.barrier`;

/** Every device's barriers. */
export const BARRIER_WILDCARD = `${PREFIX}.device.*.barrier`;

/** lockstep.result.<id>: a device's results; stored in {@link RESULTS_STREAM}. */
export const resultSubject = (deviceId: string): string => `${PREFIX}.result.${deviceId}`;

/** Every device's results. */
export const RESULT_WILDCARD = `${PREFIX}.result.*`;

/** lockstep.time.<id>: a device's clock probes, answered by the timekeeper. */
export const timeSubject = (deviceId: string): string => `${PREFIX}.time.${deviceId}`;

/** Every device's clock probes. */
export const TIME_WILDCARD = `${PREFIX}.time.*`;

/** lockstep.control.<verb>: a person's tool asks the coordinator; request and reply. */
export const controlSubject = (verb: string): string => `${PREFIX}.control.${verb}`;

/** lockstep.run.<run>.progress: what happens in a run, for people who watch; core message. */
export const progressSubject = (runId: string): string => `${PREFIX}.run.${runId}.progress`;

/** lockstep.ledger.<run>: the events of a run; stored in {@link LEDGER_STREAM}. */
export const ledgerSubject = (runId: string): string => `${PREFIX}.ledger.${runId}`;

/** Every run's ledger. */
export const LEDGER_WILDCARD = `${PREFIX}.ledger.*`;

/** lockstep.samples.<id>: blocks of a device's samples; stored in {@link SAMPLES_STREAM}. */
export const samplesSubject = (deviceId: string): string => `${PREFIX}.samples.${deviceId}`;

/** Every device's samples. */
export const SAMPLES_WILDCARD = `${PREFIX}.samples.*`;

/**
 * lockstep.telemetry.<signal>.<id>: OTLP of a device or of the coordinator, by the user's name;
 * stored in {@link TELEMETRY_STREAM}.
 */
export const telemetrySubject = (signal: string, user: string): string =>
  `${PREFIX}.telemetry.${signal}.${user}`;

/** All OTLP. */
export const TELEMETRY_WILDCARD = `${PREFIX}.telemetry.*.*`;

/** JetStream stream that keeps results until the recorder has them on disk, and after. */
export const RESULTS_STREAM = 'LOCKSTEP_RESULTS';

/** JetStream stream of the run ledger. */
export const LEDGER_STREAM = 'LOCKSTEP_LEDGER';

/** JetStream stream of the devices' samples, until the recorder has them on disk. */
export const SAMPLES_STREAM = 'LOCKSTEP_SAMPLES';

/** JetStream stream of OTLP on its way to the endpoints of the relay. */
export const TELEMETRY_STREAM = 'LOCKSTEP_TELEMETRY';

/** Durable consumer of the recorder on {@link SAMPLES_STREAM}. */
export const SAMPLES_CONSUMER = 'recorder';

/** Durable consumer of the relay on {@link TELEMETRY_STREAM}, for one endpoint. */
export const relayConsumer = (endpoint: string): string => `relay-${endpoint}`;

/** Durable consumer of the recorder on {@link RESULTS_STREAM}. */
export const RECORDER_CONSUMER = 'recorder';

/** KV bucket of the registry: one key per device. */
export const DEVICES_BUCKET = 'lockstep-devices';

/** KV bucket that maps artefact names to the digest of their manifest. */
export const ARTEFACTS_BUCKET = 'lockstep-artefacts';

/** Object store of manifests and files, by digest. */
export const BLOBS_BUCKET = 'lockstep-blobs';

/** The inbox prefix of a user: its own token, so that no other user can listen to replies. */
export const inboxPrefix = (user: string): string => `_INBOX.${user}`;
