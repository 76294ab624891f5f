import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import { type StepRecord, trainLoop } from '../../src/train/loop/trainLoop.js'
import { noiseFineTuning, tinyClassifier } from './noiseRuns.js'

// What the loop tells of a step that is made of several micro-batches.

const runtime = await openDevice()
t.teardown(() => runtime.close())

const skip = runtime.caps.f16 ? false : 'this adapter has no shader-f16'
const accumulation = 3
const fineTuning = (precision: 'f32' | 'f16' = 'f32') =>
  noiseFineTuning(runtime, tinyClassifier, { batchSize: 2, accumulation, precision })

/** The record of the first step. */
async function firstStep(run: ReturnType<typeof fineTuning>): Promise<StepRecord> {
  const steps: StepRecord[] = []
  await trainLoop({
    run,
    onSteps: (records) => {
      steps.push(...records)
    },
    onEpoch: async () => {},
    stopRequested: () => true,
  })
  t.equal(steps.length, 1)
  return steps[0]
}

/** Losses of the micro-batches of the first step, op by op. */
async function microBatchLosses(run: ReturnType<typeof fineTuning>): Promise<number[][]> {
  const losses: number[][] = []
  for (let micro = 0; micro < accumulation; micro++) {
    run.upload(await run.batches.next())
    run.random.setStep(micro)
    const scalars = runtime.scope(run.microBatch)
    losses.push(await Promise.all(scalars.map(async (scalar) => (await scalar.read())[0])))
  }
  return losses
}

t.test('the losses of a step are the means over its micro-batches', async (t) => {
  const apart = await microBatchLosses(fineTuning())
  const { losses } = await firstStep(fineTuning())
  const mean = (at: number) => apart.reduce((sum, micro) => sum + micro[at], 0) / accumulation
  t.same(losses, { loss: mean(0), au: mean(1), id: mean(2) })
  t.not(losses.loss, apart.at(-1)![0])
})

t.test('a loss that is not finite is noticed in whichever micro-batch it is', async (t) => {
  const run = fineTuning()
  const { upload } = run
  let uploads = 0
  run.upload = (batch) =>
    upload(uploads++ === 0 ? { ...batch, images: batch.images.fill(Number.NaN) } : batch)
  await t.rejects(firstStep(run), { name: 'UserError', message: /the loss became NaN at step 1/ })
})

t.test('the loss scale of a step is the one at its end', { skip }, async (t) => {
  const run = fineTuning('f16')
  // Far too large: the step's gradients overflow.
  runtime.write(run.optimizer.lossScale!.state, [2 ** 40, 0, 0])
  const { losses } = await firstStep(run)
  t.match(losses, { lossScale: 2 ** 39, skippedSteps: 1 })
})
