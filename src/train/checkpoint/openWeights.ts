import * as z from 'zod'
import { parseJson } from '../../data/schemas.js'
import { UserError } from '../../errors.js'
import type { ByteFile } from './byteFile.js'
import { readSafetensorsWeights } from './safetensorsWeights.js'
import { isTorchFile, readTorchFile } from './torch/torchFile.js'
import { type Hints, hintsIn, type StoredTensor, type WeightFile } from './weightFile.js'

/** A folder as the Hugging Face hub has them, or the folder of a file. */
export interface WeightFolder {
  readonly name: string
  /** Null if there is no such file. */
  find(name: string): Promise<ByteFile | null>
}

const INDEX = 'model.safetensors.index.json'
const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) })
/** Weights that a folder may hold, the first of them is read. */
const weightNames = ['model.safetensors', 'pytorch_model.bin']
const MAX_JSON = 2 ** 26

/** The weights of a file of any supported format; the content decides, not the name. */
export async function openWeights(file: ByteFile): Promise<WeightFile> {
  const start = await file.read(0, Math.min(4, file.size))
  return isTorchFile(start) ? readTorchFile(file) : readSafetensorsWeights(file)
}

/**
 * The weights of a folder of the Hugging Face hub: one file, or the shards that its index lists. The values of
 * `config.json` and `preprocessor_config.json` become hints.
 *
 * @throws UserError that names the folder, if there are no weights
 */
export async function openWeightFolder(folder: WeightFolder): Promise<WeightFile> {
  const weights = await weightsOf(folder)
  const hints = {
    ...(await hintsOf(folder, 'config.json')),
    ...(await hintsOf(folder, 'preprocessor_config.json')),
  }
  return { ...weights, name: folder.name, hints: { ...weights.hints, ...hints } }
}

async function weightsOf(folder: WeightFolder): Promise<WeightFile> {
  const index = await folder.find(INDEX)
  if (index) return openShards(folder, index)
  for (const name of weightNames) {
    const file = await folder.find(name)
    if (file) return openWeights(file)
  }
  throw new UserError(`${folder.name}: no weights; expected ${[...weightNames, INDEX].join(' or ')}`)
}

async function openShards(folder: WeightFolder, index: ByteFile): Promise<WeightFile> {
  const { weight_map: shardOf } = await readJson(index, indexSchema)
  const shards = new Map<string, WeightFile>()
  for (const name of new Set(Object.values(shardOf))) {
    const file = /^[^/\\]+$/.test(name) ? await folder.find(name) : null
    if (!file) throw new UserError(`${index.name}: shard ${name} is not in this folder`)
    shards.set(name, await openWeights(file))
  }
  const tensors = new Map<string, StoredTensor>()
  for (const [tensor, name] of Object.entries(shardOf)) {
    const stored = shards.get(name)!.tensors.get(tensor)
    if (!stored) throw new UserError(`${index.name}: tensor ${tensor} is not in shard ${name}`)
    tensors.set(tensor, stored)
  }
  return { name: folder.name, format: 'sharded safetensors', tensors, metadata: {}, hints: {}, besides: [] }
}

async function hintsOf(folder: WeightFolder, name: string): Promise<Hints> {
  const file = await folder.find(name)
  if (!file) return {}
  return hintsIn(await readJson(file, z.record(z.string(), z.unknown())))
}

async function readJson<S extends z.ZodType>(file: ByteFile, schema: S): Promise<z.output<S>> {
  if (file.size > MAX_JSON)
    throw new UserError(`${file.name}: has ${file.size} bytes; expected at most ${MAX_JSON}`)
  return parseJson(new TextDecoder().decode(await file.read(0, file.size)), schema, file.name)
}
