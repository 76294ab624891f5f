/** The command line: `node dist/train.js <command>`; without a command it runs the main job. */
import { Command, CommanderError } from 'commander'
import type { z } from 'zod'
import { addSchemaOptions, resolveOptions } from './cli/schemaOptions.js'
import { describeError, UserError } from './errors.js'
import { evaluateSchema, finetuneSchema, pretrainSchema, probeSchema, quickstartSchema } from './options.js'
import { finetuneRecipes, pretrainRecipes } from './recipes.js'

type Recipes = Record<string, Record<string, unknown>>
type Action<S extends z.ZodObject> = (options: z.output<S>) => Promise<number>

interface CommandSpec<S extends z.ZodObject> {
  readonly name: string
  readonly description: string
  readonly schema: S
  readonly recipes?: { readonly all: Recipes; readonly fallback: string }
  /** Loads the command's code when it runs, so that `--help` needs no device and no decoder. */
  readonly load: () => Promise<Action<S>>
  readonly isDefault?: boolean
}

const program = new Command('train')
  .description('FMAE and identity adversarial training (arXiv 2407.11243) on WebGPU')
  .showHelpAfterError('(--help lists the options)')
  .exitOverride()

function addCommand<S extends z.ZodObject>(spec: CommandSpec<S>): void {
  const command = program
    .command(spec.name, { isDefault: spec.isDefault ?? false })
    .description(spec.description)
  command.option('--config <file>', 'JSON file of options; flags win over it')
  if (spec.recipes) {
    const { all, fallback } = spec.recipes
    command.option('--recipe <name>', `defaults to start from: ${Object.keys(all).join(', ')}`, fallback)
  }
  addSchemaOptions(command, spec.schema).action(async (flags: Record<string, unknown>) => {
    const options = resolveOptions(spec.schema, recipeOf(spec, flags), flags)
    process.exitCode = await (await spec.load())(options)
  })
}

function recipeOf<S extends z.ZodObject>(
  spec: CommandSpec<S>,
  flags: Record<string, unknown>,
): Record<string, unknown> {
  if (!spec.recipes) return {}
  const recipe = spec.recipes.all[String(flags.recipe)]
  if (recipe) return recipe
  throw new UserError(`--recipe ${flags.recipe}: expected one of ${Object.keys(spec.recipes.all).join(', ')}`)
}

addCommand({
  name: 'quickstart',
  description:
    'the main job: pretrain FMAE on the bundled faces, fine-tune it with and without IAT, write a report',
  schema: quickstartSchema,
  isDefault: true,
  load: async () => (await import('./commands/quickstart.js')).quickstart,
})
addCommand({
  name: 'pretrain',
  description: 'train FMAE, a masked autoencoder, on face pictures; no labels are needed',
  schema: pretrainSchema,
  recipes: { all: pretrainRecipes, fallback: 'nano' },
  load: async () => (await import('./commands/pretrain.js')).pretrain,
})
addCommand({
  name: 'finetune',
  description:
    'train an AU classifier from an FMAE checkpoint or from scratch; with --lambda adversarially to identity',
  schema: finetuneSchema,
  recipes: { all: finetuneRecipes, fallback: 'nano' },
  load: async () => (await import('./commands/finetune.js')).finetune,
})
addCommand({
  name: 'evaluate',
  description: 'F1 and ROC-AUC per AU of a fine-tuned classifier on labelled pictures',
  schema: evaluateSchema,
  load: async () => (await import('./commands/evaluate.js')).evaluate,
})
addCommand({
  name: 'probe',
  description: 'how well a linear probe tells people apart by the features of a checkpoint',
  schema: probeSchema,
  load: async () => (await import('./commands/probe.js')).probe,
})
program
  .command('verify')
  .description(
    'prove the numbers on this adapter: every op and the golden fixtures, or golden files of your own',
  )
  .argument(
    '[files...]',
    'safetensors files with weights, inputs and expected outputs (see docs/file-formats.md)',
  )
  .option('--tolerance <number>', 'largest relative error', Number, 1e-4)
  .action(async (files: string[], options: { tolerance: number }) => {
    if (!(options.tolerance > 0)) throw new UserError('--tolerance: expected a number above 0')
    process.exitCode = await (await import('./commands/verify.js')).verify(files, options)
  })
program
  .command('doctor')
  .description('what this machine offers, and what would mend what is missing')
  .action(async () => {
    process.exitCode = await (await import('./commands/doctor.js')).doctor()
  })

try {
  await program.parseAsync()
} catch (error) {
  // commander has printed its own errors (and help) already.
  if (error instanceof CommanderError) process.exitCode = error.exitCode
  else {
    console.error(`error: ${describeError(error)}`)
    process.exitCode = 1
  }
}
// Dawn's device would keep the process alive.
process.exit()
