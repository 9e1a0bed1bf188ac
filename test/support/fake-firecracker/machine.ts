import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  accessSync,
  appendFileSync,
  existsSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { readFromImage, readFromInitramfs } from './guest-files.ts';
import { NOT_AFTER, NOT_BEFORE, Refusal } from './refusal.ts';

type Body = Record<string, unknown>;

/** What a machine was configured with, by the names of the configuration file. */
export interface Configuration {
  'machine-config'?: Body;
  'boot-source'?: Body;
  drives: Body[];
  'network-interfaces': Body[];
  vsock?: Body;
}

/** What a machine tells about itself. */
export interface MachineEvents {
  /** The guest ended: it halted, or its first program ended. */
  onGuestEnd(how: 'halted' | 'panicked'): void;
}

const SNAPSHOT_MAGIC = 'fake snapshot 1';
const MEMORY_BYTES = 64 * 1024;
const BOOTED = ['PUT machine-config', 'PUT boot-source', 'PUT drives', 'PUT network-interfaces'];

/** The state of the faked microVM and what each request does to it. Refuses as Firecracker does. */
export class FakeMachine {
  state: 'Not started' | 'Running' | 'Paused' = 'Not started';
  readonly #root: string;
  readonly #guestProgram: string | undefined;
  readonly #events: MachineEvents;
  #configuration: Configuration = { drives: [], 'network-interfaces': [] };
  #hasBootResources = false;
  #metricsFile: string | undefined;
  #guest: ChildProcess | undefined;

  /** @param root put before every path that it is told, as a jail does. */
  constructor(root: string, guestProgram: string | undefined, events: MachineEvents) {
    this.#root = root;
    this.#guestProgram = guestProgram;
    this.#events = events;
  }

  /** Carries out a request whose body has the right form. */
  apply(name: string, body: Body): void {
    const isBoot = [...BOOTED, 'PUT vsock'].includes(name);
    if (this.state === 'Not started') {
      if (['PATCH vm', 'PUT snapshot/create'].includes(name)) throw new Refusal(NOT_BEFORE);
      if (isBoot) this.#hasBootResources = true;
    } else if (isBoot || ['PUT logger', 'PUT metrics', 'PUT snapshot/load'].includes(name)) {
      throw new Refusal(NOT_AFTER);
    }
    STEPS[name]?.(this, body);
  }

  /** Takes the whole file of --config-file. */
  configure(file: Body): void {
    const named: Record<string, string> = { drives: 'drive_id', 'network-interfaces': 'iface_id' };
    for (const [key, value] of Object.entries(file)) {
      const all = named[key] === undefined ? [value as Body] : (value as Body[]);
      for (const one of all) this.apply(`PUT ${key}`, one);
    }
    this.start();
  }

  setMetrics(path: string): void {
    if (this.#metricsFile !== undefined) {
      throw new Refusal('Metrics error: the metrics system is initialised already');
    }
    writeFileSync(this.#at(path), '', { flag: 'a' });
    this.#metricsFile = path;
  }

  setMachine(body: Body): void {
    const count = body['vcpu_count'] as number;
    if (count < 1 || count > 32 || (count > 1 && count % 2 === 1)) {
      throw new Refusal('Machine config error: The number of vCPUs must be 1 or an even number');
    }
    this.#configuration['machine-config'] = body;
  }

  setBootSource(body: Body): void {
    this.#assertThere(
      body['kernel_image_path'],
      'Boot source error: The kernel file cannot be opened',
    );
    if (body['initrd_path'] !== undefined) {
      this.#assertThere(body['initrd_path'], 'Boot source error: The initrd file cannot be opened');
    }
    this.#configuration['boot-source'] = body;
  }

