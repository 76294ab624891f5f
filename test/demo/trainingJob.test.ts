import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { RunStore } from '../../demo/worker/runStore.js'
import type { TrainingJob } from '../../demo/worker/trainingJob.js'
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
  const job = noiseJob(runtime)
  await job.prepare(settings)
  const [file] = await Promise.all([job.download(), job.reset()])
  t.equal(fileOf(file).metadata.step, '0')
  t.equal(job.run, null)
  await t.resolves(runtime.finish(), 'the device goes on')
  await t.rejects(job.download(), UserError, 'there is nothing to read any more')
})

t.test('files hold tensors of one step, though training is asked to go on meanwhile', async (t) => {
  const job = noiseJob(runtime)
  await job.begin(settings)
  await reaches(job, 2)
  const [first, second] = await Promise.all([job.download(), job.download(), job.begin(settings)])
  const reference = noiseJob(runtime)
  for (const parts of [first, second]) {
    const { metadata, tensors } = fileOf(parts)
    await job.pause()
    await reference.advance(Number(metadata.step) - reference.status.step, settings)
    t.same(tensors, fileOf(await reference.download()).tensors, `step ${metadata.step}`)
  }
  await job.begin(settings)
  await reaches(job, job.status.step + 1)
  t.pass('it goes on')
  await job.reset()
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
  const job = noiseJob(runtime, {
    make: async () => {
      await sleep(milliseconds.shift()!)
      return make(settings)
    },
  })
  await Promise.all([job.prepare(settings), job.take(settings, file)])
  t.match(job.status, { state: 'paused', step: 3 })
  t.equal((await stored())!.checkpoint.metadata.step, '3')
  await job.reset()
  t.equal(await memory(), before, 'both gave their memory back')
})

async function memory(): Promise<number> {
  await runtime.finish()
  runtime.memory.trim()
  return runtime.memory.usage.bufferBytes
}

t.test('a pause ends what the next ones wait for', async (t) => {
  const job = noiseJob(runtime)
  const steps = job.advance(1_000_000, settings)
  await reaches(job, 2)
  const [file] = await Promise.all([job.download(), job.pause(), steps])
  t.equal(fileOf(file).metadata.step, String(job.status.step))
  await job.reset()
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
  const job = noiseJob(runtime)
  await job.begin(settings)
  await reaches(job, 2)
  await job.rest()
  const { step, state } = job.status
  t.equal(state, 'paused')
  t.equal(await goesOnStored(), true)
  await job.download()
  t.equal(job.status.state, 'paused', 'a file does not wake it')
  const reloaded = noiseJob(runtime)
  t.equal(await reloaded.load(() => settings), true)
  t.equal(reloaded.status.step, step)
  job.wake()
  await reaches(job, step + 1)
  await job.rest()
  await job.pause()
  t.equal(await goesOnStored(), false, 'paused at rest')
  job.wake()
  await job.download()
  t.equal(job.status.state, 'paused', 'a paused one is not woken')
  await job.reset()
  await reloaded.reset()
})

t.test('what is begun behind a hidden page waits', async (t) => {
  const job = noiseJob(runtime)
  await Promise.all([job.begin(settings), job.rest()])
  t.match(job.status, { state: 'paused', step: 0 })
  job.wake()
  await reaches(job, 1)
  t.equal(job.status.state, 'running')
  await job.reset()
})

t.test(
  'a run that fails does not go on by itself after a reload, from its last good checkpoint',
  async (t) => {
    const failed = new Promise<string>((resolve) => {
      const job = noiseJob(runtime, {
        tell: (event) => event.type === 'failed' && resolve(event.text),
        evaluate: async () => {
          throw new UserError('a broken picture')
        },
      })
      job.begin(settings)
      t.teardown(() => job.reset())
    })
    t.equal(await failed, 'a broken picture')
    const job = noiseJob(runtime)
    t.equal(await job.load(() => settings), false)
    t.ok(job.status.step >= 1 && job.status.step < 6, `saved at step ${job.status.step}, before it failed`)
    await job.reset()
  },
)
