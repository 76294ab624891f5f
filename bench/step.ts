/**
 * One training step of the main job, kernel by kernel: time between timestamps against counted flops and bytes, then
 * the whole step's wall time, dispatches, submits and memory. `npm run bench`.
 */
import { openRuntime } from '../src/engine/device.js'
import { Profiler } from '../src/engine/profiler.js'
import { PhiloxStream } from '../src/engine/random.js'
import type { Runtime } from '../src/engine/runtime.js'
import { CHANNELS, type ClassifierConfig } from '../src/model/config.js'
import { presets } from '../src/model/presets.js'
import type { Batch } from '../src/train/data/batches.js'
import type { ImageSet } from '../src/train/data/imageSet.js'
import { PictureLoader } from '../src/train/data/pictureLoader.js'
import { FineTuning } from '../src/train/loop/fineTuning.js'
import { MicroBatches } from '../src/train/loop/microBatches.js'
import { Pretraining } from '../src/train/loop/pretraining.js'
import type { TrainingRun } from '../src/train/loop/trainingRun.js'
import { fineTuneDefaults, pretrainDefaults } from '../src/train/options.js'
import { finetuneRecipes, pretrainRecipes } from '../src/train/recipes.js'

const STEPS = 40
const AUS = [1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24]
const SUBJECTS = Array.from({ length: 168 }, (_, i) => `S${i}`)

/** Noise pictures with labels: the arithmetic does not depend on what they show. */
const noise: ImageSet = {
  name: 'noise',
  length: 256,
  aus: AUS,
  folds: null,
  record: (i) => ({
    id: String(i),
    subject: SUBJECTS[i % SUBJECTS.length]!,
    aus: [AUS[i % 12]!],
    split: null,
  }),
  bytes: async (i) => Uint8Array.of(i),
  describe: (i) => `noise ${i}`,
}

function noiseLoader(size: number): PictureLoader {
  const decoder = {
    decode: async ([seed]: Uint8Array) => {
      const stream = new PhiloxStream(seed!, 0)
      return Uint8Array.from({ length: size * size * CHANNELS }, () => stream.integer(256))
    },
  }
  return new PictureLoader({ set: noise, decoder, size, standardisation: 'highpass' })
}

async function measure(title: string, runtime: Runtime, run: TrainingRun): Promise<void> {
  const { batchSize } = run.settings
  const batch = await run.batches.next()
  const work = new MicroBatches(run)
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 5; i++) step(run, work, batch)
    await runtime.finish()
  }
  runtime.memory.resetPeak()
  const before = { ...runtime.counters }
  const cpu = process.cpuUsage()
  const start = performance.now()
  for (let i = 0; i < STEPS; i++) step(run, work, batch)
  const host = performance.now() - start
  await runtime.finish()
  const total = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  const dispatches = (runtime.counters.dispatches - before.dispatches) / STEPS
  const submits = (runtime.counters.submits - before.submits) / STEPS
  console.log(
    `\n${title}: ${(total / STEPS).toFixed(1)} ms/step, ${((1000 * batchSize * STEPS) / total).toFixed(0)} images/s, ${((user + system) / 1000 / STEPS).toFixed(1)} ms of CPU time a step`,
  )
  console.log(
    `${dispatches.toFixed(0)} dispatches, ${submits.toFixed(1)} submits, host ${((1000 * host) / STEPS / dispatches).toFixed(1)} µs per dispatch, step memory ${(work.memory.bytes / 2 ** 20).toFixed(1)} MiB, all buffers ${(runtime.memory.usage.peakBufferBytes / 2 ** 20).toFixed(1)} MiB`,
  )
  if (runtime.caps.timestampQuery) await profile(runtime, run, work, batch)
  work.release()
}

async function profile(runtime: Runtime, run: TrainingRun, work: MicroBatches, batch: Batch): Promise<void> {
  runtime.profiler = new Profiler(runtime.device)
  for (let i = 0; i < 5; i++) step(run, work, batch)
  runtime.flush()
  const rows = await runtime.profiler.rows()
  runtime.profiler = null
  const sum = rows.reduce((all, { milliseconds }) => all + milliseconds, 0)
  console.log(
    `${'kernel'.padEnd(34)}${'calls'.padStart(6)}${'ms'.padStart(9)}${'share'.padStart(7)}${'GFLOP/s'.padStart(9)}${'GB/s'.padStart(7)}`,
  )
  for (const { name, dispatches, milliseconds, gflops, gigabytesPerSecond } of rows.slice(0, 18)) {
    console.log(
      `${name.padEnd(34)}${String(dispatches / 5).padStart(6)}${(milliseconds / 5).toFixed(2).padStart(9)}${`${((100 * milliseconds) / sum).toFixed(1)}%`.padStart(7)}${gflops.toFixed(2).padStart(9)}${gigabytesPerSecond.toFixed(2).padStart(7)}`,
    )
  }
  console.log(`${'sum'.padEnd(40)}${(sum / 5).toFixed(2).padStart(9)}`)
}

function step(run: TrainingRun, work: MicroBatches, batch: Batch): void {
  run.optimizer.prepare(1e-3)
  run.random.setStep(run.optimizer.stepCount)
  run.upload(batch)
  work.queue({ first: true, last: true }, () => undefined)
  run.runtime.flush()
}

const runtime = await openRuntime()
console.log(runtime.adapterNote)
const model = presets.nano
const loader = noiseLoader(model.imageSize)
const indices = Array.from({ length: noise.length }, (_, i) => i)
await measure(
  'FMAE nano pretraining',
  runtime,
  new Pretraining(runtime, model, pretrainDefaults(pretrainRecipes.nano), loader, indices),
)
const config: ClassifierConfig = {
  ...model,
  aus: AUS.length,
  subjects: SUBJECTS.length,
  lambda: 2,
  idLoss: 'bce',
  idHeadLayers: 1,
  dropPath: 0,
}
await measure(
  'FMAE-IAT nano fine-tuning',
  runtime,
  new FineTuning(
    runtime,
    config,
    fineTuneDefaults(finetuneRecipes['nano-iat']),
    loader,
    indices,
    AUS,
    SUBJECTS,
  ),
)
runtime.close()
process.exit()
