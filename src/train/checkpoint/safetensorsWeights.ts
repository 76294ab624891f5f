import type { ByteFile } from './byteFile.js'
import { headerLength, parseHeader } from './safetensors.js'
import { type Hints, hintsIn, type StoredTensor, type WeightFile } from './weightFile.js'

/** A safetensors file whose tensors are read on demand. @throws UserError that names the file, if it is damaged */
export async function readSafetensorsWeights(file: ByteFile): Promise<WeightFile> {
  const length = headerLength(await file.read(0, Math.min(8, file.size)), file.size, file.name)
  const { entries, metadata } = parseHeader(await file.read(8, length), file.size, file.name)
  const tensors = new Map(
    entries.map(({ name, shape, dtype, offset, length }): [string, StoredTensor] => [
      name,
      { shape, type: dtype, bytes: () => file.read(offset, length) },
    ]),
  )
  return { name: file.name, format: 'safetensors', tensors, metadata, hints: statedIn(metadata), besides: [] }
}

/** What checkpoints of this program state, and files that `convert` writes. */
function statedIn({ config, aus, standardise, crop, thresholds }: WeightFile['metadata']): Hints {
  return hintsIn({ ...parsed(config), aus: parsed(aus), standardise, crop, thresholds: parsed(thresholds) })
}

/** Metadata of other programs may have the same names. */
function parsed(text: string | undefined): object {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
