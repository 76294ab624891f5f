import type { Kernel } from '../../kernels/kernel.js'
import { sentinelScan } from '../../kernels/sentinel.js'
import type { Runtime } from './runtime.js'
import type { Tensor } from './tensor.js'

/** A kernel wrote NaN or infinity. */
export class NonFiniteError extends Error {
  override readonly name = 'NonFiniteError'
}

/** Looks at everything that kernels write and remembers the first one that made a NaN or an infinity (`--debug`). */
export class Sentinel {
  readonly #names: string[] = []
  readonly #flag: Tensor

  constructor(runtime: Runtime) {
    this.#flag = runtime.zeros([1], 'u32')
  }

  watch(
    runtime: Runtime,
    kernel: Kernel,
    tensors: readonly Tensor[],
    run: (scan: Kernel, inputs: Tensor[]) => void,
  ): void {
    const written = tensors.filter((tensor, i) => kernel.bindings[i] === 'write' && tensor.dtype === 'f32')
    for (const tensor of written) {
      const number = this.#names.push(`${kernel.name} → [${tensor.shape}]`)
      run(sentinelScan(runtime.caps, tensor.size, number), [tensor, this.#flag])
    }
  }

  /** Throws if anything since the last call was not finite. */
  async check(): Promise<void> {
    const [number] = await this.#flag.read()
    const name = this.#names[number! - 1]
    this.#names.length = 0
    if (name) throw new NonFiniteError(`the first NaN or infinity came out of ${name}`)
  }
}
