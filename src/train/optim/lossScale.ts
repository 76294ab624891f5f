import { lossScaleKernel, lossScaleStart } from '../../../kernels/lossScale.js'
import { allocatePersistent } from '../../engine/parameters.js'
import type { Runtime } from '../../engine/runtime.js'
import { Tensor } from '../../engine/tensor.js'

/** Dynamic loss scaling of a run in mixed precision: its state lies on the device and follows from the gradients alone. */
export class LossScale {
  /** Scale, good steps in a row, skipped steps: part of a checkpoint. */
  readonly state: Tensor
  /** What the gradient of the loss starts from, [1]. */
  readonly scale: Tensor
  /** What the log of a run tells of it after each step, [1] each: the scale, and how many steps were skipped so far. */
  readonly readings: Readonly<Record<'lossScale' | 'skippedSteps', Tensor>>

  constructor(readonly runtime: Runtime) {
    const start = lossScaleStart()
    this.state = allocatePersistent(runtime, [[start.length]]).parts[0]
    runtime.write(this.state, start)
    // Gradients that overflow are no fault now.
    if (runtime.sentinel) runtime.sentinel.forwardOnly = true
    this.scale = this.#number(0)
    this.readings = { lossScale: this.scale, skippedSteps: this.#number(2) }
  }

  /** Takes the scale out of norm, clip factor and update, and chooses the next scale. */
  update(clip: Tensor, scalars: Tensor): void {
    this.runtime.dispatch(lossScaleKernel(this.runtime.caps), [this.state, clip, scalars])
  }

  #number(index: number): Tensor {
    const { storage } = this.state
    const part = { ...storage, byteOffset: storage.byteOffset + 4 * index, byteLength: 4 }
    return new Tensor(this.runtime, part, [1], 'f32')
  }
}
