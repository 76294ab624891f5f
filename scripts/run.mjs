import './nodeVersion.mjs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { main, root } from './process.mjs'
import { setup } from './setup.mjs'

// `node scripts/run.mjs COMMAND …`: set-up, then `dist/train.js COMMAND …` in this same process, so that Ctrl-C and
// the exit code are the program's own.
await main(async () => {
  await setup()
  const program = join(root, 'dist', 'train.js')
  process.setSourceMapsEnabled(true)
  process.argv[1] = program
  await import(pathToFileURL(program).href)
  return process.exitCode
})
