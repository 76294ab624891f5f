import { UserError } from '../../../errors.js'
import type { ByteFile } from '../byteFile.js'
import { bytesPerElement } from '../storedTypes.js'
import type { StoredTensor, WeightFile } from '../weightFile.js'
import { PickleError, type PyValue, type Unpickled, unpickle } from './pickle.js'
import { findStateDict } from './stateDict.js'
import { type Storages, storageRef, storedTensor, tensorView } from './tensorView.js'
import { isAllowedGlobal } from './torchGlobals.js'
import { readEntryBytes, readZipDirectory } from './zipDirectory.js'

/** The pickle of ViT-L with its optimizer has 0.2 MB. */
const MAX_PICKLE = 2 ** 23
/** Written by torch.save before PyTorch 1.6, and still by choice. */
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn

/** What `torch.save` wrote. */
interface Saved {
  readonly value: PyValue
  readonly storages: Storages
}

/** True for a file with these first bytes: a zip archive or a pickle. */
export function isTorchFile(start: Uint8Array): boolean {
  return isZip(start) || (start[0] === 0x80 && start[1] >= 2 && start[1] <= 5)
}

function isZip(start: Uint8Array): boolean {
  return start[0] === 0x50 && start[1] === 0x4b && start[2] === 3 && start[3] === 4
}

/**
 * The tensors of a PyTorch checkpoint, in both file formats of `torch.save`. Nothing in the file is executed.
 *
 * @throws UserError that names the file, and the Python name that is not allowed
 */
export async function readTorchFile(file: ByteFile): Promise<WeightFile> {
  const start = await file.read(0, Math.min(4, file.size))
  const { value, storages } = await (isZip(start) ? readZip(file) : readLegacy(file))
  const { dict, besides, hints } = findStateDict(value, file.name)
  const tensors = new Map<string, StoredTensor>()
  for (const [name, entry] of dict) {
    const where = `${file.name}: tensor ${typeof name === 'string' ? name : 'without a name'}`
    const view = tensorView(entry, where)
    if (!view) continue
    if (typeof name !== 'string') throw new UserError(`${file.name}: a tensor whose name is no text`)
    tensors.set(name, storedTensor(view, storages, where))
  }
  return { name: file.name, format: 'PyTorch checkpoint', tensors, metadata: {}, hints, besides }
}

async function readZip(file: ByteFile): Promise<Saved> {
  const entries = await readZipDirectory(file)
  const names = [...entries.keys()]
  const pickle = names.find((name) => /^([^/]+\/)?data\.pkl$/.test(name))
  if (pickle === undefined)
    throw new UserError(`${file.name}: a zip archive without data.pkl; expected a PyTorch checkpoint`)
  const root = pickle.slice(0, -'data.pkl'.length)
  if (names.some((name) => name.startsWith(`${root}code/`)))
    throw new UserError(
      `${file.name}: a TorchScript program; expected weights. Save them in Python: torch.save(torch.jit.load(FILE).state_dict(), OUT)`,
    )
  const order = entries.get(`${root}byteorder`)
  if (
    order &&
    new TextDecoder().decode(await readEntryBytes(file, order, 0, Math.min(order.size, 6))) !== 'little'
  )
    throw new UserError(`${file.name}: its numbers are big-endian; expected little-endian`)
  const entry = entries.get(pickle)!
  requireShort(file, entry.size)
  const { value } = unpickled(file, await readEntryBytes(file, entry), 0)
  const prefix = `${root}data/`
  const stored = names.filter((name) => name.startsWith(prefix))
  return {
    value,
    storages: {
      sizes: new Map(stored.map((name) => [name.slice(prefix.length), entries.get(name)!.size])),
      read: (key, offset, length) => readEntryBytes(file, entries.get(prefix + key)!, offset, length),
    },
  }
}

/** Five pickles (magic number, version, system, object, keys of storages), then the storages in that order. */
async function readLegacy(file: ByteFile): Promise<Saved> {
  const bytes = await file.read(0, Math.min(file.size, MAX_PICKLE))
  const magic = unpickled(file, bytes, 0)
  if (magic.value !== LEGACY_MAGIC)
    throw new UserError(`${file.name}: a pickle that torch.save did not write; expected a PyTorch checkpoint`)
  const version = unpickled(file, bytes, magic.end)
  const system = unpickled(file, bytes, version.end)
  const object = unpickled(file, bytes, system.end)
  const keys = unpickled(file, bytes, object.end)
  const places = await legacyStorages(file, object, keys)
  return {
    value: object.value,
    storages: {
      sizes: new Map([...places].map(([key, { size }]) => [key, size])),
      read: (key, offset, length) => file.read(places.get(key)!.offset + offset, length),
    },
  }
}

interface Place {
  readonly offset: number
  readonly size: number
}

/** Each storage is its number of elements (i64), then the elements. */
async function legacyStorages(
  file: ByteFile,
  object: Unpickled,
  keys: Unpickled,
): Promise<Map<string, Place>> {
  const types = new Map(
    object.persistent.map((id) => {
      const { key, type } = storageRef(id, file.name)
      return [key, type]
    }),
  )
  const places = new Map<string, Place>()
  let at = keys.end
  const isKeys = (list: PyValue): list is string[] =>
    Array.isArray(list) && list.every((key) => typeof key === 'string')
  if (!isKeys(keys.value)) throw new UserError(`${file.name}: the list of its storages is damaged`)
  for (const key of keys.value) {
    const type = types.get(key)
    if (places.has(key)) throw new UserError(`${file.name}: storage ${key} occurs twice`)
    if (!type) throw new UserError(`${file.name}: storage ${key} belongs to no tensor`)
    const count = new DataView((await file.read(at, 8)).buffer).getBigInt64(0, true)
    const size = Number(count) * bytesPerElement[type]
    if (!(size >= 0 && at + 8 + size <= file.size))
      throw new UserError(
        `${file.name}: truncated: storage ${key} has ${count} elements, but the file ends before`,
      )
    places.set(key, { offset: at + 8, size })
    at += 8 + size
  }
  return places
}

function requireShort(file: ByteFile, size: number): void {
  if (size > MAX_PICKLE)
    throw new UserError(`${file.name}: its pickle has ${size} bytes; expected at most ${MAX_PICKLE}`)
}

function unpickled(file: ByteFile, bytes: Uint8Array, at: number): Unpickled {
  try {
    return unpickle(bytes, at, isAllowedGlobal)
  } catch (error) {
    if (error instanceof PickleError) throw new UserError(`${file.name}: ${error.message}`)
    throw error
  }
}
