import {
  ADAMW_BLOCK,
  ADAMW_SCALAR_COUNT,
  ADAMW_SKIPPED_GROUP,
  adamwKernel,
  adamwScalars,
} from '../../../kernels/adamw.js'
import { castKernel } from '../../../kernels/cast.js'
import { clipFactorKernel, squaredNormKernel, squaredNormPartials } from '../../../kernels/norm.js'
import type { StoredType } from '../../../kernels/stored.js'
import { type ArenaChunk, allocatePersistent, type ParameterArena } from '../../engine/parameters.js'
import type { Runtime } from '../../engine/runtime.js'
import type { Tensor } from '../../engine/tensor.js'
import { LossScale } from './lossScale.js'
import type { ParameterRule } from './parameterGroups.js'

export interface AdamwOptions {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** Maximum global gradient norm; 0 disables clipping. */
  readonly maxNorm: number
  /** f16: mixed precision, with loss scaling and an f16 copy of the weights (docs/mixed-precision.md). */
  readonly precision?: StoredType
}

interface ChunkState {
  readonly chunk: ArenaChunk
  readonly firstMoment: Tensor
  readonly secondMoment: Tensor
  /** Group of every 64-element block of the chunk. */
  readonly groupOfBlock: Tensor
  /** The values rounded to f16, in mixed precision. */
  readonly shadow: Tensor | null
}

/** First and second moment of one parameter, for checkpoints. */
export interface Moments {
  readonly first: Tensor
  readonly second: Tensor
}

/**
 * AdamW over a parameter arena (Loshchilov & Hutter 2019): one dispatch per chunk, moments on the device, the step's
 * numbers as data. `prepare` uploads them at the start of a step, `apply` runs the update at its end.
 */
export class AdamW {
  /** Steps done so far; in mixed precision some of them may have been skipped. */
  stepCount = 0
  readonly lossScale: LossScale | null
  readonly moments = new Map<string, Moments>()
  readonly #states: readonly ChunkState[]
  readonly #groups: Tensor
  readonly #scalars: Tensor
  /** Norm, clip factor and non-finite flag, written on the device. */
  readonly #clip: Tensor

  constructor(
    readonly runtime: Runtime,
    readonly arena: ParameterArena,
    rules: ReadonlyMap<string, ParameterRule>,
    readonly options: AdamwOptions,
  ) {
    const table = new GroupTable(rules)
    this.lossScale = options.precision === 'f16' ? new LossScale(runtime) : null
    this.#states = arena.chunks.map((chunk) => this.#chunkState(chunk, table))
    this.#groups = persistent(runtime, table.values())
    this.#scalars = allocatePersistent(runtime, [[ADAMW_SCALAR_COUNT]]).parts[0]
    this.#clip = persistent(runtime, Float32Array.of(0, 1, 0))
  }

