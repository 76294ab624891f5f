import { createHash } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { type PerValueKernel, perValueKernel, writable } from '../../kernels/perValue.js'
import { backward, withTape } from '../../src/engine/autograd.js'
import { openDevice } from '../../src/engine/device.js'
import { VariantStoreError } from '../../src/engine/errors.js'
import { bceWithLogits } from '../../src/engine/ops/bceWithLogits.js'
import { reshape } from '../../src/engine/ops/reshape.js'
import type { Tensor } from '../../src/engine/tensor.js'
import { autotune, type VariantStore } from '../../src/engine/tuner.js'
import type { Choices, Tunable } from '../../src/engine/variants.js'
import { presets } from '../../src/model/presets.js'
import { resumeFrom, saveCheckpoint } from '../../src/train/checkpoint/checkpointFile.node.js'
import { Pretraining } from '../../src/train/loop/pretraining.js'
import { settleVariants } from '../../src/train/loop/settleVariants.js'
import { trainLoop } from '../../src/train/loop/trainLoop.js'
import { pretrainDefaults } from '../../src/train/settings.js'
import type { TrainingRun } from '../../src/train/trainingRun.js'
import { noiseIndices, noiseLoader } from './noiseImages.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

const config = {
  ...presets.nano,
  ...{ imageSize: 32, patchSize: 8, width: 24, heads: 3, depth: 1, mlpRatio: 2 },
  ...{ decoderWidth: 16, decoderDepth: 1, decoderHeads: 2 },
}

/** Work whose variants differ in the last bits, like kernels that add up in another order; here it is done to a gradient. */
class Blur implements Tunable<number, Tensor> {
  readonly family = 'blur'

  constructor(readonly variants: readonly string[]) {}

  shapeClass(size: number) {
    return String(size)
  }

  candidates() {
    return this.variants
  }

  flops(size: number) {
    return size
  }

  operands(size: number) {
    return [{ shape: [size], dtype: 'f32' as const }]
  }

  run(size: number, variant: string, [x]: readonly Tensor[]) {
    const y = runtime.empty([size])
    runtime.copy(x, y)
    this.apply(variant, y)
    return [y]
  }

  apply(variant: string, y: Tensor) {
    const statement = `y[index] *= ${variant === 'plain' ? 1 : 1.0001};`
    const cost = { flops: y.size, bytes: 8 * y.size }
    const kernel: PerValueKernel = {
      ...{ name: `blur.${variant}`, values: y.size, width: 1, stored: 'f32', buffers: [writable('y')] },
      ...{ statement, cost },
    }
    runtime.dispatch(perValueKernel(runtime.caps, kernel), [y])
  }
}

/** Two epochs of three steps in which one bias alone learns, by a blurred gradient: nothing else here has variants. */
function makeRun(variants: readonly string[]): TrainingRun {
  const settings = pretrainDefaults({ batchSize: 4, epochs: 2 })
  const run = new Pretraining(runtime, config, settings, noiseLoader(32), noiseIndices)
  const blur = new Blur(variants)
  const bias = run.parameters.get('patch_embed.proj.bias')
  const targets = runtime.tensor(new Float32Array(bias.size).fill(1), [1, bias.size])
  const lossOf = () => bceWithLogits(reshape(bias, [1, bias.size]), targets)
  return Object.assign(run, {
    microBatch: () => {
      const { result, tape } = withTape(runtime, lossOf)
      backward(result, tape)
      blur.apply(runtime.variants.choose(blur, bias.size), bias.gradient!)
      return [result]
    },
  })
}

const blurred = `blur ${config.width}`

async function kernelsHash(variants: readonly string[]): Promise<string> {
  const blur = new Blur(variants)
  const classes = runtime.variants.askedBy(() => runtime.variants.choose(blur, config.width))
  return (await autotune(runtime, classes, {}, 0)).fresh[blurred].kernels
}

