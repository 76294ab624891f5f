import { lossScaleKernel, lossScaleStart } from '../../../kernels/lossScale.js'
import { allocatePersistent } from '../../engine/parameters.js'
import type { Runtime } from '../../engine/runtime.js'
import { Tensor } from '../../engine/tensor.js'

/** Dynamic loss scaling in mixed precision: its state is on the device and depends on the gradients alone. */
export class LossScale {
  /** Scale, consecutive good steps, skipped steps: part of a checkpoint. */
  readonly state: Tensor
  /** The initial gradient of the loss, [1]. */
  readonly scale: Tensor
  /** Logged after each step, [1] each: the scale, and the number of steps skipped so far. */
  readonly readings: Readonly<Record<'lossScale' | 'skippedSteps', Tensor>>

  constructor(readonly runtime: Runtime) {
    const start = lossScaleStart()
    this.state = allocatePersistent(runtime, [[start.length]]).parts[0]
    runtime.write(this.state, start)
    // Gradients may overflow from now on.
    if (runtime.sentinel) runtime.sentinel.forwardOnly = true
    this.scale = this.#number(0)
    this.readings = { lossScale: this.scale, skippedSteps: this.#number(2) }
  }

  /** Removes the scale from norm, clip factor and update, and chooses the next scale. */
  update(clip: Tensor, scalars: Tensor): void {
    this.runtime.dispatch(lossScaleKernel(this.runtime.caps), [this.state, clip, scalars])
  }

  #number(index: number): Tensor {
    const { storage } = this.state
    const part = { ...storage, byteOffset: storage.byteOffset + 4 * index, byteLength: 4 }
    return new Tensor(this.runtime, part, [1], 'f32')
  }
}
