import { VariantStoreError } from './errors.js'
import type { StoredChoices, VariantStore } from './tuner.js'

const DATABASE = 'fmae-webgpu'
const TABLE = 'variants'

/** Choices in IndexedDB, one record for each adapter. The twin of variantStore.node.ts. */
export function openVariantStore(): VariantStore {
  return {
    place: `IndexedDB ${DATABASE}`,
    load: (adapter) => inTable('readonly', (table) => stored(table, adapter)),
    save: (adapter, choices) =>
      inTable('readwrite', async (table) => {
        const known = await stored(table, adapter)
        await done(table.put({ ...known, ...choices }, adapter))
      }),
  }
}

async function stored(table: IDBObjectStore, adapter: string): Promise<StoredChoices> {
  return (await done<StoredChoices | undefined>(table.get(adapter))) ?? {}
}

async function inTable<T>(mode: IDBTransactionMode, work: (table: IDBObjectStore) => Promise<T>): Promise<T> {
  try {
    const opening = indexedDB.open(DATABASE, 1)
    opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE)
    const database = await done(opening)
    try {
      return await work(database.transaction(TABLE, mode).objectStore(TABLE))
    } finally {
      database.close()
    }
  } catch (error) {
    // Private windows refuse IndexedDB.
    throw new VariantStoreError(`IndexedDB ${DATABASE}: ${(error as Error).message}`)
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
