import * as z from 'zod'
import { UserError } from '../errors.js'

/** The JSON beside a picture in a WebDataset shard; further fields (pose, light, …) are welcome and ignored. */
export const sampleSchema = z.object({
  subject: z.string().min(1).optional(),
  AUs: z.array(z.int()).optional(),
  intensities: z.record(z.string(), z.number()).optional(),
})

/** One line of a label file in the reference's format. */
export const labelLineSchema = z.object({
  img_path: z.string().min(1),
  AUs: z.array(z.int()).optional(),
  subject: z.union([z.string().min(1), z.int().transform(String)]).optional(),
})

/** `folds.json`: which people belong together. */
export const foldsSchema = z.object({
  key: z.literal('subject').optional(),
  folds: z
    .array(z.object({ name: z.string().min(1), subjects: z.array(z.string().min(1)).min(1) }))
    .min(1)
    .superRefine((folds, context) => {
      const names = folds.map(({ name }) => name)
      const twice = names.find((name, at) => names.indexOf(name) !== at)
      if (twice !== undefined) context.addIssue(`two folds are called "${twice}"; expected a name for each`)
    }),
})

/** `dataset.json`: the shards of a set and the action units that its labels name. */
export const datasetSchema = z.object({
  name: z.string().min(1),
  imageSize: z.int().positive().optional(),
  aus: z.array(z.int().positive()).optional(),
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

/** Text → value of the schema's type; `where` (file, member or line) begins the message of what is wrong. */
export function parseJson<S extends z.ZodType>(text: string, schema: S, where: string): z.output<S> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UserError(`${where}: not valid JSON (${(error as Error).message})`)
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]
  throw new UserError(`${where}: ${path.length > 0 ? `field "${path.join('.')}": ` : ''}${message}`)
}
