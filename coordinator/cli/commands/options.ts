import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { SandboxName } from '../../../schemas/sandbox.ts';

/** Options that every command of a client has. */
export function withClientOptions(command: Command): Command {
  return command
    .option('--server <url>', 'NATS server of the coordinator')
    .option('--creds <file>', 'credential of a researcher, together with --server');
}

/** Checks a list of kinds of sandbox, and returns it as it is. */
export function sandboxNames(text: string): string {
  for (const name of text.split(',')) {
    if (SandboxName.safeParse(name).success) continue;
    throw new InvalidArgumentError(`'${name}' is none of ${SandboxName.options.join(', ')}.`);
  }
  return text;
}

/** Reads a whole number within limits. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Use a whole number from ${least} to ${most}.`);
  };
}

/** Reads a number greater than 0, up to a limit. */
export function positiveNumber(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= most) return value;
    throw new InvalidArgumentError(`Use a number above 0, up to ${most}.`);
  };
}
