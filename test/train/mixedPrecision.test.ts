import { createHash } from 'node:crypto'
import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import type { FineTuning } from '../../src/train/loop/fineTuning.js'
import { MicroBatches } from '../../src/train/loop/microBatches.js'
import type { TrainingRun } from '../../src/train/trainingRun.js'
import { noiseFineTuning, noisePretraining, tinyClassifier, tinyFmae } from './noiseRuns.js'

// Whole training runs in f16 against the same in f32: losses, skipped steps, replay, accumulation.

/** How far losses of f16 and f32 may be apart, as a part of the loss. Measured: up to 2e-4 within 20 steps. */
const BAND = 1e-3
const STEPS = 20

const runtime = await openDevice()
t.teardown(() => runtime.close())
const skip = runtime.caps.f16 ? false : 'this adapter has no shader-f16'

interface Variation {
  readonly precision: 'f32' | 'f16'
  readonly accumulation?: number
  readonly checkpointActivations?: boolean
}

function pretraining(variation: Variation): TrainingRun {
  return noisePretraining(runtime, tinyFmae, { batchSize: 4, clipGradient: 1, ...variation })
}

function fineTuning(variation: Variation): TrainingRun {
  const config = { ...tinyClassifier, idHeadLayers: 2 } as const
  return noiseFineTuning(runtime, config, { batchSize: 4, ...variation })
}

async function train(run: TrainingRun, steps = STEPS, replayed = true) {
  const { accumulation } = run.settings
  const work = new MicroBatches(run, replayed)
  const losses: Promise<ArrayLike<number>>[] = []
  for (let step = 0; step < steps; step++) {
    run.optimizer.prepare(2e-3, accumulation)
    for (let micro = 0; micro < accumulation; micro++) {
      run.upload(await run.batches.next())
      run.random.setStep(step * accumulation + micro)
      const last = micro === accumulation - 1
      work.queue({ first: micro === 0, last }, ([loss]) => losses.push(loss.read()))
    }
  }
  const read = (await Promise.all(losses)).map((values) => values[0])
  const { bytes } = work.memory
  work.release()
  return { losses: read, bytes }
}

async function weights({ parameters }: TrainingRun): Promise<string> {
  const hash = createHash('sha256')
  for (const parameter of parameters.parameters) hash.update(await parameter.read())
  return hash.digest('hex')
}

const kinds = Object.entries({ pretraining, fineTuning })

for (const [name, make] of kinds) {
  for (const accumulation of [1, 2]) {
    t.test(
      `${name}, accumulation ${accumulation}: the losses of f32, in less memory`,
      { skip },
      async (t) => {
        const single = await train(make({ precision: 'f32', accumulation }))
        const half = await train(make({ precision: 'f16', accumulation }))
        const apart = half.losses.map((loss, i) => Math.abs(loss - single.losses[i]) / single.losses[i])
        t.ok(Math.max(...apart) < BAND, `apart by up to ${Math.max(...apart)}`)
        t.ok(Math.max(...apart) > 0, 'it is not f32')
        t.ok(half.bytes < 0.7 * single.bytes, `${half.bytes} against ${single.bytes} bytes`)
      },
    )
  }

  t.test(`${name}: replayed is eager, recomputed is kept, bit for bit`, { skip }, async (t) => {
    const runs = [make({ precision: 'f16' }), make({ precision: 'f16' })]
    const checkpointed = make({ precision: 'f16', checkpointActivations: true })
    const eager = await train(runs[0], 4, false)
    t.same((await train(runs[1], 4)).losses, eager.losses)
    t.same((await train(checkpointed, 4)).losses, eager.losses)
    t.equal(await weights(runs[1]), await weights(runs[0]))
    t.equal(await weights(checkpointed), await weights(runs[0]))
  })

  t.test(
    `${name}: gradients that overflow skip steps until the scale fits, then it learns`,
    { skip },
    async (t) => {
      const run = make({ precision: 'f16' })
      const lossScale = run.optimizer.lossScale!
      runtime.write(lossScale.state, [2 ** 40, 0, 0])
      const before = await weights(run)
      await train(run, 2)
      t.equal(await weights(run), before, 'nothing moves')
      t.same([...(await lossScale.state.read())], [2 ** 38, 0, 2])
      const { losses } = await train(run, 28)
      const [scale, , skipped] = await lossScale.state.read()
      t.equal(scale, 2 ** (40 - skipped))
      t.ok(skipped > 8 && skipped < 28, `${skipped} steps skipped, scale ${scale}`)
      t.not(await weights(run), before)
      t.ok(losses.every(Number.isFinite))
    },
  )
}

t.test('in f32 the model measures, whatever it was trained in', { skip }, async (t) => {
  const [half, single] = [fineTuning({ precision: 'f16' }), fineTuning({ precision: 'f32' })]
  const images = runtime.tensor(
    Float32Array.from({ length: 2 * 3 * 32 * 32 }, (_, i) => Math.sin(i)),
    [2, 3, 32, 32],
  )
  const logits = ({ model }: FineTuning) => model.forward(images).auLogits.read()
  t.same(await logits(half as FineTuning), await logits(single as FineTuning))
})
