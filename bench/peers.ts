/** Our engine and its peers at the same work, each in a process of its own on the same adapter, round by round in turn. */
import { type EngineCommand, EngineProcess, type Work } from './engineProcess.js'
import { progress } from './progress.js'
import type { PeerRow } from './schema.js'
import { alternate, type Effort } from './timing.js'

const linears: readonly [number, number, number][] = [
  // nano: 64 images of 17 tokens, width 64.
  [1088, 64, 256],
  // 16 images of 65 tokens, width 192: the training step below.
  [1040, 192, 576],
  [1040, 192, 192],
  [1040, 192, 768],
  [1040, 768, 192],
  // ViT-S: 64 images of 50 tokens (pretraining), 4 of 197 (fine-tuning).
  [3200, 384, 1536],
  [3200, 1536, 384],
  [788, 384, 1152],
  // ViT-B: 8 images of 50 tokens, 4 of 197.
  [400, 768, 2304],
  [788, 768, 3072],
  [788, 3072, 768],
]

/** Batch, tokens, heads, head dim. */
const attentions: readonly [number, number, number, number][] = [
  [32, 50, 6, 64],
  [16, 65, 3, 64],
  [16, 65, 6, 32],
  [4, 197, 6, 64],
  [4, 197, 12, 32],
]

const layerNorms: readonly [number, number][] = [
  [1040, 192],
  [3200, 384],
  [788, 768],
]

/** The training step that all engines are asked for: 4 pre-norm blocks. */
export const trainingStep: Work = {
  work: 'trainingStep',
  shape: { batch: 16, tokens: 65, width: 192, heads: 3, mlp: 768, depth: 4 },
}

export const allWorks: readonly Work[] = [
  ...[256, 512, 768, 1024].map((size) => ({ work: 'matmul', shape: { m: size, k: size, n: size } })),
  ...linears.map(([m, k, n]) => ({ work: 'linear', shape: { m, k, n } })),
  ...attentions.map(([batch, tokens, heads, headDim]) => ({
    work: 'attention',
    shape: { batch, tokens, heads, headDim },
  })),
  ...layerNorms.map(([rows, width]) => ({ work: 'layerNorm', shape: { rows, width } })),
  trainingStep,
]

/** One or two shapes of each kind: with `--quick`. */
export const someWorks: readonly Work[] = allWorks.filter(({ work, shape }) => {
  if (work === 'matmul') return shape.m === 512
  if (work === 'linear') return shape.m === 1040 && shape.n === 576
  if (work === 'attention') return shape.headDim === 64 && shape.tokens !== 50
  return work === 'trainingStep' || shape.rows === 3200
})

/**
 * Largest difference allowed between an engine's result and ours, as a share of the largest value of that tensor. All compute in
 * f32 with sums in different orders; gradients of the training step differ by some 1e-5.
 */
export const AGREEMENT = 1e-3

/** `works` by the engines that start; the first of them is ours. */
export async function measurePeers(
  commands: readonly EngineCommand[],
  works: readonly Work[],
  effort: Effort,
): Promise<PeerRow[]> {
  const engines: EngineProcess[] = []
  for (const command of commands) {
    try {
      engines.push(await EngineProcess.start(command))
    } catch (error) {
      if (command === commands[0]) throw error
      console.log(`${command.name} is skipped: ${(error as Error).message}`)
    }
  }
  const results: PeerRow[] = []
  for (const work of works) {
    progress(`${work.work} ${shapeText(work)}`)
    results.push(await compare(engines, work, effort))
  }
  for (const engine of engines) await engine.quit()
  return results
}

/** Checks that all engines agree on `work`, then times those that do, in turn. The first engine is the one to agree with. */
async function compare(engines: readonly EngineProcess[], work: Work, effort: Effort): Promise<PeerRow> {
  const notes: Record<string, string> = {}
  const able: EngineProcess[] = []
  let expected: Map<string, Float32Array> | null = null
  for (const engine of engines) {
    try {
      await engine.load(work)
      const outputs = await engine.outputs()
      expected ??= outputs
      const difference = disagreement(expected, outputs)
      if (difference) notes[engine.name] = difference
      else able.push(engine)
    } catch (error) {
      if (engine === engines[0]) throw error
      notes[engine.name] = (error as Error).message
    }
  }
  const times = await alternate(
    able.map((engine) => (repeats: number) => engine.time(repeats)),
    effort,
  )
  for (const engine of able) await engine.drop()
  const timingOf = (name: string) => times[able.findIndex((engine) => engine.name === name)]
  const torch = timingOf('torchCpu')
  return {
    work: work.work === 'linear' ? 'matmul' : (work.work as PeerRow['work']),
    shape: shapeText(work),
    ours: timingOf('ours').ms,
    tfjs: timingOf('tfjs')?.ms ?? null,
    jaxjs: timingOf('jaxjs')?.ms ?? null,
    ...(torch ? { torchCpu: torch.ms } : {}),
    spread: Object.fromEntries(able.map(({ name }, i) => [name, [...times[i].spread]])),
    notes,
  }
}

function shapeText({ work, shape }: Work): string {
  const { m, k, n, batch, tokens, heads, headDim, rows, width, mlp, depth } = shape
  if (work === 'matmul') return `${m}×${k}×${n}`
  if (work === 'linear') return `${m}×${k} → ${n}`
  if (work === 'layerNorm') return `${rows}×${width}`
  if (work === 'attention') return `B ${batch}, T ${tokens}, ${heads} heads of ${headDim}`
  return `${depth} blocks, B ${batch}, T ${tokens}, D ${width}, ${heads} heads, MLP ${mlp}`
}

/** What differs by more than `AGREEMENT`, in words, or null. */
export function disagreement(
  expected: ReadonlyMap<string, Float32Array>,
  got: ReadonlyMap<string, Float32Array>,
): string | null {
  for (const [name, values] of expected) {
    const others = got.get(name)
    if (others?.length !== values.length) return `returns no ${name} of ${values.length} values`
    let largest = 0
    let difference = 0
    for (let i = 0; i < values.length; i++) {
      largest = Math.max(largest, Math.abs(values[i]))
      // Written so that NaN counts as a difference.
      if (!(Math.abs(values[i] - others[i]) <= difference)) difference = Math.abs(values[i] - others[i])
    }
    if (!(difference <= AGREEMENT * largest)) {
      return `disagrees on ${name} by ${difference.toExponential(1)} (largest value ${largest.toExponential(1)})`
    }
  }
  return null
}
