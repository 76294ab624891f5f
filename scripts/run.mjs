import './nodeVersion.mjs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from './build.mjs'
import { main, root } from './process.mjs'
import { setup } from './setup.mjs'

// `node scripts/run.mjs PROGRAM …`: set-up, then `dist/PROGRAM.js …` in the same process, so that Ctrl-C and the exit code
// are those of the program.
await main(async () => {
  const [name, ...args] = process.argv.slice(2)
  await setup()
  await build([name])
  const program = join(root, 'dist', `${name}.js`)
  process.setSourceMapsEnabled(true)
  process.argv = [process.execPath, program, ...args]
  await import(pathToFileURL(program).href)
  return process.exitCode
})
