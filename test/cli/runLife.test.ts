import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { RunLog } from '../../src/cli/runLog.node.js'
import { readSafetensors } from '../../src/train/checkpoint/safetensorsFile.node.js'
import { program, RunningProgram, runProgram } from './program.js'
import { tinyEncoder, tinyMembers, tinyModel, writeFaces } from './tinyFaces.js'

const folder = t.testdir()
const faces = await writeFaces(join(folder, 'faces'), await tinyMembers())
const out = (name: string) => join(folder, name)
const rows = (name: string, log = 'log.jsonl') => new RunLog(join(out(name), log)).read()
const stepOf = async (name: string, file = 'checkpoint.safetensors') =>
  Number((await readSafetensors(join(out(name), file))).metadata.step)

/** 6 steps an epoch. */
const pretrain = (name: string, epochs: number, ...more: string[]) => [
  ...['pretrain', '--data', faces, ...tinyModel, '--batch-size', '4', '--no-tune'],
  ...['--epochs', String(epochs), '--out', out(name), ...more],
]
const finetune = (name: string, epochs: number, ...more: string[]) => [
  ...['finetune', '--data', faces, ...tinyEncoder, '--batch-size', '6', '--no-tune'],
  ...['--epochs', String(epochs), '--out', out(name), ...more],
]

for (const signal of ['SIGTERM', 'SIGHUP'] as const)
  t.test(`${signal} stops a run after its step, which is saved`, async (t) => {
    const run = new RunningProgram(pretrain(signal, 5000, '--checkpoint-every', '5000'))
    await run.until(() => rows(signal).length > 0)
    run.signal(signal)
    const { code, stdout } = await run.ended
    t.equal(code, 130)
    t.match(
      stdout,
      /Stopped at step \d+ of 30000; saved to .*\nTo continue, run the same command with --resume/,
    )
    t.equal(await stepOf(signal), rows(signal).at(-1)?.step)
  })

t.test('a signal before the first step is heard: that step is done and saved', async (t) => {
  const run = new RunningProgram(pretrain('early', 5000))
  await run.until(() => existsSync(join(out('early'), 'run.lock')))
  run.signal('SIGTERM')
  const { code } = await run.ended
  t.equal(code, 130)
  t.ok((await stepOf('early')) >= 1)
  t.notOk(existsSync(join(out('early'), 'run.lock')))
})

t.test('--max-minutes stops in time, saves, and says how to go on', async (t) => {
  const { code, stdout } = await runProgram(pretrain('short', 5000, '--max-minutes', '0.0001'))
  t.equal(code, 130)
  t.match(stdout, /Stopped at step 1 of 30000; saved to .*\nTo continue, run the same command with --resume/)
  t.equal(await stepOf('short'), 1)
})

t.test('a second run in the folder is refused; after kill -9 of the first the next goes on', async (t) => {
  const first = new RunningProgram(pretrain('shared', 5000))
  await first.until(() => existsSync(join(out('shared'), 'checkpoint.safetensors')))
  for (const more of [[], ['--resume']]) {
    const { code, stderr } = await runProgram(pretrain('shared', 5000, ...more))
    t.equal(code, 1)
    t.match(stderr, /shared: another run \(process \d+\) is using this folder; wait until it ends/)
  }
  first.signal('SIGKILL')
  await first.ended
  const next = await runProgram(pretrain('shared', 5000, '--resume', '--max-minutes', '0.0001'))
  t.match(
    next.stdout,
    /shared: the last run here \(process \d+\) ended without releasing the folder; taking it over\./,
  )
  t.match(next.stdout, /Resumed at step \d+ of 30000/)
  t.notOk(existsSync(join(out('shared'), 'run.lock')), 'the lock is given back')
})

t.test('a reader that goes away ends no run', async (t) => {
  const script = '"$0" "$@" | head -1; exit $PIPESTATUS'
  const { status, stderr } = spawnSync(
    'bash',
    ['-c', script, process.execPath, program, ...finetune('piped', 3)],
    { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
  )
  t.equal(status, 0, stderr)
  t.notMatch(stderr, /EPIPE|at .*\.js:/)
  t.equal(rows('piped', 'evaluation.jsonl').length, 3)
})

/** Writing there fails as on a full disk. */
const FULL = '/dev/full'
const skipFull = existsSync(FULL) ? false : `needs ${FULL}`
t.test('output on a full disk ends no run; lost results are an error', { skip: skipFull }, async (t) => {
  const run = (name: string, redirect: string) =>
    spawnSync('bash', ['-c', `"$0" "$@" ${redirect}`, process.execPath, program, ...finetune(name, 2)], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    })
  const lost = run('lost', `> ${FULL}`)
  t.equal(lost.status, 1)
  t.match(lost.stderr, /^error: standard output: cannot be written \(ENOSPC: .*\)$/m)
  t.notMatch(lost.stderr, /at .*\.js:/)
  t.equal(lost.stderr.split('error: ').length, 2, 'it is said once')
  const quiet = run('quiet', `2> ${FULL}`)
  t.equal(quiet.status, 0, 'progress is no result')
  for (const name of ['lost', 'quiet']) t.equal(await stepOf(name), 6)
})

