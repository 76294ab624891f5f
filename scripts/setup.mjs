import './nodeVersion.mjs'
import { pathToFileURL } from 'node:url'
import { build } from './build.mjs'
import { ensureAdapter } from './ensureAdapter.mjs'
import { ensurePackages } from './packages.mjs'
import { main } from './process.mjs'

/** Everything that a fresh clone needs: packages, build, adapter. Fast if nothing is missing. Returns the adapter. */
export async function setup(options) {
  await ensurePackages()
  await build()
  return ensureAdapter(options)
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    const { notice } = await setup({ again: true })
    console.log(`setup: complete. ${notice}`)
  })
}
