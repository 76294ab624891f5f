import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { storedHistorySchema } from '../../demo/protocol.js'
import { RunStore } from '../../demo/worker/runStore.js'
import type { Run } from '../../demo/worker/training.js'
import { openDevice } from '../../src/engine/device.js'
import { UserError } from '../../src/errors.js'
import { provideStorage } from './memoryStorage.js'
import { download, noiseRun, prepare, reaches } from './noiseRun.js'

// What a visitor asks of a training at the same time is done one after the other; storage tells whether it
// goes on.

const runtime = await openDevice()
t.teardown(() => runtime.close())
t.beforeEach(provideStorage)

const settings = {}
const place = { folder: ['runs', 'pretrain'], file: 'history.json', schema: storedHistorySchema }
const store = () => new RunStore(place, () => {})
const goesOnStored = async () => (await store().load())!.running

t.test('a run that is thrown away while its file is made: first the file, then its end', async (t) => {
  const run = noiseRun(runtime)
  await prepare(run)
  const [file] = await Promise.all([download(run), run.reset()])
  t.equal(file.metadata.step, '0')
  t.equal(run.training.run, null)
  await t.resolves(runtime.finish(), 'the device goes on')
  await t.rejects(download(run), UserError, 'there is nothing to read any more')
})

t.test('files hold tensors of one step, though training is asked to go on meanwhile', async (t) => {
  const run = noiseRun(runtime)
  await run.begin(settings)
  await reaches(run, 2)
  const [first, second] = await Promise.all([download(run), download(run), run.begin(settings)])
  const reference = noiseRun(runtime)
  for (const { metadata, tensors } of [first, second]) {
    await run.pause()
    await reference.advance(Number(metadata.step) - reference.status.step, settings)
    t.same(tensors, (await download(reference)).tensors, `step ${metadata.step}`)
  }
  await run.begin(settings)
  await reaches(run, run.status.step + 1)
  t.pass('it goes on')
  await run.reset()
  await reference.reset()
})

t.test('a checkpoint that is taken while a run is made replaces that run', async (t) => {
  const before = await memory()
  const other = noiseRun(runtime)
  await other.advance(3, settings)
  const file = await download(other)
  await other.reset()
  const { make } = other.training.hooks
  const milliseconds = [100, 0]
  const run = noiseRun(runtime, {
    make: async () => {
      await sleep(milliseconds.shift()!)
      return make(settings)
    },
  })
  await Promise.all([prepare(run), run.replace(() => run.training.make(settings, file))])
  t.match(run.status, { state: 'paused', step: 3 })
  t.equal((await store().loadCheckpoint())!.metadata.step, '3')
  await run.reset()
  t.equal(await memory(), before, 'both gave their memory back')
})

async function memory(): Promise<number> {
  await runtime.finish()
  runtime.memory.trim()
  return runtime.memory.usage.bufferBytes
}

t.test('a pause ends what the next ones wait for', async (t) => {
  const run = noiseRun(runtime)
  const steps = run.advance(1_000_000, settings)
  await reaches(run, 2)
  const [file] = await Promise.all([download(run), run.pause(), steps])
  t.equal(file.metadata.step, String(run.status.step))
  await run.reset()
})

t.test('trainings that pause each other come to an end, whatever else is asked of them', async (t) => {
  const first: Run<object> = noiseRun(runtime, { takeTurn: () => second.pause() })
  const second = noiseRun(runtime, { name: 'ownPretrain', takeTurn: () => first.pause() })
  await prepare(second)
  await first.begin(settings)
  await reaches(first, 1)
  await Promise.all([download(first), second.begin(settings), first.advance(1, settings), download(second)])
  await second.begin(settings)
  t.equal(first.status.state, 'paused')
  t.equal(second.status.state, 'running')
  await Promise.all([first.reset(), second.reset()])
})

t.test('with a hidden page a run rests, and storage tells that it goes on', async (t) => {
  const run = noiseRun(runtime)
  await run.begin(settings)
  await reaches(run, 2)
  await run.rest()
  const { step, state } = run.status
  t.equal(state, 'paused')
  t.equal(await goesOnStored(), true)
  await download(run)
  t.equal(run.status.state, 'paused', 'a file does not wake it')
  const reloaded = noiseRun(runtime)
  t.equal(await reloaded.restore(), true)
  t.equal(reloaded.status.step, step)
  run.wake()
  await reaches(run, step + 1)
  await run.rest()
  await run.pause()
  t.equal(await goesOnStored(), false, 'paused at rest')
  run.wake()
  await download(run)
  t.equal(run.status.state, 'paused', 'a paused one is not woken')
  await run.reset()
  await reloaded.reset()
})

t.test('what is begun behind a hidden page waits', async (t) => {
  const run = noiseRun(runtime)
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
      const run = noiseRun(runtime, {
        tell: (event) => event.type === 'failed' && resolve(event.text),
        evaluate: async () => {
          throw new UserError('a broken picture')
        },
      })
      run.begin(settings)
      t.teardown(() => run.reset())
    })
    t.equal(await failed, 'The pretraining run stopped: a broken picture.')
    const run = noiseRun(runtime)
    t.equal(await run.restore(), false)
    t.ok(run.status.step >= 1 && run.status.step < 6, `saved at step ${run.status.step}, before it failed`)
    await run.reset()
  },
)
