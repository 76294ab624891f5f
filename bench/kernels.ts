/**
 * Every kernel over the shapes that FMAE runs. Each op runs forward and backward as a whole, timed by the wall clock. It
 * then runs again between timestamps, which give each of its kernels a separate row.
 */
import { propagate, withTape } from '../src/engine/autograd.js'
import { type CapturedStep, captureStep } from '../src/engine/capturedStep.js'
import { attention } from '../src/engine/ops/attention.js'
import { bceWithLogits } from '../src/engine/ops/bceWithLogits.js'
import { gatherRows } from '../src/engine/ops/gatherRows.js'
import { gelu } from '../src/engine/ops/gelu.js'
import { layerNorm } from '../src/engine/ops/layerNorm.js'
import { linear } from '../src/engine/ops/linear.js'
import { maskedPatchLoss } from '../src/engine/ops/maskedPatchLoss.js'
import { patchify } from '../src/engine/ops/patchify.js'
import { randomMasking } from '../src/engine/ops/randomMasking.js'
import { residual } from '../src/engine/ops/residual.js'
import { softmaxCrossEntropy } from '../src/engine/ops/softmaxCrossEntropy.js'
import { ParameterArena, type ParameterSpec } from '../src/engine/parameters.js'
import { Profiler } from '../src/engine/profiler.js'
import { PhiloxStream } from '../src/engine/random.js'
import type { Runtime } from '../src/engine/runtime.js'
import type { Tensor } from '../src/engine/tensor.js'
import { AdamW } from '../src/train/optim/adamw.js'
import type { Ceilings } from './ceilings.js'
import { progress } from './progress.js'
import type { KernelRow } from './schema.js'
import { type Effort, summary, timeWork } from './timing.js'

/** Work to measure: `prepare` makes inputs and returns a function that runs the ops. */
interface Case {
  readonly name: string
  readonly shape: string
  /** Measured with `--quick` too. */
  readonly quick: boolean
  readonly prepare: (runtime: Runtime) => () => readonly Tensor[]
}

export async function measureKernels(
  runtime: Runtime,
  ceilings: Ceilings,
  effort: Effort,
  quick: boolean,
): Promise<KernelRow[]> {
  const rows: KernelRow[] = []
  const profiler = runtime.caps.timestampQuery ? new Profiler(runtime.device) : null
  for (const kernelCase of cases) {
    if (quick && !kernelCase.quick) continue
    progress(`${kernelCase.name} ${kernelCase.shape}`)
    runtime.memory.beginScope()
    const step = captureStep(runtime, kernelCase.prepare(runtime))
    rows.push(await wholeRow(runtime, kernelCase, step, ceilings, effort))
    if (profiler) {
      runtime.profiler = profiler
      rows.push(...(await kernelRows(profiler, kernelCase, step, ceilings, effort)))
      runtime.profiler = null
    }
    step.memory.release()
    runtime.memory.endScope([])
    runtime.memory.trim()
  }
  return rows
}

async function wholeRow(
  runtime: Runtime,
  { name, shape }: Case,
  step: CapturedStep,
  ceilings: Ceilings,
  effort: Effort,
): Promise<KernelRow> {
  const timing = summary(await timeWork(runtime, () => step.run(), effort))
  const flops = step.kernels.reduce((sum, { cost }) => sum + cost.flops, 0)
  const bytes = step.kernels.reduce((sum, { cost }) => sum + cost.bytes, 0)
  return { name, shape, clock: 'wall', ...timing, ...rates(flops, bytes, timing.ms, ceilings) }
}

/** A row for each kernel name in the step; dispatches of the same name are added up. */
async function kernelRows(
  profiler: Profiler,
  { name, shape }: Case,
  step: CapturedStep,
  ceilings: Ceilings,
  { rounds }: Effort,
): Promise<KernelRow[]> {
  const times = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++) {
    step.run()
    step.runtime.flush()
    for (const row of await profiler.rows())
      times.set(row.name, [...(times.get(row.name) ?? []), row.milliseconds])
  }
  return [...times].map(([kernel, values]) => {
    const timing = summary(values)
    const own = step.kernels.filter((entry) => entry.name === kernel)
    const flops = own.reduce((sum, { cost }) => sum + cost.flops, 0)
    const bytes = own.reduce((sum, { cost }) => sum + cost.bytes, 0)
    const title = own.length > 1 ? `${name} > ${own.length} × ${kernel}` : `${name} > ${kernel}`
    return { name: title, shape, clock: 'timestamp', ...timing, ...rates(flops, bytes, timing.ms, ceilings) }
  })
}

