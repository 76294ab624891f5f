import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openDevice } from '../../src/engine/device.js'
import type { SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { readSafetensors } from '../../src/train/checkpoint/safetensorsFile.node.js'
import { type Ended, RunningProgram, runProgram } from '../cli/program.js'
import { tinyEncoder, tinyMembers, tinyModel, writeFaces } from '../cli/tinyFaces.js'

const folder = t.testdir()
const runtime = await openDevice()
const skipF16 = runtime.caps.f16 ? false : 'this adapter has no shader-f16'
runtime.close()
const faces = await writeFaces(join(folder, 'faces'), await tinyMembers())
const out = (name: string) => join(folder, name)
const load = (name: string) => readSafetensors(join(folder, name, 'checkpoint.safetensors'))

/** Steps that the log of a run tells of, in the order written. */
function loggedSteps(name: string): number[] {
  const file = join(folder, name, 'log.jsonl')
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).step)
}

/** Weights and moments, bit for bit; and what the file says of itself, but for the folder. */
function same(t: Test, actual: SafetensorsFile, expected: SafetensorsFile): void {
  t.same([...actual.tensors.keys()], [...expected.tensors.keys()])
  const bytes = ({ tensors }: SafetensorsFile, name: string) => Buffer.from(tensors.get(name)!.data.buffer)
  const different = [...expected.tensors.keys()].filter(
    (name) => !bytes(actual, name).equals(bytes(expected, name)),
  )
  t.same(different, [], 'tensors whose bits differ')
  for (const field of ['step', 'batches', 'random', 'config'])
    t.equal(actual.metadata[field], expected.metadata[field])
}

interface Interruption {
  readonly args: readonly string[]
  readonly name: string
  /** The run is interrupted once its log shows this step. */
  readonly afterStep: number
}

/** Starts a run and sends it `signal` when the log shows that it has got so far. */
async function interrupt({ args, name, afterStep }: Interruption, signal: NodeJS.Signals): Promise<Ended> {
  const run = new RunningProgram([...args, '--out', out(name)])
  await run.until(() => (loggedSteps(name).at(-1) ?? 0) >= afterStep)
  run.signal(signal)
  return run.ended
}

function stoppedAt(t: Test, ended: Ended): number {
  t.equal(ended.code, 130, 'exit code of a stopped run', ended)
  t.match(ended.stderr, /Stopping after this step\. Press Ctrl-C again to exit at once\./)
  t.match(ended.stdout, /Stopped at step \d+ of \d+; saved to .*checkpoint\.safetensors\.\n/)
  t.match(ended.stdout, /To continue, run the same command with --resume/)
  return Number(/Stopped at step (\d+)/.exec(ended.stdout)?.[1])
}

/** One run straight through against one stopped by Ctrl-C and resumed. */
async function stopAndResume(t: Test, interruption: Interruption, perEpoch: number): Promise<void> {
  const { args, name, afterStep } = interruption
  const whole = await runProgram([...args, '--out', out(`${name}-whole`)])
  t.equal(whole.code, 0, whole.stderr)
  const step = stoppedAt(t, await interrupt(interruption, 'SIGINT'))
  const middle = await load(name)
  t.equal(middle.metadata.step, String(step), 'the checkpoint is that of the last step')
  t.ok(step > afterStep, 'stopped after the signal')
  t.not(step % perEpoch, 0, 'stopped within an epoch')
  const resumed = await runProgram([...args, '--out', out(name), '--resume'])
  t.equal(resumed.code, 0, resumed.stderr)
  t.match(resumed.stdout, new RegExp(`Resumed at step ${step} of `))
  same(t, await load(name), await load(`${name}-whole`))
  t.same(loggedSteps(name), loggedSteps(`${name}-whole`), 'every step is logged once')
}

const pretrain = [
  'pretrain',
  '--data',
  faces,
  ...tinyModel,
  '--batch-size',
  '2',
  '--epochs',
  '4',
  '--accumulation',
]
const finetune = [
  ...[
    'finetune',
    '--data',
    faces,
    ...tinyEncoder,
    '--batch-size',
    '2',
    '--epochs',
    '4',
    '--accumulation',
    '2',
  ],
  ...['--lambda', '2', '--drop-path', '0.1', '--layer-decay', '0.7', '--clip-gradient', '1'],
]

t.test('pretraining stopped in the middle of an epoch and resumed: the same bits', async (t) => {
  await stopAndResume(t, { args: [...pretrain, '1'], name: 'fmae', afterStep: 12 }, 12)
})

