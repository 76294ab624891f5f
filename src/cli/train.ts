/** The command line: `node dist/train.js <command>`; without a command it runs the main job. */
import { Command, CommanderError } from 'commander'
import type { z } from 'zod'
import { readable } from '../data/readers/table.js'
import { describeError, UserError } from '../errors.js'
import { fineTuneRecipes, pretrainRecipes } from '../train/recipes.js'
import { outliveReaders } from './closedOutput.js'
import { notices } from './notices.js'
import {
  convertOptions,
  evaluateOptions,
  fineTuneOptions,
  predictOptions,
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
  /** For the command's own `--help`; does not assume that the reader knows the paper. */
  readonly description: string
  readonly examples: readonly string[]
  readonly schema: S
  readonly recipes?: Recipes
  /** Loads the command's code only when it runs, so that `--help` needs neither a device nor a decoder. */
  readonly load: () => Promise<Action<S>>
  readonly isDefault?: boolean
}

const PROGRAM = 'node dist/train.js'

const program = new Command(PROGRAM)
  .description(
    'Trains face models on WebGPU. FMAE is a masked autoencoder that learns from unlabeled images. Fine-tuned, it ' +
      'detects facial action units (AUs), the muscle movements defined by FACS. Identity adversarial training (IAT) ' +
      'removes information about the subject from its features. (arXiv 2407.11243)',
  )
  .addHelpText(
    'after',
    `\nWithout a command, quickstart runs. Options of a command: ${PROGRAM} <command> --help\nSet FMAE_ADAPTER to hardware, lavapipe or swiftshader to use only that kind of WebGPU adapter.`,
  )
  .showHelpAfterError('(--help lists the options)')
  .exitOverride()

