/** The command line: commander parses it and zod checks it; every error names its flag. */
import { Command, CommanderError } from 'commander'
import * as z from 'zod'

const integer = (low: number, high: number) =>
  z.coerce.number(`expected an integer from ${low} to ${high}`).int().min(low).max(high)

const schema = z.object({
  model: z.string().min(1),
  out: z.string().min(1),
  people: integer(3, 100_000),
  perPerson: integer(1, 10_000),
  extraPeople: integer(0, 1_000_000),
  size: integer(16, 512),
  aus: z.enum(['bp4d', 'disfa']),
  correlation: z
    .literal('none')
    .transform(() => null)
    .or(z.coerce.number('expected a number above 0, or none').positive()),
  seed: integer(0, 2 ** 32 - 1),
  quality: integer(1, 100),
})

/** Checked options; `correlation` is the Beta concentration or null for none. */
export type RenderOptions = z.infer<typeof schema>

/** A flag that cannot be used; the message names it. */
export class OptionError extends Error {
  override readonly name = 'OptionError'
}

const flagOf = (field: PropertyKey | undefined) =>
  `--${String(field).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

function command(): Command {
  return new Command('renderFaces')
    .description('Renders a set of faces with exact identity and action-unit labels, as WebDataset shards.')
    .requiredOption('--model <folder>', 'folder with ict-face.safetensors and facs.json')
    .requiredOption('--out <folder>', 'output folder; replaces shards and cards of an earlier set there')
    .option('--people <n>', 'labeled subjects, split into three folds', '168')
    .option('--per-person <n>', 'images per labeled subject', '24')
    .option('--extra-people <n>', 'additional subjects with one image each, for pretraining', '0')
    .option('--size <pixels>', 'size of the square images', '64')
    .option('--aus <set>', 'action units: bp4d or disfa', 'bp4d')
    .option(
      '--correlation <c>',
      'identity shortcut: AU rates of a subject are drawn from Beta(0.3c, 0.7c). Small c is strong, 4 is like BP4D, none sets all rates to 0.3',
      '4',
    )
    .option('--seed <n>', 'random seed; the same seed gives the same bytes on the same adapter', '0')
    .option('--quality <q>', 'JPEG quality', '85')
    .allowExcessArguments(false)
}

/** Options from `process.argv.slice(2)`. Throws `OptionError`; null after `--help`, which is printed. */
export function parseOptions(args: readonly string[]): RenderOptions | null {
  const program = command()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
  try {
    program.parse(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return null
    throw new OptionError(error.message.replace(/^error: /, ''))
  }
  const given = program.opts<Record<string, string>>()
  const result = schema.safeParse(given)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]
  throw new OptionError(`${flagOf(path[0])}: ${message}, got "${given[String(path[0])]}"`)
}
