import * as z from 'zod'
import { UserError } from '../errors.js'
import { crops } from '../face/crop.js'
import { subjectName } from './subjectRules.js'

/** The name or number of a subject, in all file formats. */
const subject = z.union(
  [z.string().transform(subjectName).pipe(z.string().min(1)), z.int().transform(String)],
  'expected text or an integer',
)

/** The first value that is repeated. */
function repeated<T>(values: readonly T[]): T | undefined {
  const seen = new Set<T>()
  return values.find((value) => seen.size === seen.add(value).size)
}

/** The .json of an image in a WebDataset shard. Other fields (pose, light, …) are ignored. */
export const sampleSchema = z.object({
  subject: subject.nullish(),
  AUs: z.array(z.int()).nullish(),
  intensities: z.record(z.string(), z.number()).nullish(),
})

/** One line of a label file in the reference's format. */
export const labelLineSchema = z.object({
  img_path: z.string().min(1),
  AUs: z.array(z.int()).nullish(),
  subject: subject.nullish(),
})

/** `folds.json`: the subjects of each fold. */
export const foldsSchema = z.object({
  key: z.literal('subject').optional(),
  folds: z
    .array(z.object({ name: z.string().min(1), subjects: z.array(subject).min(1) }))
    .min(1)
    .superRefine((folds, context) => {
      const name = repeated(folds.map((fold) => fold.name))
      if (name !== undefined) context.addIssue(`two folds are named "${name}"; expected unique names`)
      for (const fold of folds) {
        const subject = repeated(fold.subjects)
        if (subject !== undefined)
          context.addIssue(`subject "${subject}" is listed twice in "${fold.name}"; expected once`)
      }
    }),
})

/** `dataset.json`: the shards of a set and the AUs that its labels cover. */
export const datasetSchema = z.object({
  name: z.string().min(1),
  imageSize: z.int().positive().optional(),
  crop: z.enum(crops).optional(),
  aus: z
    .array(z.int().positive())
    .superRefine((aus, context) => {
      const twice = repeated(aus)
      if (twice !== undefined) context.addIssue(`AU ${twice} is listed twice; expected each AU once`)
    })
    .optional(),
  shards: z
    .array(
      z.object({
        file: z.string().min(1),
        split: z.string().min(1).optional(),
        images: z.int().nonnegative().optional(),
      }),
    )
    .min(1),
})

export type Dataset = z.output<typeof datasetSchema>

/** Parses JSON text by a schema. @throws UserError that begins with `where` (file, member or line). */
export function parseJson<S extends z.ZodType>(text: string, schema: S, where: string): z.output<S> {
  const result = schema.safeParse(jsonValue(text, where))
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]
  throw new UserError(`${where}: ${path.length > 0 ? `field "${path.join('.')}": ` : ''}${message}`)
}

function jsonValue(text: string, where: string): unknown {
  try {
    // Windows editors may add a byte order mark.
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    const reason = (error as Error).message.replace(/\s+/g, ' ')
    throw new UserError(`${where}: not valid JSON (${reason})`)
  }
}
