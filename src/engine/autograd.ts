/**
 * Reverse-mode differentiation on a tape. Ops call `recordOp` in the order they run. `backward` walks the tape from its
 * end, passes every node the gradient of its output, and adds up the gradients that it returns for its inputs.
 */
import { addForward, addInto } from '../../kernels/elementwise.js'
import { ShapeError } from './errors.js'
import type { Storage } from './memory.js'
import {
  type Backward,
  Parameter,
  type Tape,
  type TapeNode,
  type Tensor,
  type TensorRuntime,
} from './tensor.js'

/** Puts a node on the tape if one is being recorded and any input needs a gradient; returns `output`. */
export function recordOp(
  name: string,
  output: Tensor,
  inputs: readonly Tensor[],
  backward: Backward,
  saved: readonly Tensor[] = [],
): Tensor {
  const { tape } = output.runtime
  if (tape && inputs.some(needsGrad)) {
    output.requiresGrad = true
    tape.push({ name, output, inputs, backward, saved })
  }
  return output
}

export function needsGrad(x: Tensor): boolean {
  return x.requiresGrad
}

/**
 * Where an op's backward writes the whole gradient of `x`: the parameter's own slot if nothing is accumulated there yet,
 * else a new tensor that `backward` adds.
 */
export function gradientTarget(x: Tensor): Tensor {
  if (x instanceof Parameter && x.gradient && !x.gradientWritten && !x.gradientLent) {
    x.gradientLent = true
    return x.gradient
  }
  return x.runtime.empty(x.shape, x.dtype)
}

/** Runs `forward` with a tape; its result must be a scalar loss. Returns what `forward` returned. */
export function withTape<T>(runtime: TensorRuntime, forward: () => T): { result: T; tape: Tape } {
  if (runtime.tape) throw new Error('withTape: a tape is already being recorded')
  runtime.tape = []
  try {
    const result = forward()
    return { result, tape: runtime.tape }
  } finally {
    runtime.tape = null
  }
}

/**
 * Gradients of a scalar `loss` [1] with respect to every parameter on the tape, added to their slots.
 * Activations are freed as soon as no earlier node can need them; `keep` names tensors that the caller reads
 * afterwards. Gradients of non-parameter leaves with `requiresGrad` are returned. All of them are multiplied
 * by `scale` [1]:
 * loss scaling keeps those that are stored as f16 above its smallest number.
 */
export function backward(
  loss: Tensor,
  tape: Tape,
  keep: readonly Tensor[] = [],
  scale: Tensor = loss.runtime.one,
): Map<Tensor, Tensor> {
  if (loss.size !== 1) throw new ShapeError('backward', `the loss must have one element, got [${loss.shape}]`)
  return propagate(loss, scale, tape, keep)
}

/** As `backward`, from the gradient of any `output` of the tape. */
export function propagate(
  output: Tensor,
  dOutput: Tensor,
  tape: Tape,
  keep: readonly Tensor[],
): Map<Tensor, Tensor> {
  const gradients = new Map<Tensor, Tensor>([[output, dOutput]])
  const lifetime = new Lifetime(tape, [output, dOutput, ...keep])
  for (let i = tape.length - 1; i >= 0; i--) {
    const node = tape[i]
    const dy = gradients.get(node.output)
    gradients.delete(node.output)
    if (dy) {
      const spent = [dy]
      const taken = (input: Tensor) => {
        const present = gradients.get(input) ?? null
        if (present) spent.push(present)
        gradients.delete(input)
        return present
      }
      node.backward(dy, taken).forEach((gradient, k) => {
        const input = node.inputs[k]
        if (gradient && needsGrad(input)) spent.push(...accumulate(gradients, input, gradient))
      })
      lifetime.freeGradients(spent, gradients)
    }
    lifetime.nodeDone(node, gradients)
  }
  return gradients
}

/** Adds `gradient` to the gradient of `input`; returns tensors that are no longer needed. */
function accumulate(gradients: Map<Tensor, Tensor>, input: Tensor, gradient: Tensor): readonly Tensor[] {
  const { runtime } = input
  if (input instanceof Parameter) {
    const slot = input.gradient!
    if (gradient.storage !== slot.storage) {
      // A parameter that is an input twice has its slot filled by one gradient before the other comes.
      if (input.gradientWritten || input.gradientLent) {
        runtime.dispatch(addInto(runtime.caps, slot.size), [slot, gradient])
      } else runtime.copy(gradient, slot)
    }
    input.gradientWritten = true
    return gradient.storage === slot.storage ? [] : [gradient]
  }
  const present = gradients.get(input)
  if (!present) {
    gradients.set(input, gradient)
    return []
  }
  const sum = runtime.empty(input.shape, input.dtype)
  runtime.dispatch(addForward(runtime.caps, sum.size, sum.stored), [present, gradient, sum])
  gradients.set(input, sum)
  return [present, gradient]
}

/** Frees activations and gradients during the walk, to keep the peak low. */
class Lifetime {
  /** For each storage: how many tape nodes not yet walked have their output in it. */
  readonly #outputs = new Map<Storage, number>()
  readonly #kept: Set<Storage>

  constructor(tape: Tape, keep: readonly Tensor[]) {
    this.#kept = new Set(keep.map((tensor) => tensor.storage))
    for (const { output } of tape)
      this.#outputs.set(output.storage, (this.#outputs.get(output.storage) ?? 0) + 1)
  }

  /**
   * No earlier node can have saved the output of a later one, unless it lies in a storage of its own. A
   * gradient that was written over the output (see maskedPatchLoss) and is still on its way keeps it.
   */
  nodeDone(node: TapeNode, pending: Map<Tensor, Tensor>): void {
    const { storage } = node.output
    const left = this.#outputs.get(storage)! - 1
    this.#outputs.set(storage, left)
    const shared = [...node.inputs, ...pending.values()].some((tensor) => tensor.storage === storage)
    if (left === 0 && !this.#kept.has(storage) && !shared) node.output.dispose()
    for (const tensor of node.saved) tensor.dispose()
  }

  freeGradients(spent: readonly Tensor[], pending: Map<Tensor, Tensor>): void {
    const inUse = new Set([...pending.values()].map((tensor) => tensor.storage))
    for (const tensor of spent) {
      const { storage } = tensor
      if (!inUse.has(storage) && !this.#kept.has(storage) && !this.#outputs.get(storage)) tensor.dispose()
    }
  }
}
