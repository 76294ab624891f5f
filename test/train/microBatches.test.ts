import { createHash } from 'node:crypto'
import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { MicroBatches } from '../../src/train/loop/microBatches.js'
import type { TrainingRun } from '../../src/train/trainingRun.js'
import { noiseFineTuning, noisePretraining, tinyClassifier, tinyFmae } from './noiseRuns.js'

// A recorded and replayed step is the eager step, bit for bit, whatever changes from step to step as data: pictures, masks, drop path, rate.

const runtime = await openDevice()
t.teardown(() => runtime.close())

interface Variation {
  readonly accumulation: number
  readonly checkpointActivations?: boolean
}

function pretraining(variation: Variation): TrainingRun {
  return noisePretraining(runtime, tinyFmae, { batchSize: 2, clipGradient: 1, ...variation })
}

function fineTuning(variation: Variation): TrainingRun {
  return noiseFineTuning(runtime, tinyClassifier, { batchSize: 3, ...variation })
}

/** Losses of each update and a hash of the weights after some updates. */
async function train(run: TrainingRun, replayed: boolean) {
  const { accumulation } = run.settings
  const work = new MicroBatches(run, replayed)
  const losses: number[] = []
  for (let step = 0; step < 4; step++) {
    run.optimizer.prepare(1e-3 * (step + 1), accumulation)
    for (let micro = 0; micro < accumulation; micro++) {
      run.upload(await run.batches.next())
      run.random.setStep(step * accumulation + micro)
      const reading: Promise<ArrayLike<number>>[] = []
      const last = micro === accumulation - 1
      work.queue({ first: micro === 0, last }, ([loss]) => reading.push(loss.read()))
      losses.push((await reading[0])[0])
    }
  }
  t.equal(run.optimizer.stepCount, 4, 'a rehearsal is not counted as a step')
  work.release()
  const hash = createHash('sha256')
  for (const parameter of run.parameters.parameters) hash.update(await parameter.read())
  return { losses, weights: hash.digest('hex') }
}

for (const [name, make] of Object.entries({ pretraining, fineTuning })) {
  for (const accumulation of [1, 2, 4]) {
    t.test(`${name}, ${accumulation} micro-batches a step`, async (t) => {
      const eager = await train(make({ accumulation }), false)
      t.ok(eager.losses.every(Number.isFinite))
      t.equal(new Set(eager.losses).size, eager.losses.length, 'every step has other data')
      t.same(await train(make({ accumulation }), true), eager)
    })
  }
  t.test(`${name} with activation checkpointing: the same bits in less memory`, async (t) => {
    const all = make({ accumulation: 1 })
    const few = make({ accumulation: 1, checkpointActivations: true })
    t.same(await train(few, true), await train(all, true))
    t.ok(new MicroBatches(few).memory.bytes < new MicroBatches(all).memory.bytes)
  })
}

t.test('a replayed step takes nothing: no buffer, no pipeline, no memory of the pool', async (t) => {
  const run = pretraining({ accumulation: 2 })
  const work = new MicroBatches(run)
  const step = () => {
    run.optimizer.prepare(1e-3, 2)
    for (const place of [
      { first: true, last: false },
      { first: false, last: true },
    ])
      work.queue(place, () => undefined)
  }
  step()
  await runtime.finish()
  const before = { ...runtime.memory.usage }
  for (let i = 0; i < 20; i++) step()
  await runtime.finish()
  t.same(runtime.memory.usage, before)
  work.release()
  t.equal(runtime.memory.usage.bufferBytes, before.bufferBytes - work.memory.bytes)
})
