import { backward, withTape } from '../engine/autograd.js'
import { bceWithLogits } from '../engine/ops/bceWithLogits.js'
import { maskedPatchLoss } from '../engine/ops/maskedPatchLoss.js'
import { patchify } from '../engine/ops/patchify.js'
import type { ParameterArena } from '../engine/parameters.js'
import { PhiloxStream } from '../engine/random.js'
import type { Runtime } from '../engine/runtime.js'
import type { Tensor } from '../engine/tensor.js'
import type { ClassifierConfig, FmaeConfig, VitConfig } from '../model/config.js'
import { presets } from '../model/presets.js'
import { classifierConfig } from '../train/modelConfig.js'
import { fineTuneDefaults } from '../train/settings.js'
import { norm } from './array64.js'
import { type Check, comparisons } from './check.js'
import * as expected from './fixtureNumbers.js'
import { classifierRun, fmaeRun, type ModelRun } from './modelRun.js'

const vit: VitConfig = {
  imageSize: 32,
  patchSize: 8,
  width: 16,
  depth: 2,
  heads: 2,
  mlpRatio: 4,
  layerNormEps: 1e-6,
}

export const tinyFmae: FmaeConfig = {
  ...vit,
  decoderWidth: 8,
  decoderDepth: 1,
  decoderHeads: 2,
  maskRatio: 0.75,
  normPix: true,
}

export const tinyClassifier: ClassifierConfig = classifierConfig(
  vit,
  { aus: 3, subjects: 5 },
  fineTuneDefaults({ lambda: 2 }),
)

const SAMPLES = 2
const PATCHES = 16

/** Images of the fixtures: sin(0.013 i) + 0.3 cos(0.21 i) over the whole batch. */
export function fixtureImages(): Float32Array {
  const length = SAMPLES * 3 * vit.imageSize ** 2
  return Float32Array.from({ length }, (_, i) => Math.sin(0.013 * i) + 0.3 * Math.cos(0.21 * i))
}

/** Noise without ties: ((j · 7919) mod 1009) / 1009. */
function fixtureNoise(): Float32Array {
  return Float32Array.from({ length: SAMPLES * PATCHES }, (_, j) => ((j * 7919) % 1009) / 1009)
}

/**
 * Values of tensor k of the state dict, element i: with v = sin(0.7k + 0.31i + 0.5), norm weights are 1 +
 * 0.1v, all others 0.2v. Frozen tables stay as they are but count.
 */
export function fillParameters(runtime: Runtime, parameters: ParameterArena): void {
  parameters.parameters.forEach(({ name, size, gradient }, k) => {
    if (!gradient) return
    const isNorm = name.includes('norm') && name.endsWith('.weight')
    const values = Float32Array.from({ length: size }, (_, i) => {
      const wave = Math.sin(0.7 * k + 0.31 * i + 0.5)
      return isNorm ? 1 + 0.1 * wave : 0.2 * wave
    })
    runtime.write(parameters.get(name), values)
  })
}

/** The fixtures that run on the device, on one family of kernels. */
export async function deviceFixtures(runtime: Runtime): Promise<Check[]> {
  return [
    ...(await fmaeFixture(runtime)),
    ...(await classifierFixture(runtime)),
    ...(await patchNormFixture(runtime)),
    ...(await zeroLogitsFixture(runtime)),
  ]
}

/** A1: masks, losses, predictions and gradient norms of the tiny masked autoencoder. */
async function fmaeFixture(runtime: Runtime): Promise<Check[]> {
  const a1 = comparisons('A1 masked autoencoder')
  const exact = comparisons('A1 masked autoencoder', 0)
  const make = (normPix: boolean) => {
    const run = fmaeRun(runtime, { ...tinyFmae, normPix }, { imgs: fixtureImages(), noise: fixtureNoise() })
    fillParameters(runtime, run.parameters)
    return run
  }
  const run = make(true)
  const { loss, outputs } = run.step()
  const mask = await outputs.get('mask')!.read()
  const pred = await outputs.get('pred')!.read()
  const mean = [...pred].reduce((sum, value) => sum + value / pred.length, 0)
  const images = runtime.tensor(fixtureImages(), [SAMPLES, 3, 32, 32])
  const patches = await patchify(images, 8, 'hwc').read()
  const { fmae } = expected
  return [
    exact('mask', mask, [...fmae.masks.join('')].map(Number)),
    a1('loss, normalized patches', await loss.read(), [fmae.lossNormPix]),
    a1('loss, raw pixels', await make(false).step().loss.read(), [fmae.lossRaw]),
    a1('first predictions', pred.slice(0, 4), fmae.predStart),
    a1('last predictions', pred.slice(-3), fmae.predEnd),
    a1('mean prediction', [mean], [fmae.predMean]),
    a1('patchify', patches.slice(192, 198), fmae.patch1),
    ...(await gradientNorms(a1, run, fmae.gradientNorms)),
  ]
}

