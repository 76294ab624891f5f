import * as z from 'zod'

/** The three fine-tunings of the main job, in the order in which they are shown. */
export const fineTuneNames = ['scratch', 'fmae', 'fmae-iat'] as const
export type FineTuneName = (typeof fineTuneNames)[number]

const count = z.number().int().nonnegative()
const share = z.number().min(0).max(1)
const seconds = z.number().nonnegative()
const loss = z.number().nonnegative()
/** Keys are AU numbers as text, "12". */
const auNumber = z.string().regex(/^[1-9]\d*$/, 'expected an AU number such as "12"')

const finetune = z.strictObject({
  name: z.enum(fineTuneNames),
  lambda: z.number().nonnegative(),
  f1At05: share,
  f1Best: share,
  threshold: share,
  auc: share,
  aucSeen: share,
  f1PerAu: z.record(auNumber, share),
  /** null: the unit is always present or always absent in these images, so the area is undefined. */
  aucPerAu: z.record(auNumber, share.nullable()),
  f1PerEpoch: z.array(share),
  seconds,
})

/** report.json: the results of a main job. F1 and `auc`: unseen subjects; `aucSeen`: held-out images of training subjects. */
export const reportSchema = z.strictObject({
  adapter: z.strictObject({
    vendor: z.string(),
    architecture: z.string(),
    description: z.string(),
    software: z.boolean(),
  }),
  seed: z.number().int(),
  model: z.strictObject({ preset: z.string().min(1), parameters: count }),
  data: z.strictObject({ images: count, subjects: count, aus: count }),
  pretrain: z.strictObject({
    epochs: count,
    steps: count,
    lossFirst: loss,
    lossLast: loss,
    imagesPerSecond: z.number().nonnegative(),
    seconds,
  }),
  finetune: z
    .array(finetune)
    .min(1)
    .refine((runs) => new Set(runs.map((run) => run.name)).size === runs.length, 'a name occurs twice'),
  identityProbe: z.strictObject({
    fmae: share,
    fmaeIat: share,
    fmaePublished: share,
    fmaeIatPublished: share,
    labelsOnly: share,
    chance: share,
  }),
  seconds,
})

export type Report = z.infer<typeof reportSchema>
export type FineTuneReport = Report['finetune'][number]

/** A report that does not fit the schema. `fields` are the paths of the wrong fields, such as `finetune[1].auc`. */
export class ReportError extends Error {
  constructor(
    readonly fields: readonly string[],
    message: string,
  ) {
    super(message)
    this.name = 'ReportError'
  }
}

/** Checks a value against the schema and returns it typed. Throws ReportError, which names every wrong field. */
export function parseReport(value: unknown): Report {
  const parsed = reportSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => {
    const field = fieldPath(issue.path)
    return { field, text: `${field}: ${issue.message}` }
  })
  throw new ReportError(
    problems.map((problem) => problem.field),
    `report.json does not fit its schema: ${problems.map((problem) => problem.text).join('; ')}`,
  )
}

function fieldPath(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return text.replace(/^\./, '') || 'report'
}
