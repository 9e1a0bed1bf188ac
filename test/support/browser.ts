import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];
const CALL_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 5_000;

/** The browser for checks of pages. Undefined if this machine has none. */
export function findBrowser(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin'];
  return folders
    .flatMap((folder) => PROGRAMS.map((name) => join(folder, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** How a page is shown. */
export interface View {
  /** Columns of the window, CSS pixels. */
  readonly width: number;
  readonly scheme: 'light' | 'dark';
  /** Default: a screen. */
  readonly media?: 'screen' | 'print';
}

/**
 * A headless Chromium with one page, steered by its own protocol over two pipes
 * (https://chromedevtools.github.io/devtools-protocol/), so that it needs no package and no port.
 */
export class Browser {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #input: Writable;
  #sessionId: string | undefined;
  #lastId = 0;
  #rest = '';
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #events = new Map<string, () => void>();

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.#input = child.stdio[3] as Writable;
    const output = child.stdio[4] as Readable;
    output.setEncoding('utf8');
    output.on('data', (text: string) => {
      this.#read(text);
    });
    // A browser that dies closes the pipes; the calls that wait then reach their deadline.
    this.#input.on('error', () => {});
  }

  /** Starts one; the caller must end it. */
  static async start(program: string): Promise<Browser> {
    const folder = await mkdtemp(join(tmpdir(), 'lockstep-browser-'));
    const words = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--no-first-run',
      '--hide-scrollbars',
      `--user-data-dir=${folder}`,
      '--remote-debugging-pipe',
      'about:blank',
    ];
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const;
    const browser = new Browser(spawn(program, words, { stdio: [...stdio] }), folder);
    try {
      const target = await browser.#call('Target.createTarget', { url: 'about:blank' });
      const flat = { targetId: target['targetId'], flatten: true };
      const session = await browser.#call('Target.attachToTarget', flat);
      browser.#sessionId = String(session['sessionId']);
      await browser.#call('Page.enable');
      // The page forbids scripts; the checks are scripts.
      await browser.#call('Page.setBypassCSP', { enabled: true });
    } catch (error) {
      await browser.end();
      throw error;
    }
    return browser;
  }

  /** Opens a page and waits until it is loaded. */
  async open(url: string, { width, scheme, media = 'screen' }: View): Promise<void> {
    await this.#call('Emulation.setDeviceMetricsOverride', {
      width,
      height: 900,
      deviceScaleFactor: 1,
      mobile: false,
    });
    await this.#call('Emulation.setEmulatedMedia', {
      media,
      features: [{ name: 'prefers-color-scheme', value: scheme }],
    });
    const loaded = this.#event('Page.loadEventFired');
    await this.#call('Page.navigate', { url });
    await loaded;
  }

  /** The value of an expression in the page; promises are waited for. */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.#call('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (answer['exceptionDetails'] !== undefined) {
      throw new Error(`the page threw: ${JSON.stringify(answer['exceptionDetails'])}`);
    }
    return (answer['result'] as { value: T }).value;
  }

  /** A part of the page as an image, PNG; all of it by default. */
  async screenshot(part: { top?: number; height?: number } = {}): Promise<Buffer> {
    const { cssContentSize: size } = (await this.#call('Page.getLayoutMetrics')) as {
      cssContentSize: { width: number; height: number };
    };
    const { top = 0, height = size.height } = part;
    const clip = { x: 0, y: top, width: size.width, height, scale: 1 };
    const options = { format: 'png', captureBeyondViewport: true, clip };
    const answer = await this.#call('Page.captureScreenshot', options);
    return Buffer.from(String(answer['data']), 'base64');
  }

  /** The page on paper, A4, as PDF. */
  async pdf(): Promise<Buffer> {
    const answer = await this.#call('Page.printToPDF', {
      paperWidth: 8.27,
      paperHeight: 11.69,
      printBackground: false,
    });
    return Buffer.from(String(answer['data']), 'base64');
  }

  /** Ends the browser and removes what it left. */
  async end(): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      if (this.#child.exitCode !== null) resolve();
      this.#child.once('exit', () => {
        resolve();
      });
    });
    this.#send('Browser.close', {}, undefined);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = this.#send(method, params, this.#sessionId);
    const answer = await within<Answer>(method, (resolve) => {
      this.#waiting.set(id, resolve);
    });
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result ?? {};
  }

  #event(method: string): Promise<undefined> {
    return within(method, (resolve) => {
      this.#events.set(method, () => {
        resolve(undefined);
      });
    });
  }

  #send(method: string, params: object, sessionId: string | undefined): number {
    const id = ++this.#lastId;
    const session = sessionId === undefined ? {} : { sessionId };
    this.#input.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return id;
  }

  #read(text: string): void {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop() ?? '';
    for (const message of messages) {
      const answer = JSON.parse(message) as Answer;
      if (answer.id === undefined) this.#events.get(answer.method ?? '')?.();
      else this.#waiting.get(answer.id)?.(answer);
    }
  }
}

async function within<T>(what: string, begin: (resolve: (value: T) => void) => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`the browser did not answer ${what} within ${CALL_TIMEOUT_MS} ms`));
      }, CALL_TIMEOUT_MS);
      begin(resolve);
    });
  } finally {
    clearTimeout(timer);
  }
}
