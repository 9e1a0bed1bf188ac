import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SandboxLimits } from '../../schemas/sandbox.ts';
import type { Cgroups } from './cgroup.ts';
import { PROCESSES_MAX } from './cgroup-layout.ts';
import { DAEMON_FOLDER } from './daemon-process.ts';
import type { DaemonFile, DaemonProcess } from './daemon-process.ts';
import { OPEN_FILES_LIMIT } from './inheritance.ts';

const PLACES_FOLDER = `${DAEMON_FOLDER}/places`;

/** Values of a container's config.json that its daemon can't be asked for, as JSON by name. */
export interface Amendments {
  /** Where its cgroup is. */
  readonly cgroupsPath: string;
  /** File of the network namespace to join. */
  readonly network?: string;
  readonly hostname?: string;
  readonly rlimits?: readonly { type: string; soft: number; hard: number }[];
  readonly capabilities?: Readonly<Record<string, readonly string[]>>;
  readonly pids?: { readonly limit: number };
  readonly memory?: { readonly limit: number; readonly swap?: number };
}

/** What `ctr` has no option for, as the other kinds have it. */
export function equalAmendments(
  id: string,
  limits: SandboxLimits,
  cgroups: Pick<Cgroups, 'limitsSwap'>,
): Omit<Amendments, 'cgroupsPath'> {
  const memoryBytes = limits.memoryMib * 1024 * 1024;
  return {
    hostname: id,
    rlimits: [{ type: 'RLIMIT_NOFILE', ...OPEN_FILES_LIMIT }],
    capabilities: { bounding: [], effective: [], inheritable: [], permitted: [] },
    pids: { limit: PROCESSES_MAX },
    memory: { limit: memoryBytes, ...(cgroups.limitsSwap ? { swap: memoryBytes } : {}) },
  };
}

// Quotation marks within a JSON text are escaped, so a name with its colon is never a value. Each
// value must be found once, or nothing is started: a container in the network of the daemon, or
// without its limits, would be another measurement. A daemon sets another oom score for what it
// starts, which not every runtime sets back.
const RUNTIME_SCRIPT = `#!/usr/bin/perl
use strict;
use warnings;
my @runtime = (RUNTIME);
sub read_all {
  my ($path) = @_;
  open(my $file, '<', $path) or die "$path: $!\\n";
  local $/ = undef;
  return scalar <$file>;
}
sub amend {
  my ($path) = @_;
  my $config = read_all($path);
  my ($place) = $config =~ /"hostname"\\s*:\\s*"([A-Za-z0-9_.-]+)"/;
  $place = $ARGV[-1] unless defined $place;
  my %patterns = (
    cgroupsPath => '"cgroupsPath"\\s*:\\s*"[^"]*"',
    network => '\\{\\s*"type"\\s*:\\s*"network"[^}]*\\}',
    rlimits => '"rlimits"\\s*:\\s*\\[[^\\]]*\\]',
    capabilities => '"capabilities"\\s*:\\s*\\{[^}]*\\}',
    memory => '"memory"\\s*:\\s*\\{[^}]*\\}',
    pids => '"pids"\\s*:\\s*\\{[^}]*\\}',
    hostname => '"hostname"\\s*:\\s*"[^"]*"',
  );
  my %parents = (
    pids => '"resources"\\s*:\\s*\\{',
    rlimits => '"process"\\s*:\\s*\\{',
    hostname => '\\A\\s*\\{',
  );
  for my $line (split /\\n/, read_all("PLACES/$place")) {
    my ($name, $value) = split / /, $line, 2;
    my $text = $name eq 'network'
      ? "{\\"type\\":\\"network\\",\\"path\\":$value}"
      : "\\"$name\\":$value";
    next if $config =~ s/$patterns{$name}/$text/;
    my $parent = $parents{$name};
    die "no $name in $path\\n" unless defined $parent && $config =~ s/($parent)/$1$text,/;
  }
  open(my $file, '>', $path) or die "$path: $!\\n";
  print $file $config or die "$path: $!\\n";
  close($file) or die "$path: $!\\n";
}
if (grep { $_ eq 'create' } @ARGV) {
  my ($at) = grep { $ARGV[$_] =~ /^(?:--bundle|-b)$/ } 0 .. $#ARGV - 1;
  die "no bundle to create a container from\\n" unless defined $at;
  amend("$ARGV[$at + 1]/config.json");
}
if (open(my $own, '>', '/proc/self/oom_score_adj')) {
  print $own '0';
  close $own;
}
exec { $runtime[0] } @runtime, @ARGV or die "$runtime[0]: $!\\n";
`;

/** Where the runtime of that name is, inside of the daemon's mount namespace. */
export function runtimePath(name: string): string {
  return `${DAEMON_FOLDER}/runtimes/${name}`;
}

/**
 * The runtime that a daemon calls: it puts the cgroup and the network of a sandbox into the
 * container's configuration and becomes the real runtime. It stands in a file of that name.
 *
 * @param command the real runtime and its global options.
 */
export function runtimeFile(name: string, command: readonly string[]): DaemonFile {
  const words = command.map((word) => `'${word.replaceAll(/['\\]/g, String.raw`\$&`)}'`);
  const text = RUNTIME_SCRIPT.replace('RUNTIME', () => words.join(', ')).replace(
    'PLACES',
    PLACES_FOLDER,
  );
  return { path: runtimePath(name), text, isExecutable: true };
}

/** The text by which {@link runtimeFile} finds the amendments of a sandbox. */
export function placeText(amendments: Amendments): string {
  return Object.entries(amendments)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    .join('\n');
}

/** Tells the runtimes of a daemon what a container of that host name has. */
export async function writePlace(
  daemon: DaemonProcess,
  id: string,
  amendments: Amendments,
): Promise<void> {
  const folder = daemon.inside(PLACES_FOLDER);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, id), placeText(amendments));
}

/** Takes it back; a container of that name can't be made any more. */
export async function removePlace(daemon: DaemonProcess, id: string): Promise<void> {
  await rm(join(daemon.inside(PLACES_FOLDER), id), { force: true });
}