function addCommand<S extends z.ZodObject>(spec: CommandSpec<S>): void {
  const { schema, recipes } = spec
  const command = program
    .command(spec.name, { isDefault: spec.isDefault ?? false })
    .summary(spec.summary)
    .description(spec.description)
  single(command, '--config <file>', 'JSON file with options, such as {"batchSize": 32}; flags override it')
  if (recipes) {
    const names = Object.keys(recipes).join(' | ')
    single(
      command,
      '--recipe <name>',
      `named set of defaults (${names}; default: nano, whose values are shown below)`,
    )
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
  summary: 'run the main job, an ablation on the bundled faces, and write its report',
  description:
    'Runs the main job, an ablation on the bundled faces. Pretrains FMAE, then fine-tunes three AU classifiers: from ' +
    'scratch, from FMAE, and from FMAE with IAT. Evaluates AUs on held-out subjects, probes the features for ' +
    'identity, and writes report.html and report.json.',
  examples: ['', '--budget long --seed 1', '--resume'],
  schema: quickstartOptions,
  isDefault: true,
  load: async () => (await import('./commands/quickstart.js')).quickstart,
})
addCommand({
  name: 'pretrain',
  summary: 'pretrain FMAE on unlabeled face images',
  description:
    'Pretrains FMAE: most patches of each image are masked, and the network learns to reconstruct them. Labels are not ' +
    'needed. Ctrl-C saves and stops; --resume continues.',
  examples: ['--data my-faces --out runs/fmae', '--data my-faces --out runs/fmae --resume'],
  schema: pretrainOptions,
  recipes: pretrainRecipes,
  load: async () => (await import('./commands/pretrain.js')).pretrain,
})
addCommand({
  name: 'finetune',
  summary: 'train an AU classifier from FMAE or from scratch; --lambda turns on IAT',
  description:
    'Trains an AU classifier on labeled images, from an FMAE checkpoint (--from) or from scratch. Subjects are split ' +
    'into folds; one fold is held out and tested after every epoch. With --lambda above 0, an identity head learns to ' +
    'identify the subject, and its reversed gradient removes identity from the features (IAT). Ctrl-C saves and ' +
    'stops; --resume continues.',
  examples: [
    '--data data/faces --from runs/fmae/checkpoint.safetensors --out runs/aus',
    '--data labels.jsonl --root images --subject-from bp4d --recipe bp4d-iat --out runs/iat',
  ],
  schema: fineTuneOptions,
  recipes: fineTuneRecipes,
  load: async () => (await import('./commands/finetune.js')).finetune,
})
addCommand({
  name: 'evaluate',
  summary: 'measure F1 and ROC-AUC per AU of a fine-tuned classifier',
  description:
    'Evaluates a classifier from finetune on labeled images. Prints F1 at threshold 0.5, F1 at the best single ' +
    'threshold, and ROC-AUC, per AU and on average.',
  examples: ['--checkpoint runs/aus/checkpoint.safetensors --data data/faces --test-fold fold3'],
  schema: evaluateOptions,
  load: async () => (await import('./commands/evaluate.js')).evaluate,
})
addCommand({
  name: 'probe',
  summary: 'measure how well subjects can be identified from the features of a checkpoint',
  description:
    'Trains a linear classifier to identify the subject from frozen features. It is fitted on 70 % of the images of ' +
    'each subject and scored on the rest. Lower accuracy means less identity in the features.',
  examples: ['--checkpoint runs/aus/checkpoint.safetensors --data data/faces --split fold3'],
  schema: probeOptions,
  load: async () => (await import('./commands/probe.js')).probe,
})
addSchemaOptions(
  program
    .command('predict')
    .summary('detect the AUs of faces in images and videos, as a table')
    .description(
      'Finds the faces in images and videos, crops them as in training, and writes a table with a row for each face: ' +
        'the probability of each AU, and whether it is present. An image without a face gets a row with success 0. ' +
        `Sources are images, videos (with ffmpeg), and what finetune reads: ${readable} of images or WebDataset shards. ` +
        'The source - stands for a list of paths on standard input.',
    )
    .argument('<source...>', 'images, videos, folders, shards, label files, or -')
    .addHelpText(
      'after',
      [
        '',
        'Examples:',
        `  ${PROGRAM} predict photos --checkpoint bp4d.safetensors --out photos.csv`,
        `  ${PROGRAM} predict clip.mp4 --checkpoint bp4d.safetensors --format openface --out clip.csv`,
      ].join('\n'),
    )
    .action(async (sources: string[], flags: Record<string, unknown>) => {
      const { predict } = await import('./commands/predict.js')
      process.exitCode = await predict(sources, resolveOptions(predictOptions, {}, flags))
    }),
  predictOptions,
)
addSchemaOptions(
  program
    .command('convert')
    .summary('convert published weights to a checkpoint of this program')
    .description(
      'Reads weights of MAE, FMAE, FMAE-IAT, timm or Hugging Face: a PyTorch file (.pth, .pt), a safetensors file, or a ' +
        'folder of the Hugging Face hub. Writes a checkpoint for evaluate, probe and finetune --from. Python is not ' +
        'needed, and nothing in the file is executed. Prints every value of the model with its source, and what is left out.',
    )
    .argument('<in>', 'file or folder with the weights')
    .argument('<out>', 'file to write, such as fmae.safetensors')
    .addHelpText(
      'after',
      [
        '',
        'Examples:',
        `  ${PROGRAM} convert FMAE_ViT_large.pth fmae-l.safetensors`,
        `  ${PROGRAM} convert bp4d.pth bp4d.safetensors --aus 1,2,4,6,7,10,12,14,15,17,23,24`,
      ].join('\n'),
    )
    .action(async (input: string, out: string, flags: Record<string, unknown>) => {
      const { convert } = await import('./commands/convert.js')
      process.exitCode = await convert(input, out, resolveOptions(convertOptions, {}, flags))
    }),
  convertOptions,
)
program
  .command('verify')
  .summary('compare the results of this adapter with known ones')
  .description(
    'Runs every op and complete models on this adapter, compares them with known results, and prints the largest ' +
      'relative error of each. With files, compares with your own results instead, for example from PyTorch.',
  )
  .argument(
    '[files...]',
    'safetensors files with weights, inputs and expected outputs (see docs/file-formats.md)',
  )
  .option('--tolerance <n>', 'largest relative error that passes (default 1e-4)', once('--tolerance'))
  .action(async (files: string[], flags: { tolerance?: string }) => {
    const tolerance = Number(flags.tolerance ?? 1e-4)
    if (!(tolerance > 0 && Number.isFinite(tolerance)))
      throw new UserError(`--tolerance: expected a number above 0, got "${flags.tolerance}"`)
    process.exitCode = await (await import('./commands/verify.js')).verify(files, { tolerance })
  })
program
  .command('doctor')
  .summary('show what this machine offers, and how to fix what is missing')
  .description(
    'Prints what this machine offers (Node, WebGPU adapter, features, limits). If something is missing, prints the ' +
      'command that fixes it.',
  )
  .action(async () => {
    process.exitCode = await (await import('./commands/doctor.js')).doctor()
  })

/** commander would treat it as an operand of the default command. */
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
  // commander has already printed its own errors and help.
  if (error instanceof CommanderError) process.exitCode = error.exitCode
  else {
    console.error(`error: ${describeError(error)}`)
    process.exitCode = 1
  }
}
// Dawn's device would keep the process alive.
process.exit()
