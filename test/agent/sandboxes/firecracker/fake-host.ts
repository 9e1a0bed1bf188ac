import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildGuestProgram } from '../../../support/fake-firecracker/guest-program.ts';
import type { FakeOptions } from '../../../support/fake-firecracker/options.ts';
import { writeFakeFirecracker, writeFakeJailer } from '../../../support/fake-firecracker/script.ts';

/** A line of the fake's journal. */
export interface JournalEntry {
  readonly processId?: number;
  /** Its command line. */
  readonly words?: string[];
  /** The jailer's command line. */
  readonly jailer?: string[];
  readonly request?: string;
  readonly body?: string;
  readonly guest?: 'halted' | 'panicked';
}

/** As much of a kernel as is looked at: no fake boots one. */
export const FAKE_KERNEL = '\x7fELF\x02\x01\x01 Linux version 6.6.6-fake (nobody)';

/** A host with the fake in the place of Firecracker, named in this process's environment. */
export class FakeHost {
  readonly folder: string;
  readonly #guestProgram: string;

  private constructor(folder: string, guestProgram: string) {
    this.folder = folder;
    this.#guestProgram = guestProgram;
  }

  /** Makes the programs. Throws with code TOOL_MISSING without a Go compiler. */
  static async create(): Promise<FakeHost> {
    const guestProgram = await buildGuestProgram();
    const host = new FakeHost(await mkdtemp(join(tmpdir(), 'fake-fc-')), guestProgram);
    process.env['LOCKSTEP_JAILER'] = await writeFakeJailer(host.folder, { journal: host.journal });
    await writeFile(join(host.folder, 'vmlinux'), FAKE_KERNEL);
    await host.behave({});
    return host;
  }

  /** File of the journal. */
  get journal(): string {
    return join(this.folder, 'journal');
  }

  /** Lets it behave in this way from now on, with an empty journal. */
  async behave(
    { fault }: Pick<FakeOptions, 'fault'>,
    environment: Record<string, string> = {},
  ): Promise<void> {
    for (const name of ['START', 'JAILER', 'VSOCK']) {
      process.env[`LOCKSTEP_FIRECRACKER_${name}`] = environment[name] ?? '';
    }
    await rm(this.journal, { force: true });
    process.env['LOCKSTEP_FIRECRACKER'] = await writeFakeFirecracker(this.folder, {
      journal: this.journal,
      guestProgram: this.#guestProgram,
      ...(fault === undefined ? {} : { fault }),
    });
  }

  /** What it noted. */
  async entries(): Promise<JournalEntry[]> {
    const text = await readFile(this.journal, 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as JournalEntry);
  }

  /** The requests that it got, in their order. */
  async requests(): Promise<string[]> {
    return (await this.entries()).flatMap(({ request }) => request ?? []);
  }

  /** Removes the programs. */
  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