/** A2: the tiny AU classifier with its identity head, and what λ does to a gradient below it. */
async function classifierFixture(runtime: Runtime): Promise<Check[]> {
  const a2 = comparisons('A2 classifier and identity head')
  const { iat } = expected
  const make = (lambda: number) => {
    const data = { imgs: fixtureImages(), au: iat.auTargets, ids: iat.ids }
    const run = classifierRun(runtime, { ...tinyClassifier, lambda }, data)
    fillParameters(runtime, run.parameters)
    return run
  }
  const run = make(tinyClassifier.lambda)
  const { outputs } = run.step()
  const read = (name: string) => outputs.get(name)!.read()
  const checks = [
    a2('AU logits', await read('au_logits'), iat.auLogits),
    a2('identity logits', await read('id_logits'), iat.idLogits),
    a2('AU loss', await read('au_loss'), [iat.auLoss]),
    a2('identity loss', await read('id_loss'), [iat.idLoss]),
    ...(await gradientNorms(a2, run, iat.gradientNorms)),
  ]
  for (const [lambda, value] of iat.fcNormGradient) {
    const other = make(lambda)
    other.step()
    const gradient = await other.parameters.get('fc_norm.weight').gradient!.read()
    checks.push(a2(`fc_norm.weight gradient, λ ${lambda}`, gradient.slice(0, 1), [value]))
  }
  return checks
}

async function gradientNorms(
  compare: ReturnType<typeof comparisons>,
  { parameters }: ModelRun,
  norms: Readonly<Record<string, number>>,
): Promise<Check[]> {
  const checks = Object.entries(norms).map(async ([name, length]) => {
    const gradient = await parameters.get(name).gradient!.read()
    return compare(`gradient norm of ${name}`, [norm(gradient)], [length])
  })
  return Promise.all(checks)
}

/** A5: the normalized target, derived from the gradient of the loss at a prediction of 0: −2·t̂/P. */
async function patchNormFixture(runtime: Runtime): Promise<Check[]> {
  const a5 = comparisons('A5 patch normalization')
  const pred = leaf(runtime.zeros([1, 1, 8]))
  const target = runtime.tensor([0, 1, 2, 3, 4, 5, 6, 7], [1, 1, 8])
  const mask = runtime.tensor([1], [1, 1])
  const gradient = await leafGradient(runtime, pred, () => maskedPatchLoss(pred, target, mask, true))
  const upper = expected.normalisedRamp
  const wanted = [...upper.map((value) => -value), ...[...upper].reverse()]
  return [
    a5(
      'patch 0…7',
      gradient.values.map((value) => -4 * value),
      wanted,
    ),
  ]
}

/** A6: BCE over one-hot subjects at zero logits. */
async function zeroLogitsFixture(runtime: Runtime): Promise<Check[]> {
  const a6 = comparisons('A6 identity loss')
  const [B, S] = [64, 41]
  const logits = leaf(runtime.zeros([B, S]))
  const oneHot = Float32Array.from({ length: B * S }, (_, i) => Number(i % S === Math.floor(i / S) % S))
  const targets = runtime.tensor(oneHot, [B, S])
  const { loss, values } = await leafGradient(runtime, logits, () => bceWithLogits(logits, targets))
  const wanted = oneHot.map((y) => (y ? -1 : 1) * expected.ZERO_LOGIT_GRADIENT)
  return [a6('loss at zero logits', [loss], [Math.LN2]), a6('gradient at zero logits', values, wanted)]
}

/**
 * A6: ViT-S with fresh weights on normal noise; the one fixture at a published size. Takes seconds on a CPU.
 */
export async function vitSmallFixture(runtime: Runtime, batch: number): Promise<Check[]> {
  const a6 = comparisons('A6 ViT-S at the start', 0.06)
  const random = new PhiloxStream(0, 6)
  const normals = (length: number) => Float32Array.from({ length }, () => random.normal())
  const uniforms = Float32Array.from({ length: batch * 196 }, () => random.uniform())
  const data = { imgs: normals(batch * 3 * 224 * 224), noise: uniforms }
  const loss = await runtime.scope(() => [fmaeRun(runtime, presets['vit-s'], data).forward()])[0].read()
  return [a6('loss', loss, [expected.VIT_SMALL_START_LOSS])]
}

function leaf(tensor: Tensor): Tensor {
  tensor.requiresGrad = true
  return tensor
}

async function leafGradient(
  runtime: Runtime,
  input: Tensor,
  forward: () => Tensor,
): Promise<{ loss: number; values: number[] }> {
  const { result: loss, tape } = withTape(runtime, forward)
  const gradient = backward(loss, tape, [loss]).get(input)!
  return { loss: (await loss.read())[0], values: [...(await gradient.read())] }
}