/** A cache that holds one choice for the blur. */
async function cacheOf(variant: string, variants = ['plain', 'blurred']): Promise<VariantStore> {
  const kernels = await kernelsHash(variants)
  return {
    place: 'the test',
    load: async () => ({ [blurred]: { variant, kernels } }),
    save: async () => {
      t.fail('nothing is new')
    },
  }
}

/** Trains to the end, or for one epoch. */
async function train(run: TrainingRun, epochs = 2): Promise<string> {
  const stopRequested = () => run.optimizer.stepCount === 3 * epochs
  await trainLoop({ run, stopRequested, onSteps: () => undefined, onEpoch: async () => undefined })
  const hash = createHash('sha256')
  for (const parameter of run.parameters.parameters) hash.update(await parameter.read())
  return hash.digest('hex')
}

function settle(run: TrainingRun, store: VariantStore, pinned: Choices | null = null, mayMeasure = true) {
  const lines: string[] = []
  const say = (line: string) => lines.push(line)
  return settleVariants(run, { tune: mayMeasure, pinned, say, store }).then(() => lines)
}

t.test('a resumed run computes the same bits although the cache has changed', async (t) => {
  const variants = ['plain', 'blurred']
  const info = { config, settings: pretrainDefaults() }
  const path = join(t.testdir(), 'checkpoint.safetensors')
  const whole = makeRun(variants)
  t.same(await settle(whole, await cacheOf('blurred')), ['Autotuned kernels: from the cache (the test).'])
  await train(whole, 1)
  await saveCheckpoint(path, whole, info)
  const expected = await train(whole)

  const resumed = makeRun(variants)
  const { variants: pinned } = await resumeFrom(path, resumed, info)
  t.same(pinned, { [blurred]: 'blurred' })
  t.same(await settle(resumed, await cacheOf('plain'), pinned), [], 'nothing to be said')
  t.equal(await train(resumed), expected)

  const other = makeRun(variants)
  await resumeFrom(path, other, info)
  await settle(other, await cacheOf('plain'))
  t.not(await train(other), expected, 'the choice does matter here')
})

t.test('a pinned variant that this adapter lacks: a notice, and the fixed table', async (t) => {
  const lines = await settle(makeRun(['plain']), await cacheOf('plain'), { [blurred]: 'blurred' })
  t.match(lines, [/lacks kernel variants of the checkpoint: blurred \(blur 24\)/])
  t.equal(lines.length, 1)
  t.same(runtime.variants.inUse, { [blurred]: 'plain' })
})

const untouchable: VariantStore = {
  place: 'nowhere',
  load: async () => t.fail('nothing is read') as never,
  save: async () => t.fail('nothing is written') as never,
}

t.test('without tuning the fixed table holds, and the cache is left alone', async (t) => {
  t.same(await settle(makeRun(['blurred', 'plain']), untouchable, null, false), [])
  t.same(runtime.variants.inUse, { [blurred]: 'blurred' })
})

t.test('with one variant of everything there is nothing to tune', async (t) => {
  t.same(await settle(makeRun(['plain']), untouchable), [])
  t.same(runtime.variants.inUse, { [blurred]: 'plain' })
})

t.test('what is measured, or not in time, is stored and said', async (t) => {
  const saved: unknown[] = []
  const store: VariantStore = {
    place: 'the test',
    load: async () => ({}),
    save: async (adapter, choices) => saved.push(adapter, Object.keys(choices)) as never,
  }
  const lines = await settle(makeRun(['plain', 'blurred']), store)
  t.match(lines, [/^Autotuned [01] of 1 kernel classes in \d+\.\d s \(stored in the test\)\.$/])
  t.match(saved, [runtime.caps.description, [blurred]])
})

t.test('a cache that can be neither read nor written: one notice, and the run goes on', async (t) => {
  const fail = async () => {
    throw new VariantStoreError('the cache is gone')
  }
  const lines = await settle(makeRun(['plain', 'blurred']), { place: 'x', load: fail, save: fail })
  t.match(lines, [/the cache is gone\. Training continues/, /^Autotuned .* \(not stored\)\.$/])
  t.equal(lines.length, 2)
})
