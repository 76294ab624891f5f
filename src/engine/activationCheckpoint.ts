import { propagate, recordOp, withTape } from './autograd.js'
import type { Tensor } from './tensor.js'

/**
 * Activation checkpointing (Chen et al. 2016, "Training deep nets with sublinear memory cost"): of all that
 * `forward` makes from x only its result is kept. Backward runs `forward` again, this time with a tape, and
 * differentiates that: about a third more arithmetic for the memory of one block instead of all. Every kernel
 * is deterministic and draws are functions of the step, so the second run makes the same numbers and the
 * gradients are those without checkpointing, bit for bit.
 *
 * `parameters` are those that `forward` uses: they put the node on the tape even where x needs no gradient.
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
