import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DriverContext } from '../../../../agent/sandboxes/driver.ts';
import { drivers } from '../../../../agent/sandboxes/registry.ts';
import { misbehaving } from '../../../../agent/selftest/misbehaving.ts';
import { awaitFrom, awaitReady, call } from '../../../../agent/selftest/stage.ts';
import type { Actor, Stage } from '../../../../agent/selftest/stage.ts';
import type { FakeHost } from './fake-host.ts';

/** What one scenario is played with. */
export interface Scene {
  readonly stage: Stage;
  readonly host: FakeHost;
  /** A context that nothing is known of yet. */
  readonly context: DriverContext;
}

const CONFIGURING = ['PUT /metrics', 'PUT /machine-config', 'PUT /boot-source'].concat([
  'PUT /drives/rootfs',
  'PUT /network-interfaces/eth0',
]);
const FLUSH = 'PUT /actions';

/** Plays with one started sandbox; all is removed and looked after at the end. */
async function withStarted(
  { stage, context }: Scene,
  use: (actor: Actor) => Promise<void>,
  functionRoot = stage.setUp.hello,
): Promise<void> {
  await stage.withActors(
    1,
    functionRoot,
    async ([actor]) => {
      actor!.sandbox.start();
      await use(actor!);
    },
    context,
  );
}

/** Waits for the end that must be reported, and returns it with the log. */
async function failureOf(scene: Scene): Promise<{ text: string; log: string; actor: Actor }> {
  const found: { text: string; log: string; actor: Actor }[] = [];
  await withStarted(scene, async (actor) => {
    const text = await awaitFrom(actor, 'end', actor.exit);
    // The log is whole when nothing of it runs any more.
    await actor.sandbox.remove();
    assert.deepEqual(actor.sandbox.processIds(), []);
    found.push({ text, log: actor.sandbox.logTail(), actor });
  });
  return found[0]!;
}

async function assertServes(actor: Actor): Promise<void> {
  await awaitReady(actor);
  assert.equal((await call(actor)).status, 200);
}

