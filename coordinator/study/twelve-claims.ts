import type { Run } from '../../schemas/run.ts';
import { STUDY_SIZES } from './estimate.ts';
import type { Asked } from './measured-suite.ts';
import type { Language } from './published.ts';
import type { QuantityName } from './quantities.ts';
import type { Target } from './targets.ts';

type DoneProcedure = Run['experiment']['procedure'];

interface PartBase {
  readonly title: string;
  /** What the study says, for people. */
  readonly publishedText: string;
}

interface MeasuredPart extends PartBase {
  readonly asked: Asked;
  /** Why what was done is not what the claim is about. Undefined if it is. */
  readonly unlike?: (procedure: DoneProcedure) => string | undefined;
}

/** One statement that can be right or wrong by itself. */
export type ClaimPart =
  | (MeasuredPart & {
      readonly kind: 'ratio';
      readonly numerator: Target;
      readonly denominator: Target;
      readonly published: number;
    })
  | (MeasuredPart & {
      readonly kind: 'first-to-later';
      readonly target: Target;
      readonly later: QuantityName;
      readonly published: number;
    })
  | (MeasuredPart & { readonly kind: 'spread'; readonly targets: readonly Target[] })
  | (MeasuredPart & {
      readonly kind: 'limit';
      readonly target: Target;
      readonly published: number;
    })
  | (PartBase & { readonly kind: 'never'; readonly why: string });

/** A claim of the study: all of its parts together. */
export interface Claim {
  readonly id: string;
  readonly claim: string;
  readonly parts: readonly ClaimPart[];
}

type Pair = readonly [numerator: Target, denominator: Target];

function ratio([numerator, denominator]: Pair, asked: Asked, published: number): ClaimPart {
  const name = asked.language === 'go' ? 'Go' : 'Node';
  return {
    ...{ kind: 'ratio', asked, numerator, denominator, published },
    title: `${numerator} to ${denominator}, ${name}`,
    publishedText: String(published),
  };
}

const coldStart = (language: Language): Asked => ({
  ...{ experiment: 'cold-start', quantity: 'latency', language },
});
const burst = (language: Language): Asked => ({
  ...{ experiment: 'burst', quantity: 'latency', language, instances: 100 },
});
const idleMemory = (language: Language): Asked => ({
  ...{ experiment: 'idle-memory', quantity: 'available', language },
});
const idleInstructions = (language: Language): Asked => ({
  ...{ experiment: 'idle-instructions', quantity: 'instructions', language },
});

/** The claim is about work of this size. */
const ofSize = (size: number) => (procedure: DoneProcedure) => {
  if (procedure.kind !== 'compute') return `it is a ${procedure.kind}`;
  // Absent, the procedure takes the size of the study itself.
  const { work, n } = procedure;
  if (n === undefined || n === size) return undefined;
  return `this arm computes ${work} of ${n}, the claim is about ${size}`;
};

const spread = (work: 'fib' | 'matrix', n: number, publishedText: string): ClaimPart => ({
  ...{ kind: 'spread', title: work, publishedText, unlike: ofSize(n) },
  targets: ['linux', 'nanos', 'osv', 'docker', 'gvisor'],
  asked: {
    experiment: `cpu-${work}`,
    quantity: work === 'fib' ? 'first call' : 'first work',
    language: 'go',
  },
});

const limit = (target: Target, published: number): ClaimPart => ({
  ...{ kind: 'limit', target, published, title: target, publishedText: String(published) },
  asked: { experiment: 'network-simple', quantity: 'connection limit', language: 'go' },
  unlike: (procedure) => {
    if (procedure.kind !== 'throughput') return `it is a ${procedure.kind}`;
    const tried = [published, 2 * published].filter((one) => procedure.connections.includes(one));
    if (tried.length === 2) return undefined;
    return `this arm does not try ${published} and ${2 * published} connections`;
  },
});