  /**
   * Uploads the numbers of the next update: `learningRate` from the schedule, gradients summed over `accumulated`.
   * Refreshes the f16 weights, because the weights may have been written since the last update.
   */
  prepare(learningRate: number, accumulated = 1): void {
    const step = this.stepCount + 1
    const scalars = adamwScalars({ ...this.options, learningRate, step, gradientMultiplier: 1 / accumulated })
    this.runtime.write(this.#scalars, scalars)
    for (const { chunk, shadow } of this.#states) {
      const { values } = chunk
      if (shadow) this.runtime.dispatch(castKernel(this.runtime.caps, values.size, 'f16'), [values, shadow])
    }
  }

  /** Performs one update from the gradients in the arena, then resets them. */
  apply(): void {
    this.#clearUnwritten()
    if (this.options.maxNorm > 0 || this.lossScale) this.#measureNorm()
    this.lossScale?.update(this.#clip, this.#scalars)
    for (const { chunk, firstMoment, secondMoment, groupOfBlock } of this.#states) {
      const { values, gradients } = chunk
      this.runtime.dispatch(adamwKernel(this.runtime.caps, values.size), [
        values,
        gradients,
        firstMoment,
        secondMoment,
        groupOfBlock,
        this.#groups,
        this.#scalars,
        this.#clip,
      ])
    }
    this.stepCount++
    this.arena.zeroGrad()
  }

  /** Clears stale gradients: a parameter that the loss does not depend on has gradient 0. */
  #clearUnwritten(): void {
    for (const parameter of this.arena.parameters) {
      if (parameter.gradient && !parameter.gradientWritten) this.runtime.clear(parameter.gradient)
    }
  }

  #measureNorm(): void {
    const { runtime } = this
    const counts = this.#states.map(({ chunk }) => squaredNormPartials(runtime.caps, chunk.values.size))
    const total = counts.reduce((sum, count) => sum + count, 0)
    const partials = runtime.empty([total])
    let first = 0
    this.#states.forEach(({ chunk }, i) => {
      runtime.dispatch(squaredNormKernel(runtime.caps, chunk.gradients.size, first), [
        chunk.gradients,
        partials,
      ])
      first += counts[i]
    })
    runtime.dispatch(clipFactorKernel(runtime.caps, total), [partials, this.#scalars, this.#clip])
    partials.dispose()
  }

  #chunkState(chunk: ArenaChunk, table: GroupTable): ChunkState {
    const shapes = chunk.slots.map(({ parameter }) => parameter.shape)
    const first = allocatePersistent(this.runtime, shapes)
    const second = allocatePersistent(this.runtime, shapes)
    const groups = new Uint32Array(chunk.values.size / ADAMW_BLOCK).fill(ADAMW_SKIPPED_GROUP)
    chunk.slots.forEach(({ parameter, offset }, i) => {
      const blocks = Math.ceil(parameter.size / ADAMW_BLOCK)
      groups.fill(table.groupOf(parameter.name), offset / ADAMW_BLOCK, offset / ADAMW_BLOCK + blocks)
      this.moments.set(parameter.name, { first: first.parts[i], second: second.parts[i] })
    })
    const groupOfBlock = persistent(this.runtime, groups)
    const shadow = this.lossScale && this.#shadow(chunk)
    return { chunk, firstMoment: first.whole, secondMoment: second.whole, groupOfBlock, shadow }
  }

  /** An f16 copy of the chunk in the same layout; each parameter gets its part of it as `shadow`. */
  #shadow({ slots }: ArenaChunk): Tensor {
    const shapes = slots.map(({ parameter }) => parameter.shape)
    const { whole, parts } = allocatePersistent(this.runtime, shapes, 'f16')
    slots.forEach(({ parameter }, i) => {
      parameter.shadow = parts[i]
    })
    return whole
  }
}

/** Distinct (rate multiplier, weight decay) pairs, numbered in the order of first use. */
class GroupTable {
  readonly #rows: ParameterRule[] = []

  constructor(readonly rules: ReadonlyMap<string, ParameterRule>) {}

  groupOf(name: string): number {
    const rule = this.rules.get(name)
    if (!rule) return ADAMW_SKIPPED_GROUP
    const { learningRateScale, weightDecay } = rule
    const same = (row: ParameterRule) =>
      row.learningRateScale === learningRateScale && row.weightDecay === weightDecay
    const found = this.#rows.findIndex(same)
    return found >= 0 ? found : this.#rows.push(rule) - 1
  }

  values(): Float32Array {
    return Float32Array.from(
      this.#rows.flatMap(({ learningRateScale, weightDecay }) => [learningRateScale, weightDecay, 0, 0]),
    )
  }
}

function persistent(runtime: Runtime, data: Float32Array | Uint32Array): Tensor {
  const dtype = data instanceof Uint32Array ? 'u32' : 'f32'
  const tensor = allocatePersistent(runtime, [[data.length]], dtype).parts[0]
  runtime.write(tensor, data)
  return tensor
}