/** Each is played in the namespaces of a runner, with a fake that is its own process. */
export const SCENARIOS: Record<string, (scene: Scene) => Promise<void>> = {
  'boots from a configuration file, without a request in the timed part': async (scene) => {
    const { context, host, stage } = scene;
    const details = await stage.driver.detect(context);
    assert.equal(details['version'], '1.17.0');
    assert.equal(details['start'], 'config-file');
    assert.equal(details['jailer'], 'no');
    assert.equal(details['root'], 'ext4');
    assert.equal(details['kernel'], '6.6.6-fake');
    await host.behave({});
    await withStarted(scene, async (actor) => {
      await assertServes(actor);
      assert.deepEqual([...actor.phases.keys()], ['gateOpen', 'guestEntry', 'appMain']);
      assert.deepEqual(await host.requests(), []);
      const { vmm } = actor.sandbox.target();
      assert.equal(vmm?.vcpus, 1);
      const ids = actor.sandbox.processIds();
      const threads = ids.flatMap((id) =>
        readdirSync(`/proc/${id}/task`).map((task) =>
          readFileSync(`/proc/${id}/task/${task}/comm`, 'utf8').trim(),
        ),
      );
      assert.ok(threads.includes(`${vmm.vcpuThreadPrefix}0`), threads.join());
      assert.equal(readFileSync(vmm.metricsFile!, 'utf8'), '');
      let lines = 0;
      actor.sandbox.onBeforeRemoval(() => {
        lines = readFileSync(vmm.metricsFile!, 'utf8').trim().split('\n').length;
      });
      await actor.sandbox.remove();
      assert.equal(lines, 1, 'its metrics were not flushed before its end');
    });
    assert.deepEqual(await host.requests(), [FLUSH]);
    const [{ words = [] } = {}] = (await host.entries()).filter((entry) => entry.words);
    assert.ok(words.includes('--config-file') && !words.includes('--no-api'));
  },
  'is configured by requests in the order of the document': async (scene) => {
    const { context, host, stage } = scene;
    await host.behave({}, { START: 'api', VSOCK: '1' });
    const details = await stage.driver.detect(context);
    assert.equal(details['start'], 'api');
    assert.equal(details['vsock'], 'yes');
    await host.behave({}, { START: 'api', VSOCK: '1' });
    await withStarted(scene, async (actor) => {
      await assertServes(actor);
      assert.deepEqual(await host.requests(), [...CONFIGURING, 'PUT /vsock', 'PUT /actions']);
      const bodies = (await host.entries()).flatMap(({ body }) =>
        body === undefined ? [] : [JSON.parse(body) as Record<string, unknown>],
      );
      assert.deepEqual(bodies[1], { vcpu_count: 1, mem_size_mib: 256 });
      assert.equal(bodies[4]!['host_dev_name'], actor.slot.interfaceName);
      assert.equal(bodies[4]!['guest_mac'], actor.slot.macAddress);
      assert.match(String(bodies[2]!['boot_args']), / init=\/function -- --guest-address /);
      assert.equal(bodies[3]!['is_root_device'], true);
      assert.deepEqual(bodies[6], { action_type: 'InstanceStart' });
    });
  },
  'waits for a socket that comes late': async (scene) => {
    await scene.host.behave({ fault: { kind: 'late-socket', ms: 400 } }, { START: 'api' });
    await withStarted(scene, assertServes);
  },
  'reports a socket that never comes': async (scene) => {
    await scene.host.behave({ fault: { kind: 'no-socket' } }, { START: 'api' });
    const { text, log } = await failureOf(scene);
    assert.match(text, /^DEADLINE_EXCEEDED: Firecracker had no socket .* within 10000 ms/);
    assert.match(log, /lockstep: DEADLINE_EXCEEDED/);
  },
  'reports what Firecracker refuses, in its words': async (scene) => {
    const at = 'PUT /drives/rootfs';
    const refusal = 'Drive config error: Unable to create the virtio block device';
    await scene.host.behave({ fault: { kind: 'refuse', at, text: refusal } }, { START: 'api' });
    const { actor, text, log } = await failureOf(scene);
    assert.equal(text, `SANDBOX_FAILED: Firecracker answered ${at} with 400: ${refusal}`);
    assert.ok(log.includes(refusal));
    assert.deepEqual([...actor.phases.keys()], ['gateOpen']);
    assert.equal((await scene.host.requests()).at(-1), at, 'it went on after a refusal');
  },
  'reports a crash before the start of the guest': async (scene) => {
    const fault = { kind: 'crash', at: 'PUT /boot-source', exitCode: 148 } as const;
    await scene.host.behave({ fault }, { START: 'api' });
    const { text, log } = await failureOf(scene);
    assert.match(text, /^exit code 148; SANDBOX_FAILED: .* during PUT \/boot-source/);
    assert.match(log, /Firecracker exiting with error/);
  },
  'reports a crash while the guest runs': async (scene) => {
    await scene.host.behave({ fault: { kind: 'crash-running', ms: 700, exitCode: 149 } });
    const { text, log } = await failureOf(scene);
    assert.equal(text, 'exit code 149');
    assert.match(log, /lockstep:main[^]*Firecracker exiting with error/);
  },
  'reports a configuration that is not taken': async (scene) => {
    await withStarted(scene, async (actor) => {
      await actor.sandbox.kill();
    });
    await scene.host.behave({ fault: { kind: 'no-kvm' } });
    const { text, log } = await failureOf(scene);
    assert.equal(text, 'exit code 152');
    assert.match(log, /Kvm error/);
  },
  'reports a guest that halted, which does not end Firecracker': async (scene) => {
    const { hello } = scene.stage.setUp;
    const entry = [...hello.manifest.entry, '--no-such-flag'];
    await withStarted(
      scene,
      async (actor) => {
        assert.equal(await awaitFrom(actor, 'end', actor.exit), 'the guest halted');
        assert.match(actor.sandbox.logTail(), /no-such-flag[^]*reboot: System halted/);
      },
      { ...hello, manifest: { ...hello.manifest, entry } },
    );
  },
  'reports a guest whose first program ended': async (scene) => {
    const crash = misbehaving(scene.stage.setUp.misbehaveFolder, 'crash-before-ready');
    await withStarted(
      scene,
      async (actor) => {
        assert.equal(await awaitFrom(actor, 'end', actor.exit), 'exit code 0');
        assert.match(actor.sandbox.logTail(), /it crashes before it is ready/);
        assert.ok(actor.phases.has('appMain'));
      },
      crash,
    );
  },
  'saves a guest and loads it into a new Firecracker': async (scene) => {
    const { host } = scene;
    const driver = drivers['firecracker-restored'];
    assert.equal((await driver.detect(scene.context))['start'], 'snapshot-load');
    await host.behave({}, { VSOCK: '1' });
    const [slot] = await scene.stage.slots.acquire('tap', 1);
    let ready: bigint | undefined;
    const sandbox = await driver.create(
      scene.context,
      {
        ...{ id: 'r0', functionRoot: scene.stage.setUp.hello, slot: slot!, readyPort: 3000 },
        limits: { memoryMib: 256, cpus: 3 },
      },
      {
        onPhase: (phase, atMonoNs) => {
          if (phase === 'ready') ready = atMonoNs;
        },
        onExit: (text) => {
          assert.fail(text);
        },
      },
    );
    const saving = ['PATCH /vm', 'PUT /snapshot/create', FLUSH];
    assert.deepEqual(await host.requests(), saving);
    assert.equal(sandbox.target().vmm?.vcpus, 4, 'an odd number of vCPUs is none');
    const startedAt = sandbox.start();
    const deadline = performance.now() + 20_000;
    while (ready === undefined && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.ok(ready !== undefined && ready > startedAt, sandbox.logTail());
    assert.deepEqual(await host.requests(), [...saving, 'PUT /snapshot/load']);
    const entries = await host.entries();
    const load = JSON.parse(entries.findLast((entry) => entry.body !== undefined)!.body!) as object;
    assert.deepEqual(load, {
      snapshot_path: join(scene.context.scratchFolder, 'r0.state'),
      mem_backend: {
        backend_type: 'File',
        backend_path: join(scene.context.scratchFolder, 'r0.memory'),
      },
      resume_vm: true,
      network_overrides: [{ iface_id: 'eth0', host_dev_name: slot!.interfaceName }],
    });
    const [maker, loader] = entries.flatMap(({ words }) => (words === undefined ? [] : [words]));
    assert.ok(maker!.includes('--config-file') && !loader!.includes('--config-file'));
    assert.deepEqual((await sandbox.remove()).leftovers, []);
    scene.stage.slots.release([slot!]);
  },
  'tells of a snapshot that can not be made, and leaves nothing of it': async (scene) => {
    const { context, host, stage } = scene;
    const at = 'PUT /snapshot/create';
    await host.behave({ fault: { kind: 'refuse', at, text: 'no room' } });
    const [slot] = await stage.slots.acquire('tap', 1);
    await assert.rejects(
      drivers['firecracker-restored'].create(
        context,
        {
          ...{ id: 'r1', functionRoot: stage.setUp.hello, slot: slot!, readyPort: 3000 },
          limits: { memoryMib: 256, cpus: 1 },
        },
        { onPhase: () => undefined, onExit: () => undefined },
      ),
      /SANDBOX_FAILED|could not be saved.*no room/,
    );
    stage.slots.release([slot!]);
  },
  'runs in a jail, which goes with it': async (scene) => {
    const { context, host, stage } = scene;
    await host.behave({}, { JAILER: '1', VSOCK: '1', START: 'api' });
    assert.equal((await stage.driver.detect(context))['jailer'], 'yes');
    await withStarted(scene, async (actor) => {
      await assertServes(actor);
      const { jailer = [] } = (await host.entries()).find((entry) => entry.jailer)!;
      const option = (name: string) => jailer[jailer.indexOf(name) + 1]!;
      const id = option('--id');
      assert.equal(option('--exec-file'), process.env['LOCKSTEP_FIRECRACKER']);
      assert.equal(option('--uid'), String(1_900_000_000 + actor.slot.index));
      assert.equal(option('--uid'), option('--gid'));
      const base = option('--chroot-base-dir');
      assert.ok(existsSync(join(base, 'firecracker', id, 'root', 'dev', 'kvm')));
      const parent = option('--parent-cgroup');
      const own = stage.context.cgroups.ociPath(id)!.slice(1);
      assert.equal(stage.context.cgroups.mode === 'v1' ? join(parent, id) : parent, own);
      assert.deepEqual(jailer.slice(jailer.indexOf('--') + 1, jailer.indexOf('--') + 3), [
        ...['--api-sock', '/api'],
      ]);
      await actor.sandbox.remove();
      assert.ok(!existsSync(base), 'the jail is still there');
    });
  },
  'loads what was saved in a jail as well': async (scene) => {
    const { context, host, stage } = scene;
    await host.behave({}, { JAILER: '1', VSOCK: '1' });
    const [slot] = await stage.slots.acquire('tap', 1);
    const ready = Promise.withResolvers<undefined>();
    const sandbox = await drivers['firecracker-restored'].create(
      context,
      {
        ...{ id: 'r2', functionRoot: stage.setUp.hello, slot: slot!, readyPort: 3000 },
        limits: { memoryMib: 256, cpus: 1 },
      },
      {
        onPhase: (phase) => {
          if (phase === 'ready') ready.resolve(undefined);
        },
        onExit: (text) => {
          ready.reject(new Error(text));
        },
      },
    );
    sandbox.start();
    await ready.promise;
    const bodies = (await host.entries()).flatMap(({ body }) => body ?? []);
    const load = JSON.parse(bodies.at(-1)!) as Record<string, unknown>;
    assert.deepEqual(load['vsock_override'], { uds_path: '/vsock' });
    assert.deepEqual((await sandbox.remove()).leftovers, []);
    stage.slots.release([slot!]);
  },
  'gives the published kernel what it needs before its disk': async (scene) => {
    const { context, host, stage } = scene;
    const published = join(stage.setUp.guestKernelFolder ?? '', 'vmlinux');
    if (!existsSync(published)) return;
    delete process.env['LOCKSTEP_GUEST_VMLINUX'];
    await host.behave({}, { START: 'api' });
    const details = await stage.driver.detect(context);
    assert.equal(details['kernel-form'], 'modular');
    await host.behave({}, { START: 'api' });
    await withStarted(scene, async (actor) => {
      await assertServes(actor);
      const bodies = (await host.entries()).flatMap(({ body }) => body ?? []);
      const source = JSON.parse(bodies[2]!) as Record<string, string>;
      assert.equal(source['kernel_image_path'], published);
      assert.ok(existsSync(source['initrd_path']!));
      assert.match(source['boot_args']!, / rdinit=\/function -- --guest-address /);
      assert.equal(/"is_root_device":false/.test(bodies[3]!), details['root'] === 'ext4');
    });
  },
  'says all that a host lacks at once, and what to do': async (scene) => {
    const { context, host, stage } = scene;
    const program = process.env['LOCKSTEP_FIRECRACKER'];
    process.env['LOCKSTEP_FIRECRACKER'] = join(host.folder, 'absent');
    process.env['LOCKSTEP_GUEST_VMLINUX'] = program;
    await assert.rejects(stage.driver.detect(context), (error: Error & { hint?: string }) => {
      assert.match(
        error.message,
        /^this host can't run firecracker: Firecracker is not there: .*absent; /,
      );
      assert.match(error.message, /; .*firecracker has no version of Linux in it/);
      assert.match(error.hint ?? '', /LOCKSTEP_FIRECRACKER.*; .*LOCKSTEP_GUEST_VMLINUX/);
      return true;
    });
    process.env['LOCKSTEP_FIRECRACKER'] = program;
  },
  'says that KVM runs no guests, though it is there': async (scene) => {
    await scene.host.behave({ fault: { kind: 'no-kvm' } });
    await assert.rejects(
      scene.stage.driver.detect(scene.context),
      /can't run firecracker: KVM runs no guests here \(.*Kvm error/s,
    );
  },
  'refuses choices that there are not': async (scene) => {
    await scene.host.behave({}, { START: 'by-hand' });
    await assert.rejects(
      scene.stage.driver.detect(scene.context),
      /LOCKSTEP_FIRECRACKER_START is 'by-hand'/,
    );
  },
};