function rates(flops: number, bytes: number, ms: number, { fmaGflops, copyGBs }: Ceilings) {
  const atBest = Math.max(flops / fmaGflops, bytes / copyGBs) / 1e6
  return { gflops: flops / ms / 1e6, gbs: bytes / ms / 1e6, percentOfCeiling: (100 * atBest) / ms }
}

// ---- inputs ----

function random(runtime: Runtime, shape: readonly number[], stream: number): Tensor {
  const numbers = new PhiloxStream(0, stream)
  const length = shape.reduce((product, size) => product * size, 1)
  return runtime.tensor(
    Float32Array.from({ length }, () => 2 * numbers.uniform() - 1),
    shape,
  )
}

/** An op of tensors that all need gradients: its output, and their gradients from a random gradient of the output. */
function differentiated(
  runtime: Runtime,
  shapes: readonly (readonly number[])[],
  outputShape: readonly number[],
  op: (...inputs: Tensor[]) => Tensor,
): () => readonly Tensor[] {
  const inputs = shapes.map((shape, i) => random(runtime, shape, i))
  const dy = random(runtime, outputShape, shapes.length)
  for (const input of inputs) input.requiresGrad = true
  return () => {
    const { result, tape } = withTape(runtime, () => op(...inputs))
    const gradients = propagate(result, dy, tape, [result])
    // A sum hands its gradient on as it is, and the masked loss writes it over its input.
    const given = [dy, ...inputs].map(({ storage }) => storage)
    const own = [...gradients.values()].filter(({ storage }) => !given.includes(storage))
    return [result, ...own]
  }
}

// ---- cases ----

function linearCase(rows: number, k: number, n: number, activation: 'none' | 'gelu', quick = false): Case {
  return {
    name: activation === 'gelu' ? 'linear + GELU' : 'linear',
    shape: `${rows}×${k} → ${n}`,
    quick,
    prepare: (runtime) =>
      differentiated(runtime, [[rows, k], [n, k], [n]], [rows, n], (x, weight, bias) =>
        linear(x, weight, bias, activation),
      ),
  }
}

function attentionCase(B: number, T: number, heads: number, headDim: number, quick = false): Case {
  const D = heads * headDim
  return {
    name: 'attention',
    shape: `B ${B}, T ${T}, ${heads} heads of ${headDim}`,
    quick,
    prepare: (runtime) => differentiated(runtime, [[B, T, 3 * D]], [B, T, D], (qkv) => attention(qkv, heads)),
  }
}

function layerNormCase(rows: number, D: number, quick = false): Case {
  return {
    name: 'layerNorm',
    shape: `${rows}×${D}`,
    quick,
    prepare: (runtime) =>
      differentiated(runtime, [[rows, D], [D], [D]], [rows, D], (x, weight, bias) =>
        layerNorm(x, weight, bias, 1e-6),
      ),
  }
}

function elementwiseCase(name: 'gelu' | 'residual', rows: number, D: number, quick = false): Case {
  const shapes =
    name === 'gelu'
      ? [[rows, D]]
      : [
          [rows, D],
          [rows, D],
        ]
  const op = (a: Tensor, b?: Tensor) => (b ? residual(a, b, null) : gelu(a))
  return {
    name,
    shape: `${rows}×${D}`,
    quick,
    prepare: (runtime) => differentiated(runtime, shapes, [rows, D], (...inputs) => op(inputs[0], inputs[1])),
  }
}

function gatherCase(B: number, L: number, kept: number, D: number, quick = false): Case {
  return {
    name: 'masking + gather',
    shape: `B ${B}, ${kept} of ${L} rows, D ${D}`,
    quick,
    prepare: (runtime) => {
      const noise = random(runtime, [B, L], 9)
      return differentiated(runtime, [[B, L, D]], [B, kept, D], (x) =>
        gatherRows(x, randomMasking(noise, kept).kept),
      )
    },
  }
}

