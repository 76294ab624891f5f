import type { Kernel } from '../../kernels/kernel.js'
import { sentinelScan } from '../../kernels/sentinel.js'
import type { KernelWatch, Runtime } from './runtime.js'
import type { Tensor } from './tensor.js'

/** A kernel wrote NaN or infinity. */
export class NonFiniteError extends Error {
  override readonly name = 'NonFiniteError'
}

/**
 * Checks everything that kernels write and remembers the first kernel that produced NaN or infinity (`--debug`). With loss
 * scaling, gradients may overflow (their step is skipped), so only forward passes are checked.
 */
export class Sentinel implements KernelWatch {
  forwardOnly = false
  #names: string[] = []
  readonly #flag: Tensor

  constructor(readonly runtime: Runtime) {
    this.#flag = runtime.zeros([1], 'u32')
  }

  watch(kernel: Kernel, tensors: readonly Tensor[]): void {
    const { runtime } = this
    if (this.forwardOnly && !runtime.tape) return
    const isFloat = ({ dtype }: Tensor) => dtype === 'f32' || dtype === 'f16'
    const written = tensors.filter((tensor, i) => kernel.bindings[i] === 'write' && isFloat(tensor))
    for (const tensor of written) {
      const number = this.#names.push(`${kernel.name} → [${tensor.shape}]`)
      // The scan itself is not checked: the flag that it writes is not a float.
      runtime.dispatch(sentinelScan(runtime.caps, tensor.size, number, tensor.stored), [tensor, this.#flag])
    }
  }

  /** Throws if anything since the last call was not finite, and is armed again either way. */
  async check(): Promise<void> {
    const reading = this.#flag.read()
    const names = this.#names
    this.#names = []
    const [number] = await reading
    if (number === 0) return
    this.runtime.clear(this.#flag)
    throw new NonFiniteError(`the first NaN or infinity is in the output of ${names[number - 1]}`)
  }
}
