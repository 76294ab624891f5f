import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type * as z from 'zod'
import { cannotWrite, temporaryBeside, writeAtomically } from '../../atomicWrite.node.js'
import { counted, examples } from '../../data/notes.js'
import { UserError } from '../../errors.js'
import { openWeightsAt } from '../../train/checkpoint/openWeights.node.js'
import type { WeightFile } from '../../train/checkpoint/weightFile.js'
import { type FolderFile, huggingFaceFolder, timmFolder } from '../../train/import/hubFolder.js'
import { type ImportedModel, importModel } from '../../train/import/importModel.js'
import { encodeModel } from '../../train/import/writeModel.js'
import type { convertOptions } from '../options.js'

/** `convert`: weights of another program → a checkpoint of this one. Returns the exit code. */
export async function convert(
  input: string,
  out: string,
  options: z.output<typeof convertOptions>,
): Promise<number> {
  if (existsSync(out)) throw new UserError(`${out} already exists; choose another name`)
  const file = await openWeightsAt(input)
  const model = importModel(file, options)
  for (const line of describe(file, model)) console.log(line)
  if (options.to === 'hf') await writeFolder(out, huggingFaceFolder(model, file.name))
  else if (options.to === 'timm') await writeFolder(out, timmFolder(model, file.name))
  else await writeAtomically(out, encodeModel(file, model, options.to === 'f16' ? 'F16' : 'F32'))
  const isStart = model.kind === 'encoder' && options.to !== 'timm'
  console.log(`Saved ${out}${isStart ? `. It is an encoder: use it with finetune --from ${out}` : ''}`)
  return 0
}

/** Writes the folder completely or not at all. */
async function writeFolder(path: string, files: readonly FolderFile[]): Promise<void> {
  const temporary = temporaryBeside(path)
  try {
    await mkdir(temporary)
    for (const { name, pieces } of files) await writeAtomically(join(temporary, name), pieces)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error instanceof UserError ? error : cannotWrite(path, error)
  }
}

/** What was read, what the model is and why, and what is left out. */
function describe(file: WeightFile, model: ImportedModel): string[] {
  const { rows, tensors, leftOut, layout } = model
  const widths = (['field', 'value'] as const).map((column) =>
    Math.max(...rows.map((row) => row[column].length)),
  )
  return [
    `${file.name}: ${file.format}, names of ${layout}`,
    ...rows.map(
      ({ field, value, source }) => `  ${field.padEnd(widths[0])}  ${value.padEnd(widths[1])}  ${source}`,
    ),
    `Taken: ${tensors.size} tensors${conversions(model)}`,
    ...(file.besides.length > 0 ? [`Not weights: ${file.besides.join(', ')}`] : []),
    ...leftOutLines(leftOut),
  ]
}

/** One line for each reason. */
function leftOutLines(leftOut: ImportedModel['leftOut']): string[] {
  const reasons = new Set(leftOut.map(({ reason }) => reason))
  return [...reasons].map((reason) => {
    const names = leftOut.filter((tensor) => tensor.reason === reason).map(({ name }) => name)
    return `Left out: ${counted(names.length, 'tensor', 'tensors')}, ${reason} (${examples(names)})`
  })
}

/** ", 12 of them converted from F16, BF16". */
function conversions({ tensors }: ImportedModel): string {
  const others = [...tensors.values()].filter(({ types }) => types.some((type) => type !== 'F32'))
  if (others.length === 0) return ''
  const types = new Set(others.flatMap((tensor) => tensor.types).filter((type) => type !== 'F32'))
  return `, ${others.length} of them converted from ${[...types].join(', ')}`
}
