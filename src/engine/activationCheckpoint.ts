import { propagate, recordOp, withTape } from './autograd.js'
import type { Tensor } from './tensor.js'

/**
 * Activation checkpointing (Chen et al. 2016, "Training deep nets with sublinear memory cost"): keeps only the result of
 * `forward`. Backward runs `forward` again with a tape and differentiates it: about a third more arithmetic, but memory
 * for one block instead of all. Kernels are deterministic and random draws depend on the step alone, so the gradients
 * are bit-identical to those without checkpointing.
 *
 * `parameters` are those that `forward` uses; they put the node on the tape even if x needs no gradient.
 */
export function activationCheckpoint(
  x: Tensor,
  parameters: readonly Tensor[],
  forward: (x: Tensor) => Tensor,
): Tensor {
  const { runtime } = x
  const { tape } = runtime
  if (!tape) return forward(x)
  runtime.tape = null
  const y = runtime.scope(() => forward(x))
  runtime.tape = tape
  return recordOp('checkpoint', y, [x, ...parameters], (dy) => {
    const again = withTape(runtime, () => forward(x))
    const gradients = propagate(again.result, dy, again.tape, [])
    again.result.dispose()
    // Gradients of parameters are in their slots already.
    return [gradients.get(x) ?? null, ...parameters.map(() => null)]
  })
}
