import type { ProcedureKind } from '../../schemas/procedure.ts';
import type { LimitationCode, Provenance } from '../../schemas/provenance.ts';
import type { DraftShape } from './draft.ts';

/** One kind of file of the study arXiv 2403.00515, as published. */
export interface StudyForm {
  /** As in `--as`. */
  readonly name: string;
  readonly columns: readonly string[];
  readonly unit: Provenance['unit'];
  readonly shape: DraftShape;
  readonly procedure: ProcedureKind;
  readonly question: string;
  readonly meaning: string;
  /** What such files can't support, beyond {@link COMMON_LIMITATIONS}. */
  readonly limitations?: readonly (readonly [LimitationCode, string])[];
}

/** What no file of the study can support. */
export const COMMON_LIMITATIONS: readonly (readonly [LimitationCode, string])[] = [
  ['one-host', 'The file names no host; all rows count as measured on one.'],
  [
    'no-failures',
    'The file has no column for failures, so its failure rate is unknown and not 0: what failed ' +
      'has no row.',
  ],
];

const HEY =
  'total HTTP time of one request as hey saw it, through the gateway: connect, queue, start of ' +
  'the sandbox if there is none, and the whole response';
const WARM = `${HEY}; the sandbox was there already`;
const IN_GUEST = "time of the computation alone, by the guest's own clock, in whole ms";
const ENDS_AT_RESPONSE: readonly [LimitationCode, string] = [
  'end-point',
  'Each time ends with the last byte of the response and contains the gateway; firstByte, and of ' +
    'a batch lastByte too, stand for that one instant.',
];
const CONTAINS_GATEWAY: readonly [LimitationCode, string] = [
  'end-point',
  'Each time begins at the load generator and contains the gateway; call and lastByte stand for ' +
    'its ends.',
];
const ENDS_AT_EXIT: readonly [LimitationCode, string] = [
  'end-point',
  'Each time ends when the container has exited and is removed, without any request; firstByte ' +
    'or ' +
    'lastByte stands for that.',
];
const IN_ATTEMPTS = ['target', 'time', 'attempt'];

const warm = (name: string, unit: 's' | 'ms', meaning: string): StudyForm => ({
  name,
  columns: IN_ATTEMPTS,
  unit,
  shape: 'sandbox',
  procedure: 'warm-call',
  question: `How long does ${name} take in each sandbox, at the first and at the second call?`,
  meaning: `${meaning}. first and second are two calls to the same sandbox`,
  limitations: [
    unit === 'ms'
      ? [
          'end-point',
          'Each time is that of a computation by the clock of the guest, not of a call seen from ' +
            'the host; call and lastByte stand for its ends.',
        ]
      : CONTAINS_GATEWAY,
  ],
});

