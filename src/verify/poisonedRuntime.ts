import type { Kernel, KernelCaps } from '../../kernels/kernel.js'
import { perValueKernel } from '../../kernels/perValue.js'
import { Runtime } from '../engine/runtime.js'
import type { DType, Tensor } from '../engine/tensor.js'

/** A runtime whose new tensors are filled with NaN, so that values that a kernel fails to write show in the result. */
export class PoisonedRuntime extends Runtime {
  override empty(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    const tensor = super.empty(shape, dtype)
    if (tensor.size > 0) this.dispatch(poison(this.caps, tensor.storage.byteLength / 4), [tensor])
    return tensor
  }
}

export interface KernelVariant {
  /** Which kernels it selects. */
  readonly name: 'CPU kernels' | 'GPU kernels'
  readonly runtime: Runtime
  /** GPU kernels on a CPU driver: correct, but slow to compile. */
  readonly foreign: boolean
}

/** Both families of kernels on one device: those chosen for software adapters and those chosen for GPUs. */
export function kernelVariants({ device, caps, adapterNote }: Runtime): KernelVariant[] {
  const make = (software: boolean) => new PoisonedRuntime(device, { ...caps, software }, adapterNote)
  return [
    { name: 'CPU kernels', runtime: make(true), foreign: false },
    { name: 'GPU kernels', runtime: make(false), foreign: caps.software },
  ]
}

/**
 * The bits of a NaN everywhere, as f32 and as f16; as an index or a count it is out of every range. `size` in
 * words.
 */
function poison(caps: KernelCaps, size: number): Kernel {
  return perValueKernel(caps, {
    name: 'poison',
    values: size,
    width: 1,
    stored: 'f32',
    buffers: [{ name: 'y', access: 'write', type: 'u32' }],
    statement: 'y[index] = 0x7fff7fffu;',
    cost: { flops: 0, bytes: 4 * size },
  })
}
