import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';
import { Failure } from '../../schemas/failure.ts';
import { Identifier } from '../../schemas/units.ts';
import { ARMS } from './suite.ts';

/** How far one experiment of a study has come. */
const Step = z.strictObject({
  name: Identifier,
  state: z.enum(['pending', 'running', 'done', 'failed']).meta({
    description: 'running: its run was submitted. failed: it was refused, or did not complete.',
  }),
  runId: Identifier.exactOptional(),
  failure: Failure.exactOptional(),
});
export type Step = z.output<typeof Step>;

/** The state of a study: `study.json` in its folder. */
export const StudyState = z.strictObject({
  version: z.literal(1),
  studyId: Identifier,
  arm: z.enum(ARMS),
  startedAtUtcMs: z.int(),
  steps: z.array(Step).min(1).max(64),
});
export type StudyState = z.output<typeof StudyState>;

const STATE_FILE = 'study.json';
const STATE_BYTES_MAX = 1_048_576;

/**
 * The folder of one study: its state, the experiments as they were when it began, its report. The
 * state is replaced as a whole, so that whatever ends the process leaves the old or the new one.
 */
export class StudyFolder {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** A study of a data folder by its id. */
  static of(dataFolder: string, studyId: string): StudyFolder {
    if (!Identifier.safeParse(studyId).success) {
      throw new LockstepError('USAGE', `'${studyId}' can not be the id of a study`, {
        hint: 'Use 1 to 64 lower-case letters, digits and inner hyphens.',
      });
    }
    return new StudyFolder(join(dataFolder, 'studies', studyId));
  }

  /** Ids of all studies of a data folder, newest first. */
  static async list(dataFolder: string): Promise<string[]> {
    const found = await readdir(join(dataFolder, 'studies')).catch((): string[] => []);
    const names = found.filter((name) => Identifier.safeParse(name).success);
    const begun = await Promise.all(
      names.map(async (name) => {
        const state = await StudyFolder.of(dataFolder, name)
          .read()
          .catch(() => undefined);
        return { name, atUtcMs: state?.startedAtUtcMs ?? 0 };
      }),
    );
    return begun.toSorted((a, b) => b.atUtcMs - a.atUtcMs).map(({ name }) => name);
  }

  /** The path of a file in it. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** Begins a study: keeps its experiments, then its state. */
  async begin(state: StudyState, experiments: ReadonlyMap<string, string>): Promise<void> {
    await mkdir(this.path('experiments'), { recursive: true });
    for (const [name, text] of experiments) await this.#replace(`experiments/${name}.yaml`, text);
    await this.write(state);
  }

  /** The text of an experiment as it was when the study began. */
  async experimentText(name: string): Promise<string> {
    try {
      return await readFile(this.path(`experiments/${name}.yaml`), 'utf8');
    } catch (cause) {
      throw this.#damaged(`its experiment ${name} can't be read`, cause);
    }
  }

  /** True if there is a study in the folder, whole or not. */
  async exists(): Promise<boolean> {
    const names = await readdir(this.folder).catch((): string[] => []);
    return names.includes(STATE_FILE);
  }

  /**
   * The state as it was last written.
   *
   * @throws LockstepError NOT_FOUND if there is none, RUN_DAMAGED if it can't be read.
   */
  async read(): Promise<StudyState> {
    let text: string;
    try {
      text = await readFile(this.path(STATE_FILE), 'utf8');
    } catch (cause) {
      if (!isMissing(cause)) throw this.#damaged('its state can not be read', cause);
      throw new LockstepError('NOT_FOUND', `there is no study in ${this.folder}`, {
        cause,
        hint: 'Begin one with: lockstep study',
      });
    }
    if (text.length > STATE_BYTES_MAX) throw this.#damaged('its state is far too long');
    try {
      return StudyState.parse(JSON.parse(text));
    } catch (cause) {
      throw this.#damaged('its state is no such state', cause);
    }
  }

  /** Replaces the state. */
  async write(state: StudyState): Promise<void> {
    await this.#replace(STATE_FILE, `${JSON.stringify(state, null, 2)}\n`);
  }

  /** Replaces the state by one in which a step has changed. */
  async writeStep(state: StudyState, step: Step): Promise<StudyState> {
    const steps = state.steps.map((old) => (old.name === step.name ? step : old));
    const changed = { ...state, steps };
    await this.write(changed);
    return changed;
  }

  /** Writes a file of text as a whole. */
  async writeText(name: string, text: string): Promise<void> {
    await this.#replace(name, text);
  }

  async #replace(name: string, text: string): Promise<void> {
    const path = this.path(name);
    const draft = `${path}.${randomUUID()}`;
    try {
      const file = await open(draft, 'wx');
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, path);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  #damaged(what: string, cause?: unknown): LockstepError {
    return new LockstepError('RUN_DAMAGED', `the study in ${this.folder} is damaged: ${what}`, {
      cause,
      hint: 'Its runs are whole all the same: lockstep runs. Begin a new study for the others.',
    });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