/** Every kind of file that can be imported, apart from hyperfine's. */
export const STUDY_FORMS: readonly StudyForm[] = [
  {
    name: 'cold-start',
    columns: ['target', 'language', 'time'],
    unit: 's',
    shape: 'sandbox',
    procedure: 'cold-start',
    question: 'How long does a cold start through the gateway take in each sandbox?',
    meaning: HEY,
    limitations: [ENDS_AT_RESPONSE],
  },
  {
    name: 'container-cold-start',
    columns: ['target', 'language', 'time'],
    unit: 's',
    shape: 'sandbox',
    procedure: 'cold-start',
    question: 'How long does a container without a daemon take from its start to its end?',
    meaning: 'wall clock time around one run of the runtime: create, start, exit, delete; no HTTP',
    limitations: [ENDS_AT_EXIT],
  },
  {
    name: 'startup-times',
    columns: ['target', 'language', 'cached', 'setup', 'startup'],
    unit: 'ms',
    shape: 'sandbox',
    procedure: 'cold-start',
    question: 'How long does a microVM take from exec to the call that says it is ready?',
    meaning:
      'setup plus startup: from the exec of the VMM to the arrival of the ready call, with 26 ' +
      'probes attached; cached and evicted name the state that the page cache was meant to be in',
    limitations: [
      [
        'end-point',
        'Each time ends when the ready call arrives, before any request; firstByte stands for ' +
          'that.',
      ],
    ],
  },
  {
    name: 'burst',
    columns: ['target', 'language', 'instances', 'time'],
    unit: 's',
    shape: 'batch-of-rows',
    procedure: 'burst',
    question: 'How long do bursts of cold starts through the gateway take in each sandbox?',
    meaning: `${HEY}; one row per request of a batch`,
    limitations: [
      ENDS_AT_RESPONSE,
      ['dependent-rows', 'The rows of one batch ran at once, so they count as one value together.'],
    ],
  },
  {
    name: 'container-burst',
    columns: ['target', 'language', 'instances', 'time'],
    unit: 's',
    shape: 'batch-end',
    procedure: 'burst',
    question: 'How long does a batch of containers take until all have exited?',
    meaning: 'wall clock time until all containers of a batch have exited; one row per batch',
    limitations: [
      ENDS_AT_EXIT,
      [
        'makespan-only',
        'Each row is the end of a whole batch; every sandbox of the batch carries it as ' +
          'lastByte, ' +
          'and none has a time of its own.',
      ],
    ],
  },
  {
    name: 'memory',
    columns: ['target', 'language', 'instances', 'memory'],
    unit: 'MiB',
    shape: 'memory',
    procedure: 'burst',
    question: 'How much memory does each further idle sandbox take?',
    meaning:
      'by how much MemAvailable of the host had fallen when so many sandboxes were idle; ' +
      'cumulative within one series',
    limitations: [
      ['no-latency', 'The values are memory: the cells have no latency, but a slope per sandbox.'],
      [
        'dependent-rows',
        'The rows of one series build upon each other, so the interval of a slope says nothing ' +
          'about other series.',
      ],
    ],
  },
  warm('fft', 'ms', IN_GUEST),
  warm('matrix', 'ms', IN_GUEST),
  warm('fib', 's', WARM),
  warm('alloc', 's', WARM),
  warm('read', 's', WARM),
  {
    name: 'unzip',
    columns: ['target', 'time'],
    unit: 's',
    shape: 'sandbox',
    procedure: 'warm-call',
    question: 'How long does unzipping a file take in each sandbox?',
    meaning: WARM,
    limitations: [CONTAINS_GATEWAY],
  },
  {
    name: 'overhead',
    columns: ['time', 'kind'],
    unit: 's',
    shape: 'sandbox',
    procedure: 'warm-call',
    question: 'How much does the gateway add to a warm call?',
    meaning:
      'total HTTP time of one request as hey saw it, through the gateway or to the sandbox itself',
    limitations: [
      [
        'dependent-rows',
        'The rows are calls to sandboxes that stayed; how many sandboxes answered is not told, ' +
          'so ' +
          'n is the number of calls and not of sandboxes.',
      ],
    ],
  },
];

/** Files of the study that hold no latency, by their columns, and why they are refused. */
export const REFUSED_FORMS: readonly {
  readonly columns: readonly string[];
  readonly why: string;
}[] = [
  {
    columns: ['target', 'language', 'instructions'],
    why: 'it holds numbers of instructions, and results have no place for those',
  },
  {
    columns: ['target', 'language', 'cached', 'instructions'],
    why: 'it holds numbers of instructions, and results have no place for those',
  },
  {
    columns: ['target', 'language', 'cached', 'function', 'time'],
    why: 'it holds times summed over kernel functions, which are parts of a start and no latency',
  },
  {
    columns: ['target', 'language', 'cached', 'file', 'time'],
    why: 'it holds times of reading files, which are parts of a start and no latency',
  },
  {
    columns: ['target', 'language', 'file', 'size'],
    why: 'it holds sizes of files, which are no measurements of trials',
  },
];
