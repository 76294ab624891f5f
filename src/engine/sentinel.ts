import type { Kernel } from '../../kernels/kernel.js'
import { sentinelScan } from '../../kernels/sentinel.js'
import type { KernelWatch, Runtime } from './runtime.js'
import type { Tensor } from './tensor.js'

/** A kernel wrote NaN or infinity. */
export class NonFiniteError extends Error {
  override readonly name = 'NonFiniteError'
}

/**
 * Looks at everything that kernels write and remembers the first one that made a NaN or an infinity
 * (`--debug`). Where losses are scaled, gradients may overflow: their step is skipped. Then it looks at
 * forward passes only.
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
      // Of a scan itself nothing is looked at: the flag it writes is no float.
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
    throw new NonFiniteError(`the first NaN or infinity came out of ${names[number - 1]}`)
  }
}
