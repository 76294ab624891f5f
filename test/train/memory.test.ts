import t from 'tap'
import { openRuntime } from '../../src/engine/device.js'
import type { ClassifierConfig } from '../../src/model/config.js'
import { largestClassifierActivation, largestFmaeActivation } from '../../src/model/largestActivation.js'
import { presets } from '../../src/model/presets.js'
import { FineTuning } from '../../src/train/loop/fineTuning.js'
import { fitBatch } from '../../src/train/loop/fitBatch.js'
import { describeMemory, memoryReport } from '../../src/train/loop/memoryReport.js'
import { MicroBatches } from '../../src/train/loop/microBatches.js'
import { Pretraining } from '../../src/train/loop/pretraining.js'
import { fineTuneDefaults, pretrainDefaults } from '../../src/train/options.js'
import { finetuneRecipes, pretrainRecipes } from '../../src/train/recipes.js'
import { noiseAus, noiseIndices, noiseLoader, noiseSubjects } from './noiseImages.js'

const runtime = await openRuntime()
t.teardown(() => runtime.close())

const sizes = { imageSize: 32, patchSize: 8, width: 96, heads: 3, depth: 2, mlpRatio: 4 }
const fmae = { ...presets.nano, ...sizes, decoderWidth: 64, decoderDepth: 1, decoderHeads: 2 }
const classifier: ClassifierConfig = {
  ...presets.nano,
  ...sizes,
  aus: noiseAus.length,
  subjects: noiseSubjects.length,
  lambda: 1,
  idLoss: 'bce',
  idHeadLayers: 1,
  dropPath: 0,
}
const batchSize = 12

function pretraining() {
  const settings = { ...pretrainDefaults(pretrainRecipes.nano), batchSize }
  return new Pretraining(runtime, fmae, settings, noiseLoader(32), noiseIndices)
}

function fineTuning() {
  const settings = { ...fineTuneDefaults(finetuneRecipes['nano-iat']), batchSize }
  return new FineTuning(runtime, classifier, settings, noiseLoader(32), noiseIndices, noiseAus, noiseSubjects)
}

t.test('the largest tensor of a step is known from the model alone', async (t) => {
  const steps = [
    { run: pretraining(), elements: largestFmaeActivation(fmae) },
    { run: fineTuning(), elements: largestClassifierActivation(classifier) },
  ]
  for (const { run, elements } of steps) {
    const { plan } = runtime.record(run.microBatch)
    t.equal(plan.buffers[0]!.bytes, 4 * batchSize * elements, run.kind)
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
    /--image-size: one picture takes .* 4 MiB.* at most 2 MiB/,
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
