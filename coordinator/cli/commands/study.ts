import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { LockstepError, errorCodeOf } from '../../../schemas/errors.ts';
import { openEndpoint } from '../../../telemetry/endpoints/open-endpoint.ts';
import { studyHtml } from '../../report/study-page.ts';
import { studyText } from '../../report/study-text.ts';
import { renderMarkdown } from '../../report/markdown.ts';
import { StudyFolder } from '../../study/study-folder.ts';
import type { StudyState } from '../../study/study-folder.ts';
import { selectExperiments } from '../../study/suite.ts';
import type { Arm, StudyExperiment } from '../../study/suite.ts';
import { Client } from '../client.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { CHECKOUT_FOLDER } from '../home.ts';
import { lockHome } from '../home-lock.ts';
import { readRelayEndpoints } from '../relay-endpoints.ts';
import type { Session, Work } from '../session.ts';
import { startStack } from '../stack.ts';
import { readStudy } from './study-results.ts';
import { showEstimate } from './study-estimate.ts';
import type { PlannedText } from './study-estimate.ts';
import { runSuite } from './study-suite.ts';
import { awaitAgents, stackLog } from './up.ts';

/** What `lockstep study` takes. */
export interface StudyOptions {
  readonly arm?: Arm;
  readonly quick?: boolean;
  /** Names of experiments or groups. Absent: all of the arm. */
  readonly only?: readonly string[];
  /** Id or folder of the study to go on with; true: the newest. */
  readonly resume?: string | true;
  /** Id that the study has or gets. */
  readonly study?: string;
  readonly plan?: boolean;
  readonly agents: number;
  readonly sandboxes?: string;
  readonly out?: string;
  readonly json?: boolean;
  readonly markdown?: boolean;
}

/**
 * Runs the experiments of the study arXiv 2403.00515, or a part of them, and puts what came out
 * beside what was published. Uses the coordinator of the data folder, or starts one for the time.
 */
export function study(options: StudyOptions): Work {
  return async (session) => {
    assertOptions(options);
    if (options.plan === true) return showPlan(session, options);
    const folder = await findFolder(session, options);
    const isNew = !(await folder.exists());
    if (isNew && options.resume !== undefined) await folder.read();
    // Mistakes in what is asked for are told before anything is written.
    const texts = isNew ? await readTexts(options) : [];
    const unlock = await lockHome(folder.folder);
    try {
      const state = isNew ? await begin(folder, options, texts) : await goOn(folder, options);
      session.output.say(`study ${state.studyId}, ${state.arm} arm, in ${folder.folder}`);
      if (state.steps.every((step) => step.state === 'done')) {
        session.output.say('all of its experiments are done; nothing is left to run');
        await show(session, folder, state, options);
        return EXIT_CODES.ok;
      }
      return await withCoordinator(session, options, async (client) => {
        await showEstimate(session, client, await textsOf(folder, state));
        const { code, state: reached } = await runSuite(client, session, { folder, state });
        await show(session, folder, reached, options);
        if (code === EXIT_CODES.interrupted) {
          session.output.say(`go on with: lockstep study --resume ${state.studyId}`);
        }
        return code;
      });
    } finally {
      await unlock();
    }
  };
}

function assertOptions({ arm, quick, resume, study: studyId, only }: StudyOptions): void {
  const clash = (first: string, second: string): LockstepError =>
    new LockstepError('USAGE', `${first} and ${second} do not go together`);
  if (quick === true && arm !== undefined && arm !== 'quick')
    throw clash('--quick', `--arm ${arm}`);
  if (resume === undefined) return;
  if (studyId !== undefined) throw clash('--resume', '--study');
  if (only !== undefined) throw clash('--resume', '--only');
  if (arm !== undefined || quick === true) throw clash('--resume', '--arm or --quick');
}

function armOf({ arm, quick }: StudyOptions): Arm {
  return quick === true ? 'quick' : (arm ?? 'faithful');
}

async function readTexts(options: StudyOptions): Promise<(StudyExperiment & { text: string })[]> {
  const arm = armOf(options);
  const folder = join(CHECKOUT_FOLDER, 'experiments/study', arm);
  return Promise.all(
    selectExperiments(arm, options.only).map(async (entry) => ({
      ...entry,
      text: await readFile(join(folder, entry.file), 'utf8'),
    })),
  );
}

async function findFolder({ home }: Session, options: StudyOptions): Promise<StudyFolder> {
  const { resume, study: studyId } = options;
  if (resume === undefined) {
    return StudyFolder.of(home.folder, studyId ?? newStudyId(armOf(options), new Date()));
  }
  if (resume !== true) return folderOf(home.folder, resume);
  const [newest] = await StudyFolder.list(home.folder);
  if (newest !== undefined) return StudyFolder.of(home.folder, newest);
  throw new LockstepError('NOT_FOUND', `there is no study in ${home.folder}`, {
    hint: 'Begin one with: lockstep study',
  });
}

