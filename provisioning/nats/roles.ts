import {
  ARTEFACTS_BUCKET,
  BLOBS_BUCKET,
  barrierSubject,
  commandSubject,
  controlSubject,
  inboxPrefix,
  presenceSubject,
  progressSubject,
  resultSubject,
  samplesSubject,
  telemetrySubject,
  timeSubject,
  TIME_WILDCARD,
} from '../../schemas/subjects.ts';

/** Who may connect: each role has its own signing key, and so its own permissions. */
export const ROLES = ['device', 'coordinator', 'timekeeper', 'researcher'] as const;
export type Role = (typeof ROLES)[number];

/** What a role may do, by subject; anything else is refused. */
export interface RolePermissions {
  publish: string[];
  subscribe: string[];
  /** Answers that it may send to each request it receives, for so long, ms. Absent: none. */
  answers?: { perRequest: number; withinMs: number };
}

// The server puts the user's name here; only a whole token can be replaced on nats-server 2.10.
const USER = '{{name()}}';
const OWN_INBOX = `${inboxPrefix(USER)}.>`;
const HOUR_MS = 3_600_000;

/**
 * The permissions of each role. A device reads artefacts by direct get, which needs no consumer:
 * with the right to make consumers it could have the server send blobs to others' subjects.
 */
export const ROLE_PERMISSIONS: Readonly<Record<Role, RolePermissions>> = {
  device: {
    publish: [
      presenceSubject(USER),
      resultSubject(USER),
      samplesSubject(USER),
      telemetrySubject('*', USER),
      timeSubject(USER),
      barrierSubject(USER),
      ...readBucket(`KV_${ARTEFACTS_BUCKET}`),
      ...readBucket(`OBJ_${BLOBS_BUCKET}`),
    ],
    subscribe: [commandSubject(USER, '*'), OWN_INBOX],
    answers: { perRequest: 1, withinMs: HOUR_MS },
  },
  coordinator: {
    publish: ['lockstep.>', '$JS.API.>', '$JS.ACK.>', '$KV.>', '$O.>'],
    subscribe: ['lockstep.>', OWN_INBOX],
    answers: { perRequest: 1, withinMs: HOUR_MS },
  },
  timekeeper: {
    publish: [],
    subscribe: [TIME_WILDCARD, OWN_INBOX],
    answers: { perRequest: 1, withinMs: 60_000 },
  },
  researcher: {
    publish: [controlSubject('*')],
    subscribe: [progressSubject('*'), OWN_INBOX],
  },
};

/**
 * The permissions as a NATS scope template.
 *
 * An empty list of allowed subjects would mean "all"; a role without any is denied all instead.
 */
export function scopeTemplate({ publish, subscribe, answers }: RolePermissions): object {
  return {
    pub: publish.length > 0 ? { allow: publish } : { deny: ['>'] },
    sub: { allow: subscribe },
    ...(answers === undefined
      ? {}
      : { resp: { max: answers.perRequest, ttl: answers.withinMs * 1_000_000 } }),
    subs: -1,
    data: -1,
    payload: -1,
  };
}

function readBucket(stream: string): string[] {
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.DIRECT.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}.>`,
  ];
}
