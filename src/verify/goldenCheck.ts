import type { ParameterArena } from '../engine/parameters.js'
import type { Runtime } from '../engine/runtime.js'
import { UserError } from '../errors.js'
import type { SafeTensor } from '../train/checkpoint/safetensors.js'
import { AdamW } from '../train/optim/adamw.js'
import { fineTuningRules, type ParameterRule, pretrainingRules } from '../train/optim/parameterGroups.js'
import { norm } from './array64.js'
import { type Check, comparisons } from './check.js'
import type { GoldenFile, GoldenOptimizer } from './goldenFile.js'
import { checkTensors, expectedTensors, floats } from './goldenTensors.js'
import { classifierRun, fmaeRun, type ModelRun } from './modelRun.js'

export interface GoldenResult {
  readonly checks: readonly Check[]
  /** Number of excluded values of `after.*`, see `withoutRoundingSteps`. */
  readonly setAside: number
}

/** A gradient this much smaller than its tensor's root mean square is zero up to rounding. */
const ROUNDING = 1e-5

/**
 * Runs a golden file's model on its batch: outputs, gradients and, with an optimizer, its steps, each compared with
 * the file's numbers. @throws UserError if tensors are missing, unknown or misshapen.
 */
export async function checkGolden(runtime: Runtime, golden: GoldenFile): Promise<GoldenResult> {
  checkTensors(golden, expectedTensors(golden))
  const run = goldenRun(runtime, golden)
  for (const { name } of run.parameters.parameters)
    runtime.write(run.parameters.get(name), values(golden, `w.${name}`))
  const checks = [...(await outputChecks(run, golden)), ...(await gradientChecks(run, golden))]
  if (!golden.optimizer) return { checks, setAside: 0 }
  const training = await trainingChecks(runtime, run, golden, golden.optimizer)
  return { checks: [...checks, ...training.checks], setAside: training.setAside }
}

function values({ tensors }: GoldenFile, name: string): Float32Array {
  return floats(tensors.get(name)!)
}

function goldenRun(runtime: Runtime, golden: GoldenFile): ModelRun {
  const imgs = values(golden, 'imgs')
  if (golden.kind === 'fmae') return fmaeRun(runtime, golden.config, { imgs, noise: values(golden, 'noise') })
  return classifierRun(runtime, golden.config, { imgs, au: values(golden, 'au'), ids: subjectsOf(golden) })
}

function subjectsOf({ file, tensors, kind, config }: GoldenFile): Uint32Array {
  if (kind !== 'classifier' || config.lambda === 0) return new Uint32Array()
  const ids = Uint32Array.from(tensors.get('ids')!.data)
  const wrong = ids.find((id) => id >= config.subjects)
  if (wrong === undefined) return ids
  throw new UserError(
    `${file}: tensor ids contains ${wrong | 0}; expected subjects 0 to ${config.subjects - 1}`,
  )
}

async function outputChecks(run: ModelRun, golden: GoldenFile): Promise<Check[]> {
  const { outputs } = run.step()
  const checks: Check[] = []
  for (const [name, tensor] of outputs) {
    if (!golden.tensors.has(name)) continue
    const compare = comparisons(name, name === 'mask' ? 0 : null)
    checks.push(compare(name, await tensor.read(), values(golden, name)))
    tensor.dispose()
  }
  return checks
}

/** Compares the gradients that `step` left. A frozen tensor's gradient is zero. */
async function gradientChecks({ parameters }: ModelRun, golden: GoldenFile): Promise<Check[]> {
  const compare = comparisons('g.*')
  const checks: Check[] = []
  for (const { name, size, gradient } of parameters.parameters) {
    if (!golden.tensors.has(`g.${name}`)) continue
    const ours = gradient ? await gradient.read() : new Float32Array(size)
    checks.push(compare(name, ours, values(golden, `g.${name}`)))
  }
  return checks
}

/** The losses of all steps, each before its update, and the weights after the last. */
async function trainingChecks(
  runtime: Runtime,
  run: ModelRun,
  golden: GoldenFile,
  { lrs, betas, eps, ...rest }: GoldenOptimizer,
): Promise<GoldenResult> {
  const { parameters } = run
  const options = { beta1: betas[0], beta2: betas[1], epsilon: eps, maxNorm: 0 }
  const optimizer = new AdamW(runtime, parameters, rules(golden, parameters, rest), options)
  parameters.zeroGrad()
  const losses: number[] = []
  for (const learningRate of lrs) {
    optimizer.prepare(learningRate)
    const [loss] = runtime.scope(() => {
      const step = run.step()
      optimizer.apply()
      return [step.loss]
    })
    losses.push((await loss.read())[0])
    loss.dispose()
  }
  const checks = [comparisons('losses')('losses', losses, values(golden, 'losses'))]
  const compare = comparisons('after.*')
  const reach = 2 * lrs.reduce((sum, rate) => sum + rate, 0)
  let setAside = 0
  for (const parameter of parameters.parameters) {
    const { name } = parameter
    if (!golden.tensors.has(`after.${name}`)) continue
    const theirs = values(golden, `after.${name}`)
    const kept = withoutRoundingSteps(await parameter.read(), theirs, golden.tensors.get(`g.${name}`), reach)
    checks.push(compare(name, kept.values, theirs))
    setAside += kept.setAside
  }
  return { checks, setAside }
}

/**
 * Weights whose gradient is zero up to rounding (key biases, which softmax ignores) take full AdamW steps of arbitrary
 * sign, in any implementation. They are excluded (replaced by the file's values) if they differ by no more than these
 * steps can explain.
 */
function withoutRoundingSteps(
  ours: ArrayLike<number>,
  theirs: Float32Array,
  gradient: SafeTensor | undefined,
  reach: number,
): { values: Float32Array; setAside: number } {
  const result = Float32Array.from(ours)
  if (!gradient) return { values: result, setAside: 0 }
  const limit = (ROUNDING * norm(floats(gradient))) / Math.sqrt(theirs.length)
  let setAside = 0
  floats(gradient).forEach((slope, i) => {
    if (Math.abs(slope) > limit || Math.abs(result[i] - theirs[i]) > reach) return
    result[i] = theirs[i]
    setAside++
  })
  return { values: result, setAside }
}

function rules(
  { kind, config }: GoldenFile,
  { parameters }: ParameterArena,
  { weightDecay, layerDecay }: Pick<GoldenOptimizer, 'weightDecay' | 'layerDecay'>,
): Map<string, ParameterRule> {
  if (kind === 'fmae') return pretrainingRules(parameters, weightDecay)
  return fineTuningRules(parameters, {
    depth: config.depth,
    layerDecay: layerDecay ?? 1,
    weightDecay,
    identityHeadScale: 1,
  })
}
