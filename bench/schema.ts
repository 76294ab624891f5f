/** What `npm run bench -- --json FILE` writes. */
import * as z from 'zod'

const milliseconds = z.number().positive()
const spread = z.tuple([milliseconds, milliseconds])
const timing = z.object({ ms: milliseconds, spread })

const kernelRow = z.object({
  /** `op`, or `op > kernel`. */
  name: z.string(),
  shape: z.string(),
  ms: milliseconds,
  gflops: z.number().nonnegative(),
  gbs: z.number().nonnegative(),
  /** Time at the ceilings divided by the measured time. Data that stays in a cache can exceed 100. */
  percentOfCeiling: z.number().nonnegative(),
  /** Shortest and longest round. */
  spread,
  /** The host's clock, or the device's between two timestamps. */
  clock: z.enum(['wall', 'timestamp']),
})

const peerRow = z.object({
  work: z.enum(['matmul', 'attention', 'layerNorm', 'trainingStep']),
  shape: z.string(),
  ours: milliseconds,
  /** null where the peer is missing, failed or disagrees; `notes` says which. */
  tfjs: milliseconds.nullable(),
  jaxjs: milliseconds.nullable(),
  torchCpu: milliseconds.optional(),
  spread: z.record(z.string(), spread),
  notes: z.record(z.string(), z.string()),
})

const memory = z.object({
  /** The most that all buffers had together. */
  peakBytes: z.number().positive(),
  /** See minimumMemory.ts. */
  minimumBytes: z.number().positive(),
})

const stepKernel = z.object({
  name: z.string(),
  dispatches: z.number(),
  ms: milliseconds,
  gflops: z.number(),
  percentOfCeiling: z.number(),
})

const stepRow = z.object({
  title: z.string(),
  batch: z.number().int().positive(),
  ms: milliseconds,
  spread,
  imagesPerSecond: z.number().positive(),
  /** Sum over the kernels between timestamps; null where the adapter has none. */
  kernelMs: milliseconds.nullable(),
  /** Time in which the host queues the step, and the remaining time, in which it waits. */
  hostMs: z.number().nonnegative(),
  /** Part of the host's time that uploads the batch. */
  uploadMs: z.number().nonnegative(),
  waitMs: z.number().nonnegative(),
  dispatches: z.number().positive(),
  submits: z.number().positive(),
  /** Without the upload, which does not depend on the number of dispatches. */
  hostMicrosecondsPerDispatch: z.number().nonnegative(),
  memory,
  /** Time per kernel, slowest first. */
  kernels: z.array(stepKernel),
})

const growthSample = z.object({
  step: z.number(),
  /** Made since the start. */
  buffers: z.number(),
  bindGroups: z.number(),
  deviceBytes: z.number(),
  /** After a full collection. */
  heapBytes: z.number(),
})

const firstStepRow = z.object({
  engine: z.string(),
  /** The driver's shader cache switched off. */
  cold: timing.nullable(),
  /** The driver's shader cache filled by a process before. */
  warm: timing.nullable(),
  /** Why there are no times. */
  reason: z.string().optional(),
})

const growth = z.object({ early: growthSample, late: growthSample })

/** Sections that were not requested are empty or null. */
export const benchSchema = z.object({
  date: z.string(),
  command: z.string(),
  versions: z.record(z.string(), z.string()),
  adapter: z.object({
    description: z.string(),
    vendor: z.string(),
    architecture: z.string(),
    software: z.boolean(),
    f16: z.boolean(),
    subgroupSizes: z.tuple([z.number(), z.number()]),
    timestampQuery: z.boolean(),
  }),
  ceilings: z.object({ fmaGflops: z.number().positive(), copyGBs: z.number().positive() }),
  kernels: z.array(kernelRow),
  peers: z.array(peerRow),
  /** Why peers are missing, or null. */
  peersMissing: z.string().nullable(),
  firstStep: z.array(firstStepRow),
  step: z.record(z.string(), stepRow),
  /** Of the step whose peak is highest above its minimum. */
  memory: memory.nullable(),
  growth: growth.nullable(),
})

export type BenchResults = z.infer<typeof benchSchema>
export type KernelRow = z.infer<typeof kernelRow>
export type PeerRow = z.infer<typeof peerRow>
export type StepRow = z.infer<typeof stepRow>
export type StepKernel = z.infer<typeof stepKernel>
export type FirstStepRow = z.infer<typeof firstStepRow>
export type Growth = z.infer<typeof growth>
export type GrowthSample = z.infer<typeof growthSample>