/** An id, or the path of a folder. The runs are in the data folder whatever it is. */
function folderOf(dataFolder: string, named: string): StudyFolder {
  if (!named.includes(sep)) return StudyFolder.of(dataFolder, named);
  const path = resolve(named);
  if (dirname(path) === join(dataFolder, 'studies')) {
    return StudyFolder.of(dataFolder, basename(path));
  }
  throw new LockstepError('USAGE', `${named} is no study of the data folder ${dataFolder}`, {
    hint: 'Name the data folder that it is in with --data.',
  });
}

function newStudyId(arm: Arm, now: Date): string {
  const digits = now.toISOString().replaceAll(/\D/g, '');
  return `${arm}-${digits.slice(0, 8)}-${digits.slice(8, 14)}-${randomBytes(2).toString('hex')}`;
}

async function begin(
  folder: StudyFolder,
  options: StudyOptions,
  texts: readonly PlannedText[],
): Promise<StudyState> {
  const state: StudyState = {
    version: 1,
    studyId: basename(folder.folder),
    arm: armOf(options),
    startedAtUtcMs: Date.now(),
    steps: texts.map(({ name }) => ({ name, state: 'pending' })),
  };
  await folder.begin(state, new Map(texts.map(({ name, text }) => [name, text])));
  return state;
}

async function goOn(folder: StudyFolder, options: StudyOptions): Promise<StudyState> {
  const state = await folder.read();
  const hasArm = options.arm !== undefined || options.quick === true;
  if (hasArm && armOf(options) !== state.arm) {
    throw new LockstepError('USAGE', `study ${state.studyId} is of the ${state.arm} arm`, {
      hint: 'Leave out --arm to go on with it, or name another with --study.',
    });
  }
  const { steps } = state;
  const wanted = options.only === undefined ? [] : selectExperiments(state.arm, options.only);
  const missing = wanted.filter(({ name }) => !steps.some((step) => step.name === name));
  if (missing.length === 0) return state;
  throw new LockstepError(
    'USAGE',
    `study ${state.studyId} was begun without ${missing.map(({ name }) => name).join(', ')}`,
    { hint: 'Begin another study for that.' },
  );
}

async function textsOf(folder: StudyFolder, { steps }: StudyState): Promise<PlannedText[]> {
  const open = steps.filter(({ state }) => state !== 'done');
  return Promise.all(
    open.map(async ({ name }) => ({ name, text: await folder.experimentText(name) })),
  );
}

async function showPlan(session: Session, options: StudyOptions): Promise<number> {
  const texts = await readTexts(options);
  let client: Client | undefined;
  try {
    client = await Client.connect(session.home, {});
  } catch (error) {
    if (errorCodeOf(error) !== 'BUS_UNAVAILABLE') throw error;
    session.output.say('no coordinator works on this data folder: every cell counts as possible');
  }
  try {
    await showEstimate(session, client, texts, options.json === true ? 'json' : 'result');
  } finally {
    await client?.close();
  }
  return EXIT_CODES.ok;
}

async function withCoordinator(
  session: Session,
  options: StudyOptions,
  work: (client: Client) => Promise<number>,
): Promise<number> {
  const { home, output } = session;
  try {
    return await closing(await Client.connect(home, {}), work);
  } catch (error) {
    if (errorCodeOf(error) !== 'BUS_UNAVAILABLE' || (await hasContext(session))) throw error;
  }
  const stack = await startStack({
    ...{ home, agents: options.agents, host: '127.0.0.1', port: 0 },
    ...(options.sandboxes === undefined ? {} : { sandboxes: options.sandboxes }),
    endpoints: (await readRelayEndpoints(process.env)).map((each) => openEndpoint(each)),
    ...stackLog(session),
  });
  try {
    await awaitAgents(stack, session);
    return await closing(await Client.connect(home, {}), work);
  } finally {
    output.say('ending agents, coordinator and server');
    await stack.stop();
  }
}

async function closing(client: Client, work: (client: Client) => Promise<number>): Promise<number> {
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** True if a coordinator said how it is reached, and still runs. */
async function hasContext({ home }: Session): Promise<boolean> {
  try {
    process.kill((await home.readContext()).processId, 0);
    return true;
  } catch {
    return false;
  }
}

async function show(
  { home, output }: Session,
  folder: StudyFolder,
  state: StudyState,
  options: StudyOptions,
): Promise<void> {
  const report = await readStudy(home.folder, folder, state);
  const page = studyHtml(report);
  await folder.writeText('report.html', page);
  await folder.writeText('report.json', `${JSON.stringify(report, null, 2)}\n`);
  if (options.out !== undefined) await writeFile(options.out, page);
  if (options.markdown === true) {
    await folder.writeText('report.md', renderMarkdown(page).text);
  }
  if (options.json === true) output.result(JSON.stringify(report, null, 2));
  else output.result(studyText(report));
  const path = options.out ?? folder.path('report.html');
  output.say(`report: ${path}`);
  if (options.markdown === true) output.say(`  and ${folder.path('report.md')}`);
}
