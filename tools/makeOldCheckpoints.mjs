import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// Makes test/fixtures/VERSION: two runs that an older version stopped in the middle, and where that version itself
// ends when it resumes them. test/train/olderCheckpoints.test.ts resumes them with the version at hand.
//
//   git clone --branch v0.2.0 REPOSITORY old && (cd old && npm ci && npm run build)
//   node tools/makeOldCheckpoints.mjs old test/fixtures/0.2.0

const [clone, fixture] = process.argv.slice(2)
const program = join(process.cwd(), clone, 'dist', 'train.js')
const encoder = '--image-size 32 --patch-size 8 --width 16 --depth 1 --heads 2'.split(' ')
const length = '--batch-size 64 --epochs 4'.split(' ')
const runs = {
  fmae: [
    ...['pretrain', '--data', 'data/faces', '--split', 'fold1', ...encoder, ...length],
    ...'--decoder-width 8 --decoder-depth 1 --decoder-heads 2 --seed 3'.split(' '),
  ],
  iat: [
    ...['finetune', '--data', 'data/faces', ...encoder, ...length, '--from', 'fmae.safetensors'],
    ...'--train-on fold2 --aus 1,2,12 --lambda 0.5 --drop-path 0.1 --layer-decay 0.7'.split(' '),
    ...'--seen-fraction 0.2 --accumulation 2 --evaluate-every 4'.split(' '),
  ],
}

/** Losses of the last ten steps. */
function losses(folder) {
  const lines = readFileSync(join(folder, 'log.jsonl'), 'utf8').trim().split('\n')
  const records = lines.slice(-10).map((line) => JSON.parse(line))
  return Object.fromEntries(records.map(({ step, loss }) => [step, loss]))
}

/** SHA-256 of the bytes of all tensors, which follow the header. */
function sha256(folder) {
  const file = readFileSync(join(folder, 'checkpoint.safetensors'))
  return createHash('sha256')
    .update(file.subarray(8 + Number(file.readBigUInt64LE(0))))
    .digest('hex')
}

/** Stops the run by Ctrl-C after its first steps. */
async function stopped(args, folder) {
  const child = spawn(process.execPath, [program, ...args], { cwd: clone, stdio: 'inherit' })
  const ended = new Promise((done) => child.on('exit', done))
  while (!existsSync(join(folder, 'log.jsonl'))) await sleep(5)
  child.kill('SIGINT')
  if ((await ended) !== 130) throw new Error(`${args[0]} was not stopped in the middle`)
}

rmSync(fixture, { recursive: true, force: true })
const expected = {}
for (const [name, args] of Object.entries(runs)) {
  const out = join('runs', 'old', name)
  const folder = join(clone, out)
  rmSync(folder, { recursive: true, force: true })
  await stopped([...args, '--out', out], folder)
  cpSync(folder, join(fixture, name), { recursive: true })
  const again = [program, ...args, '--out', out, '--resume']
  const { status, stdout } = spawnSync(process.execPath, again, { cwd: clone, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${name} did not resume`)
  const [adapter] = stdout.split('\n')
  expected[name] = { args, adapter, losses: losses(folder), sha256: sha256(folder) }
  cpSync(join(folder, 'checkpoint.safetensors'), join(clone, `${name}.safetensors`))
}
writeFileSync(join(fixture, 'expected.json'), `${JSON.stringify(expected, null, 1)}\n`)