t.test('in f16, with its loss scale: the same bits', { skip: skipF16 }, async (t) => {
  const args = [...pretrain, '1', '--precision', 'f16']
  await stopAndResume(t, { args, name: 'half', afterStep: 12 }, 12)
  const { tensors } = await load('half')
  t.same([...tensors.get('loss_scale')!.data], [2 ** 16, 48, 0])
  const other = await runProgram([...pretrain, '1', '--out', out('half'), '--resume'])
  t.match(other.stderr, /precision is "f16" in the checkpoint and "f32" in this run/)
})

t.test('IAT with drop path and accumulation, stopped and resumed: the same bits', async (t) => {
  await stopAndResume(t, { args: finetune, name: 'iat', afterStep: 4 }, 4)
  const [resumed, whole] = ['iat', 'iat-whole'].map((name) =>
    readFileSync(join(folder, name, 'metrics.json'), 'utf8'),
  )
  t.equal(resumed, whole, 'and the same metrics')
})

t.test(
  'kill -9 leaves the checkpoint of a whole epoch, from which the run goes on to the same bits',
  async (t) => {
    const args = [...pretrain, '1']
    let kept = 0
    for (const afterStep of [24, 36]) {
      const more = kept > 0 ? ['--resume'] : []
      const { signal } = await interrupt({ args: [...args, ...more], name: 'killed', afterStep }, 'SIGKILL')
      t.equal(signal, 'SIGKILL')
      const step = Number((await load('killed')).metadata.step)
      t.equal(step % 12, 0)
      t.ok(step > kept && step >= afterStep - 12, 'no older than the epoch before')
      kept = step
    }
    const { code, stderr } = await runProgram([...args, '--out', out('killed'), '--resume'])
    t.equal(code, 0, stderr)
    same(t, await load('killed'), await load('fmae-whole'))
    t.same(
      readdirSync(out('killed')).sort(),
      [
        'best.json',
        'checkpoint-best.safetensors',
        'checkpoint-step36.safetensors',
        'checkpoint.safetensors',
        'log.jsonl',
      ],
      'nothing else is left behind',
    )
  },
)

t.test(
  'a damaged test picture loses no epoch: with it mended, the run goes on to the same bits',
  async (t) => {
    const members = await tinyMembers()
    const image = members['003.jpg'] as Uint8Array
    const data = await writeFaces(out('damaged'), { ...members, '003.jpg': image.slice(0, 300) })
    const args = [...finetune.with(2, data), '--out', out('mended')]
    const broken = await runProgram(args)
    t.equal(broken.code, 1)
    t.match(broken.stderr, /member 003\.jpg: cannot be decoded/)
    t.equal((await load('mended')).metadata.step, '4', 'the first epoch is saved')
    await writeFaces(data, members)
    const resumed = await runProgram([...args, '--resume'])
    t.equal(resumed.code, 0, resumed.stderr)
    same(t, await load('mended'), await load('iat-whole'))
    const [evaluations, whole] = ['mended', 'iat-whole'].map((name) =>
      readFileSync(join(folder, name, 'evaluation.jsonl'), 'utf8'),
    )
    t.equal(evaluations, whole, 'the evaluation that failed is made up for')
  },
)

t.test('a run resumes without the file that it started from', async (t) => {
  const start = out('start.safetensors')
  cpSync(join(out('fmae'), 'checkpoint.safetensors'), start)
  const args = [...finetune, '--from', start, '--out', out('orphan')]
  const { code, stderr } = await runProgram(args)
  t.equal(code, 0, stderr)
  rmSync(start)
  t.equal((await runProgram([...args, '--resume'])).code, 0)
})

t.test('a second Ctrl-C ends the program at once', async (t) => {
  const run = new RunningProgram([...pretrain, '12', '--out', out('twice')])
  await run.until(() => loggedSteps('twice').length > 1)
  run.signal('SIGINT')
  await run.until(() => run.stderr.includes('Stopping after this step'))
  run.signal('SIGINT')
  const { signal } = await run.ended
  t.equal(signal, 'SIGINT')
  await t.resolves(load('twice'), 'the last checkpoint is whole')
})

t.test('a finished run resumed has nothing to do, and says so', async (t) => {
  const { code, stdout } = await runProgram([...finetune, '--out', out('iat'), '--resume'])
  t.equal(code, 0)
  t.match(stdout, /Resumed at step 16 of 16/)
  same(t, await load('iat'), await load('iat-whole'))
})
