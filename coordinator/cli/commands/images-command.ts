import { Option } from 'commander';
import type { Command } from 'commander';
import type { Work } from '../session.ts';
import type { ImagesBuildOptions } from './images.ts';

/** Adds `images build|list|verify` to the program. */
export function addImagesCommand(
  program: Command,
  execute: (load: () => Promise<Work>) => Promise<void>,
): void {
  const images = program
    .command('images')
    .description('images of functions, and the kernels and programs that kinds of sandbox need');
  images
    .command('list')
    .description('say what each kind of sandbox needs, what of it is here, and how to get it')
    .argument('[kinds...]', 'kinds of sandbox (default: all)')
    .option('--json', 'as JSON')
    .action((kinds: string[], options: { json?: boolean }) =>
      execute(async () => (await import('./images.ts')).imagesList(kinds, options)),
    );
  images
    .command('build')
    .description('make the images of functions, and put what was supplied on record')
    .argument('[kinds...]', 'kinds of sandbox (default: all)')
    .option('--function <names>', 'functions, separated by commas', 'hello-go')
    .addOption(
      new Option('--architecture <name>', 'processor that they are for')
        .choices(['own', 'x64', 'arm64', 'all'])
        .default('own'),
    )
    .option('--download', 'download releases of kernels and programs that are missing')
    .option('--json', 'as JSON')
    .action((kinds: string[], options: ImagesBuildOptions) =>
      execute(async () => (await import('./images.ts')).imagesBuild(kinds, options)),
    );
  images
    .command('verify')
    .description('read all of them again and compare the digests')
    .option('--json', 'as JSON')
    .action((options: { json?: boolean }) =>
      execute(async () => (await import('./images.ts')).imagesVerify(options)),
    );
}
