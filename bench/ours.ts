/**
 * Our own engine behind the benchmark's protocol: the same work as the peers, through the ops, the tape and the recorded step that
 * training uses.
 */

import { backward, propagate, withTape } from '../src/engine/autograd.js'
import { captureStep } from '../src/engine/capturedStep.js'
import { openDevice } from '../src/engine/device.js'
import { attention } from '../src/engine/ops/attention.js'
import { layerNorm } from '../src/engine/ops/layerNorm.js'
import { linear } from '../src/engine/ops/linear.js'
import { maskedPatchLoss } from '../src/engine/ops/maskedPatchLoss.js'
import { matmul } from '../src/engine/ops/matmul.js'
import { ParameterArena, type ParameterSpec } from '../src/engine/parameters.js'
import type { Tensor } from '../src/engine/tensor.js'
import { block } from '../src/model/block.js'
import { inputsOf, LAYER_NORM_EPS } from './peers/inputs.mjs'
import { serve } from './peers/serve.mjs'

type Shape = Record<string, number>
/** What a piece of work gives, by name, and those of it that have memory of their own. */
interface Results {
  readonly made: Readonly<Record<string, Tensor>>
  readonly inPlace: Readonly<Record<string, Tensor>>
}
/** Prepares inputs; the function it returns queues the work once. */
type Work = (shape: Shape) => () => Results

const runtime = await openDevice()

function upload(work: string, shape: Shape): Tensor[] {
  return inputsOf(work, shape).map(({ shape, values }) => runtime.tensor(values, shape))
}

/** Forward and, from a given gradient of the output, backward. */
function forwardAndBackward(
  inputs: readonly Tensor[],
  dy: Tensor,
  names: readonly string[],
  op: () => Tensor,
) {
  for (const input of inputs) input.requiresGrad = true
  return () => {
    const { result, tape } = withTape(runtime, op)
    const gradients = propagate(result, dy, tape, [result])
    const all = [result, ...inputs.map((input) => gradients.get(input)!)]
    return { made: Object.fromEntries(names.map((name, i) => [name, all[i]])), inPlace: {} }
  }
}

const works: Record<string, Work> = {
  matmul: (shape) => {
    const [a, b] = upload('matmul', shape)
    return () => ({ made: { y: matmul(a, b) }, inPlace: {} })
  },
  linear: (shape) => {
    const [x, weight] = upload('linear', shape)
    return () => ({ made: { y: linear(x, weight, null) }, inPlace: {} })
  },
  attention: (shape) => {
    const [qkv, dOut] = upload('attention', shape)
    return forwardAndBackward([qkv], dOut, ['out', 'dqkv'], () => attention(qkv, shape.heads))
  },
  layerNorm: (shape) => {
    const [x, weight, bias, dy] = upload('layerNorm', shape)
    const op = () => layerNorm(x, weight, bias, LAYER_NORM_EPS)
    return forwardAndBackward([x, weight, bias], dy, ['y', 'dx', 'dWeight', 'dBias'], op)
  },
  trainingStep: (shape) => {
    const { batch, tokens, width, heads, mlp, depth } = shape as Record<
      'batch' | 'tokens' | 'width' | 'heads' | 'mlp' | 'depth',
      number
    >
    const [x, target, ...rest] = inputsOf('trainingStep', shape)
    const specs: ParameterSpec[] = rest.map(({ name, shape, values }) => ({
      name,
      shape,
      init: { kind: 'values', values },
    }))
    const arena = new ParameterArena(runtime, specs)
    arena.initialise(specs, 0)
    const input = runtime.tensor(x.values, x.shape)
    const wanted = runtime.tensor(target.values, target.shape)
    // Mean-square loss is the loss of masked patches with every row counted.
    const all = runtime.tensor(new Float32Array(batch * tokens).fill(1), [batch, tokens])
    const config = { width, heads, mlpRatio: mlp / width, layerNormEps: LAYER_NORM_EPS }
    return () => {
      let y = input
      const { result: loss, tape } = withTape(runtime, () => {
        for (let i = 0; i < depth; i++) y = block(y, arena, `blocks.${i}`, config, null)
        return maskedPatchLoss(y, wanted, all, false)
      })
      backward(loss, tape, [loss])
      const gradients = arena.parameters.map(({ name, gradient }) => [name, gradient!])
      return { made: { loss }, inPlace: Object.fromEntries(gradients) }
    }
  },
}

await serve(async (work: string, shape: Shape) => {
  runtime.memory.beginScope()
  const run = works[work](shape)
  let results: Results | null = null
  const step = captureStep(runtime, () => {
    results = run()
    return Object.values(results.made)
  })
  const { made, inPlace } = results!
  return {
    enqueue: () => void step.run(),
    async wait() {
      runtime.flush()
      await runtime.device.queue.onSubmittedWorkDone()
    },
    async outputs() {
      step.run()
      const all = Object.entries({ ...made, ...inPlace })
      return Promise.all(
        all.map(async ([name, tensor]) => ({ name, values: (await tensor.read()) as Float32Array })),
      )
    },
    dispose() {
      step.memory.release()
      runtime.memory.endScope([])
      runtime.memory.trim()
    },
  }
})
