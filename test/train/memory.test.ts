import t from 'tap'
import { captureStep } from '../../src/engine/capturedStep.js'
import { openDevice } from '../../src/engine/device.js'
import { largestClassifierActivation, largestFmaeActivation } from '../../src/model/largestActivation.js'
import { fitBatch } from '../../src/train/loop/fitBatch.js'
import { describeMemory, memoryReport } from '../../src/train/loop/memoryReport.js'
import { MicroBatches } from '../../src/train/loop/microBatches.js'
import { noiseFineTuning, noisePretraining, tinyClassifier, tinyFmae } from './noiseRuns.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

const wider = { width: 96, mlpRatio: 4 }
const fmae = { ...tinyFmae, ...wider, decoderWidth: 64 }
const classifier = { ...tinyClassifier, ...wider, dropPath: 0 }
const batchSize = 12

const pretraining = () => noisePretraining(runtime, fmae, { batchSize })
const fineTuning = () => noiseFineTuning(runtime, classifier, { batchSize })

t.test('the largest tensor of a step is known from the model alone', async (t) => {
  const steps = [
    { run: pretraining(), elements: largestFmaeActivation(fmae) },
    { run: fineTuning(), elements: largestClassifierActivation(classifier) },
  ]
  for (const { run, elements } of steps) {
    const { plan } = captureStep(runtime, run.microBatch)
    t.equal(plan.buffers[0].bytes, 4 * batchSize * elements, run.kind)
  }
})

t.test('a batch that no binding holds is cut into equal parts', async (t) => {
  const limit = (mebibytes: number) =>
    ({ memory: { maxBindingBytes: mebibytes * 2 ** 20 } }) as typeof runtime
  const quarter = 2 ** 18 / 4
  const settings = { batchSize: 12, accumulation: 2 }
  t.same(fitBatch(settings, quarter, limit(128)), settings, 'fits')
  t.same(fitBatch(settings, quarter, limit(2)), { batchSize: 6, accumulation: 4 }, '8 would fit, 6 divides')
  t.same(fitBatch({ batchSize: 7, accumulation: 1 }, quarter, limit(1)), { batchSize: 1, accumulation: 7 })
  t.throws(
    () => fitBatch(settings, 2 ** 20, limit(2)),
    /one image needs .* 4 MiB.* at most 2 MiB.* smaller --image-size/,
  )
})

t.test('the memory report is what the run then takes', async (t) => {
  const empty = runtime.memory.usage.bufferBytes
  const work = new MicroBatches(fineTuning())
  const report = memoryReport(work)
  const { parameters, gradients, moments, other, step, stepWorstMoment, total } = report
  t.equal(parameters + gradients + moments + other + step, total)
  t.equal(moments, 2 * gradients)
  t.ok(stepWorstMoment <= step && step <= 1.15 * stepWorstMoment)
  t.match(describeMemory(work), new RegExp(`total +${(total / 2 ** 20).toFixed(1)} MiB`))
  work.run.optimizer.prepare(1e-3)
  work.run.upload(await work.run.batches.next())
  work.queue({ first: true, last: true }, () => undefined)
  await runtime.finish()
  t.equal(runtime.memory.usage.bufferBytes, total)
  t.ok(total > empty)
  work.release()
})