  addDrive(body: Body): void {
    const { drives } = this.#configuration;
    if (body['is_root_device'] === true && drives.some((one) => one['is_root_device'] === true)) {
      throw new Refusal('Drive config error: A root block device already exists!');
    }
    this.#assertThere(
      body['path_on_host'],
      'Drive config error: Unable to create the block device',
    );
    drives.push(body);
  }

  addNetwork(body: Body): void {
    this.#assertTap(body['host_dev_name']);
    this.#configuration['network-interfaces'].push(body);
  }

  setVsock(body: Body): void {
    if ((body['guest_cid'] as number) < 3) throw new Refusal('Vsock config error: invalid CID');
    this.#configuration.vsock = body;
  }

  act({ action_type: type }: Body): void {
    if (type === 'InstanceStart') {
      if (this.state !== 'Not started') throw new Refusal(NOT_AFTER);
      this.start();
      return;
    }
    if (this.state === 'Not started') throw new Refusal(NOT_BEFORE);
    if (type === 'FlushMetrics') this.#flush();
  }

  setState({ state }: Body): void {
    this.state = state === 'Paused' ? 'Paused' : 'Running';
    this.#signal(state === 'Paused' ? 'SIGSTOP' : 'SIGCONT');
  }

  save(body: Body): void {
    if (this.state !== 'Paused') {
      throw new Refusal('Create snapshot error: Cannot save the microVM state: it is not paused');
    }
    const saved = { magic: SNAPSHOT_MAGIC, configuration: this.#configuration };
    writeFileSync(this.#at(body['snapshot_path']), JSON.stringify(saved));
    writeFileSync(this.#at(body['mem_file_path']), Buffer.alloc(MEMORY_BYTES, 1));
  }

  load(body: Body): void {
    if (this.#hasBootResources) {
      throw new Refusal(
        'Load snapshot error: Loading a microVM snapshot not allowed after configuring ' +
          'boot-specific resources.',
      );
    }
    const fail = (text: string): never => {
      throw new Refusal(`Load snapshot error: Failed to restore from snapshot: ${text}`, true);
    };
    const backend = body['mem_backend'] as Body | undefined;
    const memory = backend?.['backend_path'] ?? body['mem_file_path'];
    if ((backend === undefined) === (body['mem_file_path'] === undefined)) {
      throw new Refusal('either `mem_backend` or `mem_file_path` exclusively is required');
    }
    try {
      const text = readFileSync(this.#at(body['snapshot_path']), 'utf8');
      const saved = JSON.parse(text) as { magic: string; configuration: Configuration };
      if (saved.magic !== SNAPSHOT_MAGIC) fail('no snapshot');
      if (statSync(this.#at(memory)).size !== MEMORY_BYTES) fail('no memory of this guest');
      this.#configuration = saved.configuration;
      for (const drive of saved.configuration.drives) accessSync(this.#at(drive['path_on_host']));
    } catch (error) {
      if (error instanceof Refusal) throw error;
      fail((error as Error).message);
    }
    for (const override of (body['network_overrides'] ?? []) as Body[]) {
      const network = this.#configuration['network-interfaces'].find(
        (one) => one['iface_id'] === override['iface_id'],
      );
      if (network === undefined) return fail(`no interface ${String(override['iface_id'])}`);
      network['host_dev_name'] = override['host_dev_name'];
    }
    for (const one of this.#configuration['network-interfaces']) {
      this.#assertTap(one['host_dev_name']);
    }
    this.#run('restored');
    this.setState({ state: body['resume_vm'] === true ? 'Resumed' : 'Paused' });
  }

  /** Boots. A fake can't restore a guest, so after a load it boots it too. */
  start(): void {
    if (this.#configuration['boot-source'] === undefined) {
      throw new Refusal('Start microvm error: Cannot start microvm without kernel configuration.');
    }
    this.#run('booted');
    this.state = 'Running';
  }

  #run(how: 'booted' | 'restored'): void {
    const { drives } = this.#configuration;
    const boot = this.#configuration['boot-source'] ?? {};
    const [before = '', after = ''] = String(boot['boot_args']).split(' -- ');
    const init = /(?:^| )(?:rd)?init=(\S+)/.exec(before)?.[1] ?? '/sbin/init';
    if (init === '/probe') {
      process.stdout.write('lockstep:probe\n');
      this.#events.onGuestEnd('panicked');
      return;
    }
    const [network] = this.#configuration['network-interfaces'];
    if (this.#guestProgram === undefined || network === undefined) return;
    // What is first on an initial RAM file system beside a disk goes on to the same path there.
    const [disk] = drives;
    if (disk?.['is_root_device'] !== true) readFromInitramfs(this.#at(boot['initrd_path']), init);
    const program =
      disk === undefined
        ? readFromInitramfs(this.#at(boot['initrd_path']), init)
        : readFromImage(this.#at(disk['path_on_host']), init);
    const { guest_mac: address, host_dev_name: tap } = network;
    const guest = spawn(this.#guestProgram, [String(tap), String(address), ...after.split(' ')], {
      stdio: ['pipe', how === 'booted' ? 'inherit' : 'pipe', 'inherit'],
      detached: true,
    });
    guest.stdout?.setEncoding('utf8').on('data', (text: string) => {
      // A guest that goes on does not say again what it said before it was saved.
      process.stdout.write(text.replaceAll(/^lockstep:\w+\n/gm, ''));
    });
    guest.stdin?.on('error', () => undefined);
    guest.stdin?.end(program);
    // It ends by a code of its own if it was switched off.
    guest.once('exit', (code) => {
      this.#events.onGuestEnd(code === 10 ? 'halted' : 'panicked');
    });
    this.#guest = guest;
  }

  /** Ends the guest with the VMM. */
  end(): void {
    this.#signal('SIGKILL');
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#guest?.pid === undefined || this.#guest.exitCode !== null) return;
    try {
      process.kill(-this.#guest.pid, signal);
    } catch {
      // It has ended.
    }
  }

  #flush(): void {
    if (this.#metricsFile === undefined) throw new Refusal('Internal Vmm error: no metrics file');
    const line = { utc_timestamp_ms: Date.now(), vcpu: { exit_io_in: 7 } };
    appendFileSync(this.#at(this.#metricsFile), `${JSON.stringify(line)}\n`);
  }

  #at(path: unknown): string {
    return `${this.#root}${String(path)}`;
  }

  #assertThere(path: unknown, what: string): void {
    if (existsSync(this.#at(path))) return;
    throw new Refusal(`${what}: No such file or directory (os error 2)`);
  }

  #assertTap(name: unknown): void {
    const table = readFileSync('/proc/net/dev', 'utf8');
    if (new RegExp(`^\\s*${String(name)}:`, 'm').test(table)) return;
    throw new Refusal('Network config error: Cannot open/create the tap device');
  }
}

const STEPS: Record<string, (machine: FakeMachine, body: Body) => void> = {
  'PUT metrics': (machine, body) => {
    machine.setMetrics(String(body['metrics_path']));
  },
  'PUT machine-config': (machine, body) => {
    machine.setMachine(body);
  },
  'PUT boot-source': (machine, body) => {
    machine.setBootSource(body);
  },
  'PUT drives': (machine, body) => {
    machine.addDrive(body);
  },
  'PUT network-interfaces': (machine, body) => {
    machine.addNetwork(body);
  },
  'PUT vsock': (machine, body) => {
    machine.setVsock(body);
  },
  'PUT actions': (machine, body) => {
    machine.act(body);
  },
  'PATCH vm': (machine, body) => {
    machine.setState(body);
  },
  'PUT snapshot/create': (machine, body) => {
    machine.save(body);
  },
  'PUT snapshot/load': (machine, body) => {
    machine.load(body);
  },
};
