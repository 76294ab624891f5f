/** The command line: `node dist/train.js <command>`; without a command it runs the main job. */
import { Command, CommanderError } from 'commander'
import type { z } from 'zod'
import { describeError, UserError } from '../errors.js'
import { fineTuneRecipes, pretrainRecipes } from '../train/recipes.js'
import { outliveReaders } from './closedOutput.js'
import { notices } from './notices.js'
import {
  evaluateOptions,
  fineTuneOptions,
  pretrainOptions,
  probeOptions,
  quickstartOptions,
} from './options.js'
import { addSchemaOptions, once, resolveOptions } from './schemaOptions.js'

type Recipes = Record<string, Record<string, unknown>>
type Action<S extends z.ZodObject> = (options: z.output<S>) => Promise<number>

interface CommandSpec<S extends z.ZodObject> {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** For the command's own `--help`, in words that need no paper. */
  readonly description: string
  readonly examples: readonly string[]
  readonly schema: S
  readonly recipes?: Recipes
  /** Loads the command's code when it runs, so that `--help` needs no device and no decoder. */
  readonly load: () => Promise<Action<S>>
  readonly isDefault?: boolean
}

const PROGRAM = 'node dist/train.js'

const program = new Command(PROGRAM)
  .description(
    'Learns from faces, on WebGPU. FMAE is a masked autoencoder: it learns from pictures without labels by filling in ' +
      'hidden patches. Fine-tuned, it detects action units (AUs, the muscle movements of FACS). IAT, identity ' +
      'adversarial training, fine-tunes it so that its features do not tell who it is. (arXiv 2407.11243)',
  )
  .addHelpText(
    'after',
    `\nWithout a command: quickstart. The options of a command: ${PROGRAM} <command> --help\nFMAE_ADAPTER=hardware|lavapipe|swiftshader accepts only that kind of WebGPU adapter.`,
  )
  .showHelpAfterError('(--help lists the options)')
  .exitOverride()

function addCommand<S extends z.ZodObject>(spec: CommandSpec<S>): void {
  const { schema, recipes } = spec
  const command = program
    .command(spec.name, { isDefault: spec.isDefault ?? false })
    .summary(spec.summary)
    .description(spec.description)
  single(command, '--config <file>', 'JSON file of options, such as {"batchSize": 32}; flags override it')
  if (recipes) {
    const names = Object.keys(recipes).join(' | ')
    single(command, '--recipe <name>', `named set of defaults (${names}; default nano, shown below)`)
  }
  addSchemaOptions(command, schema)
  const examples = spec.examples.map((example) => `  ${PROGRAM} ${spec.name} ${example}`.trimEnd())
  command.addHelpText('after', `\nExamples:\n${examples.join('\n')}`)
  command.action(async (flags: Record<string, unknown>) => {
    const recipe = String(flags.recipe ?? 'nano')
    const options = resolveOptions(schema, recipes ? recipeOf(recipes, recipe) : {}, flags)
    for (const notice of notices(options, recipe)) console.log(notice)
    process.exitCode = await (await spec.load())(options)
  })
}

/** An option that can be given once. */
function single(command: Command, flags: string, description: string): void {
  command.option(flags, description, once(flags.split(' ')[0]))
}

function recipeOf(recipes: Recipes, name: string): Record<string, unknown> {
  if (Object.hasOwn(recipes, name)) return recipes[name]
  throw new UserError(`--recipe: expected one of ${Object.keys(recipes).join(', ')}, got "${name}"`)
}