/** C1 to C12, with the values that the study published. */
export const TWELVE_CLAIMS: readonly Claim[] = [
  {
    id: 'C1',
    claim: 'With Go, unikernels start in 0.28 of the time of Linux on Firecracker.',
    parts: [
      ratio(['nanos', 'linux'], coldStart('go'), 0.28),
      ratio(['osv', 'linux'], coldStart('go'), 0.281),
    ],
  },
  {
    id: 'C2',
    claim: 'With Node, Nanos starts in 0.48 and OSv in 0.60 of the time of Linux.',
    parts: [
      ratio(['nanos', 'linux'], coldStart('node'), 0.479),
      ratio(['osv', 'linux'], coldStart('node'), 0.599),
    ],
  },
  {
    id: 'C3',
    claim: 'gVisor takes 1.67 (Go) and 1.55 (Node) of the time of Linux to start.',
    parts: [
      ratio(['gvisor', 'linux'], coldStart('go'), 1.67),
      ratio(['gvisor', 'linux'], coldStart('node'), 1.55),
    ],
  },
  {
    id: 'C4',
    claim: 'Docker takes 2.99 (Go) and 2.41 (Node) of the time of its runtime alone to start.',
    parts: [
      ratio(['docker', 'runc'], coldStart('go'), 2.99),
      ratio(['docker', 'runc'], coldStart('node'), 2.41),
    ],
  },
  {
    id: 'C5',
    claim: 'For 100 starts at once Linux takes 5.1 (Go) and 1.7 (Node) of the time of Nanos.',
    parts: [
      ratio(['linux', 'nanos'], burst('go'), 5.1),
      ratio(['linux', 'nanos'], burst('node'), 1.7),
    ],
  },
  {
    id: 'C6',
    claim: 'Idle, Nanos takes 0.40 of the memory of Linux with Go, and 1.72 of it with Node.',
    parts: [
      ratio(['nanos', 'linux'], idleMemory('go'), 0.4),
      ratio(['nanos', 'linux'], idleMemory('node'), 1.72),
    ],
  },
  {
    id: 'C7',
    claim: 'Idle, OSv executes 153 (Go) and 141 (Node) times the instructions of Linux.',
    parts: [
      ratio(['osv', 'linux'], idleInstructions('go'), 153),
      ratio(['osv', 'linux'], idleInstructions('node'), 141),
    ],
  },
  {
    id: 'C8',
    claim: 'Pure arithmetic takes the same time everywhere: medians differ by less than 4 %.',
    parts: [
      spread('fib', STUDY_SIZES.fib, '1.8 to 2.3 %'),
      spread('matrix', STUDY_SIZES.matrix, '2.5 to 3.7 %'),
    ],
  },
  {
    id: 'C9',
    claim: 'In Nanos the first Fourier transform takes 1.76 of the time of the second.',
    parts: [
      {
        ...{ kind: 'first-to-later', target: 'nanos', later: 'later work', published: 1.76 },
        ...{ title: 'first to later calls, nanos', publishedText: '1.76' },
        asked: { experiment: 'cpu-fft', quantity: 'first work', language: 'go' },
        unlike: ofSize(STUDY_SIZES.fft),
      },
    ],
  },
  {
    id: 'C10',
    claim: 'Linux serves 13.0 times the file bytes per second of Nanos.',
    parts: [
      ratio(
        ['linux', 'nanos'],
        { experiment: 'network-file', quantity: 'bytes at 4', language: 'go' },
        13,
      ),
    ],
  },
  {
    id: 'C11',
    claim: 'Nanos bears 128 connections and gVisor 512, doubled at each step.',
    parts: [limit('nanos', 128), limit('gvisor', 512)],
  },
  {
    id: 'C12',
    claim: 'The gateway adds 0.91 ms to a warm call.',
    parts: [
      {
        ...{ kind: 'never', title: 'gateway to direct', publishedText: '0.91 ms [0.87, 0.95]' },
        why: 'Lockstep calls functions directly and has no gateway that could add anything',
      },
    ],
  },
];
