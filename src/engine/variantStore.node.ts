import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeAtomically } from '../atomicWrite.node.js'
import { takeLock } from '../fileLock.node.js'
import { makeFolders } from '../folders.node.js'
import { cacheFolder } from './cacheFolder.node.js'
import { VariantStoreError } from './errors.js'
import type { StoredChoices, VariantStore } from './tuner.js'

type Contents = Record<string, StoredChoices>

/** A process locks the store for milliseconds only, so waiting longer than this is pointless. */
const LOCK_TRIES = 200
const LOCK_WAIT_MS = 25

/**
 * Choices as JSON in `variants.json` of `FMAE_CACHE`, else of the user's cache folder. The twin of
 * variantStore.browser.ts.
 */
export function openVariantStore(folder = process.env.FMAE_CACHE || cacheFolder()): VariantStore {
  const place = join(folder, 'variants.json')
  const load = async (): Promise<Contents> => {
    try {
      return parse(await readFile(place, 'utf8'))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
      throw new VariantStoreError(`${place} cannot be read (${(error as Error).message})`)
    }
  }
  return {
    place,
    load: async (adapter) => (await load())[adapter] ?? {},
    save: async (adapter, choices) => {
      try {
        makeFolders(folder)
        const release = await waitForLock(`${place}.lock`)
        try {
          // Read again: another process may have added to it. A damaged file is replaced.
          const contents = await load().catch((): Contents => ({}))
          const merged = { ...contents, [adapter]: { ...contents[adapter], ...choices } }
          await writeAtomically(place, [Buffer.from(`${JSON.stringify(merged, null, 1)}\n`)])
        } finally {
          release()
        }
      } catch (error) {
        throw new VariantStoreError(`${place} cannot be written (${(error as Error).message})`)
      }
    },
  }
}

async function waitForLock(path: string): Promise<() => void> {
  for (let tries = 0; tries < LOCK_TRIES; tries++) {
    const { release } = takeLock(path)
    if (release) return release
    await sleep(LOCK_WAIT_MS)
  }
  throw new Error(`${path} is locked by another process; if none is running, delete it`)
}
function parse(text: string): Contents {
  const contents: unknown = JSON.parse(text)
  if (!isRecord(contents)) throw new Error('expected an object')
  for (const [adapter, choices] of Object.entries(contents)) {
    const valid = isRecord(choices) && Object.values(choices).every(isChoice)
    if (!valid) throw new Error(`"${adapter}" contains no choices`)
  }
  return contents as Contents
}

function isChoice(value: unknown): boolean {
  return isRecord(value) && typeof value.variant === 'string' && typeof value.kernels === 'string'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