addCommand({
  name: 'quickstart',
  summary: 'the main job on the bundled faces, from pretraining to a report',
  description:
    'The main job on the bundled faces: pretrains FMAE, fine-tunes it for AUs from scratch, from FMAE and with IAT, ' +
    'measures AUs and identity on people never trained on, and writes report.html and report.json.',
  examples: ['', '--budget long --seed 1', '--resume'],
  schema: quickstartOptions,
  isDefault: true,
  load: async () => (await import('./commands/quickstart.js')).quickstart,
})
addCommand({
  name: 'pretrain',
  summary: 'train FMAE on face pictures; no labels are needed',
  description:
    'Trains FMAE, a masked autoencoder: most patches of a picture are hidden, and the network learns to fill them in. ' +
    'No labels are needed. Ctrl-C finishes the step and saves; --resume goes on.',
  examples: ['--data my-faces --out runs/fmae', '--data my-faces --out runs/fmae --resume'],
  schema: pretrainOptions,
  recipes: pretrainRecipes,
  load: async () => (await import('./commands/pretrain.js')).pretrain,
})
addCommand({
  name: 'finetune',
  summary: 'train an AU classifier from FMAE or from scratch; with --lambda by IAT',
  description:
    'Trains a classifier of action units (AUs) on labelled pictures, from an FMAE checkpoint (--from) or from scratch. ' +
    'People are dealt out to folds; one fold is tested on after every epoch and never trained on. With --lambda above ' +
    '0 an identity head learns who it is and its reversed gradient removes that from the features (IAT). Ctrl-C ' +
    'finishes the step and saves; --resume goes on.',
  examples: [
    '--data data/faces --from runs/fmae/checkpoint.safetensors --out runs/aus',
    '--data labels.jsonl --root pictures --subject-from bp4d --recipe bp4d-iat --out runs/iat',
  ],
  schema: fineTuneOptions,
  recipes: fineTuneRecipes,
  load: async () => (await import('./commands/finetune.js')).finetune,
})
addCommand({
  name: 'evaluate',
  summary: 'F1 and ROC-AUC per AU of a fine-tuned classifier',
  description:
    'Measures a classifier that finetune saved on labelled pictures: F1 at 0.5 and at the best single threshold, and ' +
    'ROC-AUC, per AU and in the mean.',
  examples: ['--checkpoint runs/aus/checkpoint.safetensors --data data/faces --test-fold fold3'],
  schema: evaluateOptions,
  load: async () => (await import('./commands/evaluate.js')).evaluate,
})
addCommand({
  name: 'probe',
  summary: 'how well people can be told apart by the features of a checkpoint',
  description:
    "Freezes the features of a checkpoint, fits a linear classifier of who it is on 70 % of each person's pictures " +
    'and scores it on the rest. The lower, the less the features know of identity.',
  examples: ['--checkpoint runs/aus/checkpoint.safetensors --data data/faces --split fold3'],
  schema: probeOptions,
  load: async () => (await import('./commands/probe.js')).probe,
})
program
  .command('verify')
  .summary('prove the numbers on this adapter')
  .description(
    'Proves the numbers on this adapter: runs every op and whole models against known results, and prints the worst ' +
      'relative error of each. With files: compares with results of your own, for example from PyTorch.',
  )
  .argument(
    '[files...]',
    'safetensors files with weights, inputs and expected outputs (see docs/file-formats.md)',
  )
  .option('--tolerance <n>', 'largest relative error that passes (default 1e-4)', once('--tolerance'))
  .action(async (files: string[], flags: { tolerance?: string }) => {
    const tolerance = Number(flags.tolerance ?? 1e-4)
    if (!(tolerance > 0))
      throw new UserError(`--tolerance: expected a number above 0, got "${flags.tolerance}"`)
    process.exitCode = await (await import('./commands/verify.js')).verify(files, { tolerance })
  })
program
  .command('doctor')
  .summary('what this machine offers, and what mends what is missing')
  .description(
    'Says what this machine offers (Node, WebGPU adapter, features, limits) and, when something is missing, the one ' +
      'command that mends it.',
  )
  .action(async () => {
    process.exitCode = await (await import('./commands/doctor.js')).doctor()
  })

/** commander would take it for an operand of the default command. */
function refuseUnknownCommand([first = '-']: readonly string[]): void {
  const names = program.commands.map((command) => command.name())
  if (first.startsWith('-') || [...names, 'help'].includes(first)) return
  throw new UserError(`unknown command "${first}"; expected one of ${names.join(', ')}`)
}

outliveReaders()
try {
  refuseUnknownCommand(process.argv.slice(2))
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