function patchLossCase(B: number, imageSize: number, quick = false): Case {
  const L = (imageSize / 16) ** 2
  return {
    name: 'maskedPatchLoss',
    shape: `B ${B}, ${imageSize} px`,
    quick,
    prepare: (runtime) => {
      const images = random(runtime, [B, 3, imageSize, imageSize], 8)
      const mask = runtime.tensor(
        Float32Array.from({ length: B * L }, (_, i) => (i % 4 ? 1 : 0)),
        [B, L],
      )
      const shape = [B, L, 16 * 16 * 3]
      return differentiated(runtime, [shape], [1], (pred) => maskedPatchLoss(pred, images, mask, true))
    },
  }
}

function patchifyCase(B: number, size: number): Case {
  return {
    name: 'patchify',
    shape: `B ${B}, ${size} px, patch 16`,
    quick: false,
    prepare: (runtime) => {
      const images = random(runtime, [B, 3, size, size], 0)
      return () => [patchify(images, 16, 'chw')]
    },
  }
}

function classLossCase(name: 'bceWithLogits' | 'softmaxCrossEntropy', B: number, classes: number): Case {
  return {
    name,
    shape: `${B}×${classes}`,
    quick: false,
    prepare: (runtime) => {
      const zeros = runtime.zeros([B, classes])
      const labels = runtime.zeros([B], 'u32')
      return differentiated(runtime, [[B, classes]], [1], (logits) =>
        name === 'bceWithLogits' ? bceWithLogits(logits, zeros) : softmaxCrossEntropy(logits, labels),
      )
    },
  }
}

function adamwCase(millions: number, quick = false): Case {
  return {
    name: 'AdamW',
    shape: `${millions} M parameters, norm clipped`,
    quick,
    prepare: (runtime) => {
      // Matrices of a quarter of a million, about as large as a ViT-S has them.
      const specs: ParameterSpec[] = Array.from({ length: 4 * millions }, (_, i) => ({
        name: `w${i}`,
        shape: [500, 500],
        init: { kind: 'constant', value: 0 },
      }))
      const arena = new ParameterArena(runtime, specs)
      const rules = new Map(specs.map(({ name }) => [name, { learningRateScale: 1, weightDecay: 0.05 }]))
      const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, maxNorm: 1 }
      const optimizer = new AdamW(runtime, arena, rules, options)
      optimizer.prepare(1e-3)
      return () => {
        for (const parameter of arena.parameters) parameter.gradientWritten = true
        optimizer.apply()
        return []
      }
    },
  }
}

/** B·T rows: 50 tokens in pretraining at 224 px, 17 and 65 in small models, 197 in decoder and fine-tuning. */
const cases: readonly Case[] = [
  linearCase(1088, 64, 192, 'none', true),
  linearCase(1088, 64, 256, 'gelu', true),
  linearCase(1040, 192, 576, 'none', true),
  linearCase(1040, 192, 768, 'gelu'),
  linearCase(1040, 768, 192, 'none'),
  linearCase(3200, 384, 1152, 'none'),
  linearCase(3200, 384, 1536, 'gelu'),
  linearCase(788, 384, 1536, 'gelu'),
  linearCase(788, 1536, 384, 'none', true),
  linearCase(400, 768, 3072, 'gelu'),
  linearCase(788, 768, 768, 'none'),
  linearCase(400, 1024, 4096, 'gelu'),
  attentionCase(64, 17, 4, 16, true),
  attentionCase(32, 50, 6, 64),
  attentionCase(16, 65, 3, 64, true),
  attentionCase(8, 197, 16, 32),
  attentionCase(4, 197, 6, 64, true),
  attentionCase(4, 197, 12, 64),
  layerNormCase(1088, 64),
  layerNormCase(1040, 192, true),
  layerNormCase(3200, 384, true),
  layerNormCase(788, 768),
  layerNormCase(400, 1024),
  elementwiseCase('gelu', 1040, 768, true),
  elementwiseCase('gelu', 788, 3072),
  elementwiseCase('residual', 1040, 192, true),
  elementwiseCase('residual', 3200, 384),
  gatherCase(64, 16, 4, 64, true),
  gatherCase(32, 196, 49, 384),
  patchifyCase(64, 64),
  patchifyCase(8, 224),
  patchLossCase(64, 64, true),
  patchLossCase(8, 224),
  classLossCase('bceWithLogits', 64, 12),
  classLossCase('bceWithLogits', 64, 168),
  classLossCase('softmaxCrossEntropy', 64, 168),
  adamwCase(1, true),
  adamwCase(22),
]
