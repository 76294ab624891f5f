import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { RunStore } from '../../demo/worker/runStore.js'
import type { TrainingJob } from '../../demo/worker/training.js'
import { openDevice } from '../../src/engine/device.js'
import { UserError } from '../../src/errors.js'
import { provideStorage } from './memoryStorage.js'
import { fileOf, noiseJob, reaches } from './noiseJob.js'

// What a visitor asks of a training at the same time is done one after the other; storage tells whether it goes on.

const runtime = await openDevice()
t.teardown(() => runtime.close())
t.beforeEach(provideStorage)

const settings = {}
const stored = async () => (await RunStore.open('pretrain')).load()
const goesOnStored = async () => (await stored())!.history.running

t.test('a run that is thrown away while its file is made: first the file, then its end', async (t) => {
  const run = noiseJob(runtime)
  await run.prepare(settings)
  const [file] = await Promise.all([run.download(), run.reset()])
  t.equal(fileOf(file).metadata.step, '0')
  t.equal(run.run, null)
  await t.resolves(runtime.finish(), 'the device goes on')
  await t.rejects(run.download(), UserError, 'there is nothing to read any more')
})

t.test('files hold tensors of one step, though training is asked to go on meanwhile', async (t) => {
  const run = noiseJob(runtime)
  await run.begin(settings)
  await reaches(run, 2)
  const [first, second] = await Promise.all([run.download(), run.download(), run.begin(settings)])
  const reference = noiseJob(runtime)
  for (const parts of [first, second]) {
    const { metadata, tensors } = fileOf(parts)
    await run.pause()
    await reference.advance(Number(metadata.step) - reference.status.step, settings)
    t.same(tensors, fileOf(await reference.download()).tensors, `step ${metadata.step}`)
  }
  await run.begin(settings)
  await reaches(run, run.status.step + 1)
  t.pass('it goes on')
  await run.reset()
  await reference.reset()
})

t.test('a checkpoint that is taken while a run is made replaces that run', async (t) => {
  const before = await memory()
  const other = noiseJob(runtime)
  await other.advance(3, settings)
  const file = fileOf(await other.download())
  await other.reset()
  const { make } = other.hooks
  const milliseconds = [100, 0]
  const run = noiseJob(runtime, {
    make: async () => {
      await sleep(milliseconds.shift()!)
      return make(settings)
    },
  })
  await Promise.all([run.prepare(settings), run.take(settings, file)])
  t.match(run.status, { state: 'paused', step: 3 })
  t.equal((await stored())!.checkpoint.metadata.step, '3')
  await run.reset()
  t.equal(await memory(), before, 'both gave their memory back')
})

async function memory(): Promise<number> {
  await runtime.finish()
  runtime.memory.trim()
  return runtime.memory.usage.bufferBytes
}

t.test('a pause ends what the next ones wait for', async (t) => {
  const run = noiseJob(runtime)
  const steps = run.advance(1_000_000, settings)
  await reaches(run, 2)
  const [file] = await Promise.all([run.download(), run.pause(), steps])
  t.equal(fileOf(file).metadata.step, String(run.status.step))
  await run.reset()
})

t.test('trainings that pause each other come to an end, whatever else is asked of them', async (t) => {
  const first: TrainingJob<object> = noiseJob(runtime, { takeTurn: () => second.pause() })
  const second = noiseJob(runtime, { name: 'ownPretrain', takeTurn: () => first.pause() })
  await second.prepare(settings)
  await first.begin(settings)
  await reaches(first, 1)
  await Promise.all([first.download(), second.begin(settings), first.advance(1, settings), second.download()])
  await second.begin(settings)
  t.equal(first.status.state, 'paused')
  t.equal(second.status.state, 'running')
  await Promise.all([first.reset(), second.reset()])
})

t.test('with a hidden page a run rests, and storage tells that it goes on', async (t) => {
  const run = noiseJob(runtime)
  await run.begin(settings)
  await reaches(run, 2)
  await run.rest()
  const { step, state } = run.status
  t.equal(state, 'paused')
  t.equal(await goesOnStored(), true)
  await run.download()
  t.equal(run.status.state, 'paused', 'a file does not wake it')
  const reloaded = noiseJob(runtime)
  t.equal(await reloaded.load(() => settings), true)
  t.equal(reloaded.status.step, step)
  run.wake()
  await reaches(run, step + 1)
  await run.rest()
  await run.pause()
  t.equal(await goesOnStored(), false, 'paused at rest')
  run.wake()
  await run.download()
  t.equal(run.status.state, 'paused', 'a paused one is not woken')
  await run.reset()
  await reloaded.reset()
})

t.test('what is begun behind a hidden page waits', async (t) => {
  const run = noiseJob(runtime)
  await Promise.all([run.begin(settings), run.rest()])
  t.match(run.status, { state: 'paused', step: 0 })
  run.wake()
  await reaches(run, 1)
  t.equal(run.status.state, 'running')
  await run.reset()
})

t.test(
  'a run that fails does not go on by itself after a reload, from its last good checkpoint',
  async (t) => {
    const failed = new Promise<string>((resolve) => {
      const run = noiseJob(runtime, {
        tell: (event) => event.type === 'failed' && resolve(event.text),
        evaluate: async () => {
          throw new UserError('a broken picture')
        },
      })
      run.begin(settings)
      t.teardown(() => run.reset())
    })
    t.equal(await failed, 'a broken picture')
    const run = noiseJob(runtime)
    t.equal(await run.load(() => settings), false)
    t.ok(run.status.step >= 1 && run.status.step < 6, `saved at step ${run.status.step}, before it failed`)
    await run.reset()
  },
)
