import type { Phase } from '../../schemas/result.ts';

/** The lines by which a guest or a function says how far it is. */
const MARKERS: readonly (readonly [marker: string, phase: Phase])[] = [
  ['lockstep:guest', 'guestEntry'],
  ['lockstep:main', 'appMain'],
];

const TAIL_BYTES_MAX = 16 * 1024;
const LINE_BYTES_MAX = 256;
const NEWLINE = 0x0a;

/**
 * Watches what a sandbox prints: reports each phase once, at the stamp of the chunk that completed
 * the marker's line, and keeps the end of it all. Memory is bounded however much is printed.
 */
export class OutputWatcher {
  readonly #onPhase: (phase: Phase, atMonoNs: bigint) => void;
  readonly #awaited = new Map<string, Phase>(MARKERS);
  readonly #chunks: Buffer[] = [];
  #chunkBytes = 0;
  // The unfinished line of each stream, because the two may interleave.
  readonly #lines = new Map<string, string>();

  constructor(onPhase: (phase: Phase, atMonoNs: bigint) => void) {
    this.#onPhase = onPhase;
  }

  /** Takes a chunk of the stream of that name, with the stamp of its arrival. */
  push(stream: string, chunk: Buffer, atMonoNs: bigint): void {
    if (this.#awaited.size > 0) this.#scan(stream, chunk, atMonoNs);
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    while (this.#chunkBytes - (this.#chunks[0]?.length ?? 0) >= TAIL_BYTES_MAX) {
      this.#chunkBytes -= this.#chunks.shift()?.length ?? 0;
    }
  }

  /** The end of what was printed, at most 16 KiB. */
  tail(): string {
    const text = Buffer.concat(this.#chunks).subarray(-TAIL_BYTES_MAX).toString('utf8');
    // A character that was cut in two becomes a longer replacement, but counts as one.
    return text.slice(-TAIL_BYTES_MAX);
  }

  #scan(stream: string, chunk: Buffer, atMonoNs: bigint): void {
    let line = this.#lines.get(stream) ?? '';
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      const piece = chunk.subarray(from, end === -1 ? undefined : end);
      // Markers are short: of a long line its end is enough.
      line = (line + piece.subarray(-LINE_BYTES_MAX).toString('latin1')).slice(-LINE_BYTES_MAX);
      if (end === -1) break;
      this.#recognise(line.trimEnd(), atMonoNs);
      line = '';
      from = end + 1;
    }
    this.#lines.set(stream, line);
  }

  #recognise(line: string, atMonoNs: bigint): void {
    for (const [marker, phase] of this.#awaited) {
      // On a serial console the kernel may have left something in front of it.
      if (!line.endsWith(marker)) continue;
      this.#awaited.delete(marker);
      this.#onPhase(phase, atMonoNs);
    }
  }
}
