import { z } from 'zod';
import { Architecture } from './artefact.ts';
import { kernelFacts, machineFacts } from './device-facts.ts';
import { protocolField } from './protocol.ts';
import { SandboxAvailability } from './sandbox.ts';
import { Identifier } from './units.ts';

const text = (description: string) => z.string().max(256).meta({ description });

/** What a device measured about itself. People can't set these; labels are for people. */
export const DeviceFacts = z
  .object({
    hostname: text('Name of the host.'),
    machineId: text(
      'Hash of the machine id, the same for all agents of one machine. Empty if there is none.',
    ),
    bootId: text('Boot id of the kernel.'),
    timeNamespace: text('Inode of the time namespace, whose CLOCK_MONOTONIC the agent uses.'),
    architecture: Architecture,
    model: text('Model of the machine. Empty if unknown.'),
    cpuModel: text('Model of the processor. Empty if unknown.'),
    cpuCount: z.int().min(1).meta({ description: 'Processors online.' }),
    memoryBytes: z.int().min(0).meta({ description: 'Memory, bytes.' }),
    kernel: text('Kernel release.'),
    os: text('Name and version of the operating system.'),
    cgroup: z.enum(['v1', 'v2', 'none']).meta({
      description: 'Where the memory controller lives; none if the agent cannot use any.',
    }),
    isRoot: z.boolean().meta({ description: 'True if the agent runs as root.' }),
    ...kernelFacts,
    ...machineFacts,
  })
  .meta({ description: 'Measured facts of a device.' });
export type DeviceFacts = z.output<typeof DeviceFacts>;

/** A device's word that it lives, sent at start, on change and every few seconds. */
export const Presence = z.object({
  ...protocolField,
  deviceId: Identifier,
  agentVersion: text('Version of the agent.'),
  startedAtUtcMs: z.int().meta({ description: 'Start of the agent, ms since 1970.' }),
  state: z.enum(['probing', 'idle', 'busy', 'leaving']).meta({
    description: 'probing: finds out what it can run. leaving: it stops and takes no run.',
  }),
  runId: Identifier.optional().meta({ description: 'The run that it serves. Absent if none.' }),
  labels: z.record(Identifier, z.string().max(128)).meta({ description: 'Set by people.' }),
  facts: DeviceFacts,
  sandboxes: z.array(SandboxAvailability).max(32),
});
export type Presence = z.output<typeof Presence>;

/** A device as the registry knows it. */
export const Device = z.object({
  ...protocolField,
  presence: Presence,
  lastSeenAtUtcMs: z.int().meta({ description: 'Last presence, ms since 1970, coordinator.' }),
});
export type Device = z.output<typeof Device>;