/** A user whom the system does not know must be able to read the program. */
const unknown = { uid: 54321, gid: 54321 }
const readable = process.getuid?.() === 0 && spawnSync('test', ['-r', program], unknown).status === 0
const skipUnknown = readable ? false : 'needs root, and a folder that others may read'
t.test('a user without a home is served', { skip: skipUnknown }, async (t) => {
  const args = [
    '-u',
    'HOME',
    '-u',
    'XDG_CACHE_HOME',
    '-u',
    'NODE_OPTIONS',
    process.execPath,
    program,
    'doctor',
  ]
  const { stdout, stderr } = spawnSync('env', args, { ...unknown, encoding: 'utf8' })
  t.match(stdout, /^Autotuning +.*fmae-webgpu-54321/m, stderr)
})

t.test('the last two checkpoints and the best are kept', async (t) => {
  const { code, stderr } = await runProgram(finetune('kept', 5))
  t.equal(code, 0, stderr)
  const checkpoints = readdirSync(out('kept')).filter((name) => name.startsWith('checkpoint'))
  t.same(checkpoints, [
    'checkpoint-best.safetensors',
    'checkpoint-step12.safetensors',
    'checkpoint.safetensors',
  ])
  t.equal(await stepOf('kept'), 15)
  t.equal(await stepOf('kept', 'checkpoint-step12.safetensors'), 12)
  const scores = rows('kept', 'evaluation.jsonl').map(({ f1At05 }) => Number(f1At05))
  const best = scores.lastIndexOf(Math.max(...scores)) + 1
  t.same(JSON.parse(readFileSync(join(out('kept'), 'best.json'), 'utf8')), {
    epoch: best,
    step: 3 * best,
    f1At05: scores[best - 1],
  })
  t.equal(await stepOf('kept', 'checkpoint-best.safetensors'), 3 * best)
})

t.test('--keep 1 keeps one beside the best, which may be an epoch that was not saved', async (t) => {
  const { code, stderr } = await runProgram(finetune('one', 5, '--keep', '1', '--checkpoint-every', '5'))
  t.equal(code, 0, stderr)
  const checkpoints = readdirSync(out('one')).filter((name) => name.startsWith('checkpoint'))
  t.same(checkpoints, ['checkpoint-best.safetensors', 'checkpoint.safetensors'])
  const best = await stepOf('kept', 'checkpoint-best.safetensors')
  t.equal(await stepOf('one', 'checkpoint-best.safetensors'), best)
})

t.test('a folder without its newest state is still a run: nothing in it is replaced', async (t) => {
  t.equal((await runProgram(finetune('older', 3))).code, 0)
  for (const name of ['checkpoint.safetensors', 'checkpoint-best.safetensors'])
    rmSync(join(out('older'), name))
  const before = readdirSync(out('older'))
  const afresh = await runProgram(finetune('older', 3))
  t.match(afresh.stderr, /^error: .*checkpoint-step6\.safetensors already exists; add --resume/)
  const resumed = await runProgram(finetune('older', 3, '--resume'))
  t.match(
    resumed.stderr,
    /checkpoint\.safetensors does not exist; copy .*checkpoint-step6\.safetensors to that name/,
  )
  t.same([afresh.code, resumed.code], [1, 1])
  t.same(readdirSync(out('older')), before)
  t.equal(rows('older').length, 9)
})

t.test('a finished run is trained longer, on the longer schedule, which is said', async (t) => {
  const { code, stdout } = await runProgram(finetune('kept', 8, '--resume'))
  t.equal(code, 0)
  t.match(stdout, /Resumed at step 15 of 24\.\nExtended from 5 to 8 epochs\. The learning rate/)
  t.equal(await stepOf('kept'), 24)
  const shorter = await runProgram(finetune('kept', 6, '--resume'))
  t.match(shorter.stderr, /epochs is 8 in the checkpoint and 6 in this run/)
})

t.test('a run that diverges says which state is kept', async (t) => {
  // Two steps an epoch; the learning rate is 0 at the first step, and far too large from the second epoch on.
  const args = ['--batch-size', '9', '--warmup-epochs', '2', '--base-learning-rate', '1e6']
  const { code, stderr } = await runProgram(finetune('diverged', 40, ...args))
  t.equal(code, 1)
  t.match(stderr, /error: .*diverged.checkpoint\.safetensors(: not replaced| \(step \d+\))/)
  const { tensors } = await readSafetensors(join(out('diverged'), 'checkpoint.safetensors'))
  for (const [name, { data }] of tensors) t.ok([...data].every(Number.isFinite), name)
})
