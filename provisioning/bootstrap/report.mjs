/**
 * Collects what the set-up did and what is missing. Lines go to standard error at once, so that
 * what a command prints to standard output stays clean.
 */
export class Report {
  #write;
  /** @type {{name: string, why: string, remedy: string}[]} */
  missing = [];

  /** @param {(text: string) => unknown} write */
  constructor(write = (text) => process.stderr.write(text)) {
    this.#write = write;
  }

  /** One line about something that was done or begins. */
  say(text) {
    this.#write(`setup: ${text}\n`);
  }

  /** Runs a step and says how long it took; a step that returns undefined did nothing. */
  async time(run) {
    const startedAtMs = performance.now();
    const what = await run();
    if (typeof what === 'string') {
      this.say(`${what} (${((performance.now() - startedAtMs) / 1000).toFixed(1)} s)`);
    }
  }

  /** Something that is not there: why that matters and the one command that would add it. */
  miss(name, why, remedy) {
    this.missing.push({ name, why, remedy });
  }

  /** Says what is missing, with the remedies. */
  sayMissing() {
    for (const { name, why, remedy } of this.missing) {
      this.say(`${name}: missing. ${why}`);
      this.say(`  to add it: ${remedy}`);
    }
  }
}

/** A failure without which nothing works: the message says what, the remedy what to do. */
export class SetupError extends Error {
  constructor(message, remedy) {
    super(message);
    this.name = 'SetupError';
    this.remedy = remedy;
  }
}
