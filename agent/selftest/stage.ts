import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { ReadyListener, READY_PORT } from '../runner/ready-listener.ts';
import { Cgroups } from '../sandboxes/cgroup.ts';
import type { DriverContext, Sandbox, SandboxDriver } from '../sandboxes/driver.ts';
import { FUNCTION_PORT } from '../sandboxes/function-root.ts';
import type { FunctionRoot } from '../sandboxes/function-root.ts';
import { SlotPool } from '../sandboxes/network.ts';
import type { Slot } from '../sandboxes/network.ts';
import { drivers } from '../sandboxes/registry.ts';
import type { Phase } from '../../schemas/result.ts';
import { traitsOf } from '../../schemas/sandbox.ts';
import type { SandboxName, SandboxTraits } from '../../schemas/sandbox.ts';

/** What the inner part of the suite is told. */
export interface StageSetUp {
  readonly sandbox: SandboxName;
  readonly scratchFolder: string;
  readonly cgroupName: string;
  readonly hello: FunctionRoot;
  /** Folder of the misbehaving function. */
  readonly misbehaveFolder: string;
  readonly guestKernelFolder?: string;
  readonly imagesFolder: string;
}

/** Something that a driver must do on the stage; throws if it does not. */
export type Check = (stage: Stage) => Promise<void>;

/** One sandbox on the stage, with everything that was told about it. */
export interface Actor {
  readonly sandbox: Sandbox;
  readonly slot: Slot;
  readonly phases: Map<Phase, bigint>;
  readonly ready: Promise<bigint>;
  readonly exit: Promise<string>;
}

/** Limits of every sandbox on the stage. */
export const LIMITS = { memoryMib: 256, cpus: 1 } as const;

const WAIT_MS = 45_000;

/** Everything in the runner's namespaces that a sandbox could leave something in. */
export interface Surroundings {
  readonly processes: string[];
  readonly mounts: string[];
  readonly interfaces: string[];
  readonly cgroups: string[];
  readonly files: string[];
}

/** The runner's namespaces with one driver in them. */
export class Stage {
  readonly setUp: StageSetUp;
  readonly driver: SandboxDriver;
  readonly traits: SandboxTraits;
  readonly context: DriverContext;
  readonly slots: SlotPool;
  readonly #ready: ReadyListener;
  #count = 0;

  private constructor(setUp: StageSetUp, context: DriverContext, ready: ReadyListener) {
    this.setUp = setUp;
    this.driver = drivers[setUp.sandbox];
    this.traits = traitsOf(setUp.sandbox);
    this.context = context;
    this.slots = new SlotPool(setUp.scratchFolder);
    this.#ready = ready;
  }

  /** Finds the cgroups and listens for functions that are ready. */
  static async open(setUp: StageSetUp): Promise<Stage> {
    const { cgroupName, guestKernelFolder, imagesFolder, scratchFolder } = setUp;
    const cgroups = await Cgroups.open({ cgroupName });
    const context = {
      scratchFolder,
      imagesFolder,
      cgroups,
      ...(guestKernelFolder === undefined ? {} : { guestKernelFolder }),
    };
    return new Stage(setUp, context, await ReadyListener.open());
  }

  /** Listens no longer. */
  async close(): Promise<void> {
    await this.#ready.close();
  }

  /** Creates a sandbox in a slot and sees to it that both are given back. */
  async withActor<T>(functionRoot: FunctionRoot, use: (actor: Actor) => Promise<T>): Promise<T> {
    return this.withActors(1, functionRoot, async ([actor]) => {
      assert.ok(actor);
      return use(actor);
    });
  }

  /** The same for several at once. */
  async withActors<T>(
    count: number,
    functionRoot: FunctionRoot,
    use: (actors: Actor[]) => Promise<T>,
    context: DriverContext = this.context,
  ): Promise<T> {
    const slots = await this.slots.acquire(this.driver.slotKind, count);
    const actors: Actor[] = [];
    try {
      for (const slot of slots) actors.push(await this.#create(slot, functionRoot, context));
      return await use(actors);
    } finally {
      for (const { sandbox, slot } of actors) {
        this.#ready.forget(slot.address);
        assert.deepEqual((await sandbox.remove()).leftovers, []);
      }
      this.slots.release(slots);
    }
  }

  async #create(slot: Slot, functionRoot: FunctionRoot, context: DriverContext): Promise<Actor> {
    const ready = Promise.withResolvers<bigint>();
    const exit = Promise.withResolvers<string>();
    const phases = new Map<Phase, bigint>();
    this.#count += 1;
    const sandbox = await this.driver.create(
      context,
      { id: `c${this.#count}`, functionRoot, limits: LIMITS, slot, readyPort: READY_PORT },
      {
        onPhase: (phase, atMonoNs) => {
          assert.ok(!phases.has(phase), `${phase} was reported twice`);
          phases.set(phase, atMonoNs);
          // A sandbox that is restored can't call; its driver sees that it listens.
          if (phase === 'ready') ready.resolve(atMonoNs);
        },
        onExit: exit.resolve,
      },
    );
    this.#ready.expect(slot.address, ready.resolve);
    return { sandbox, slot, phases, ready: ready.promise, exit: exit.promise };
  }

  /** Looks at the surroundings. */
  look(): Surroundings {
    return {
      processes: readdirSync('/proc').filter((name) => /^\d+$/.test(name)),
      mounts: readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n'),
      interfaces: (
        JSON.parse(execFileSync('ip', ['-j', 'link']).toString()) as { ifname: string }[]
      ).map(({ ifname }) => ifname),
      cgroups: this.#cgroupFolders(),
      files: filesBelow(this.setUp.scratchFolder),
    };
  }

  #cgroupFolders(): string[] {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').matchAll(
      /^(?:\S+ ){4}(\S+).* - cgroup2? /gm,
    );
    return [...mounts].flatMap(([, mount = '']) =>
      filesBelow(join(mount, 'lockstep', this.setUp.cgroupName)).filter((path) =>
        statSync(path).isDirectory(),
      ),
    );
  }
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((path) => join(folder, path))
      .sort();
  } catch {
    return [];
  }
}

/** Waits for something that the sandbox must do, and tells its log if it does not. */
export async function awaitFrom<T>(actor: Actor, what: string, event: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`no ${what} within ${WAIT_MS} ms; log: ${actor.sandbox.logTail()}`));
  }, WAIT_MS);
  try {
    return await Promise.race([event, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until the function is ready; fails at once if the sandbox ends instead. */
export async function awaitReady(actor: Actor): Promise<bigint> {
  const exit = actor.exit.then((text) => {
    throw new Error(`the sandbox ended: ${text}; log: ${actor.sandbox.logTail()}`);
  });
  return awaitFrom(actor, 'ready call', Promise.race([actor.ready, exit]));
}

/** Calls the function. */
export async function call(
  actor: Actor,
  timeoutMs = 10_000,
): Promise<{ status: number; body: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const outgoing = request(
    {
      host: actor.slot.address,
      port: FUNCTION_PORT,
      path: '/hello',
      agent: false,
      timeout: timeoutMs,
    },
    (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body });
      });
    },
  );
  outgoing.on('timeout', () => outgoing.destroy(new Error('the call timed out')));
  outgoing.on('error', reject);
  outgoing.end();
  return promise;
}
