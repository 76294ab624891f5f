import './nodeVersion.mjs'
import { buildDemo } from './buildDemo.mjs'
import { ensurePackages } from './packages.mjs'
import { main, SetupError } from './process.mjs'
import { serveFolder } from './serveFolder.mjs'

const DEFAULT_PORT = 8080

// `npm run demo [-- PORT]`: builds the demo and serves it on this machine until Ctrl-C.
await main(async () => {
  const port = Number(process.argv[2] ?? DEFAULT_PORT)
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new SetupError(`demo: "${process.argv[2]}" is not a valid port; expected 0 to 65535`)
  await ensurePackages()
  const folder = await buildDemo()
  const { url } = await serve(folder, port)
  console.log(`The demo is running at ${url}\nOpen it in Chrome or Edge. Press Ctrl-C to stop.`)
  await new Promise((done) => process.once('SIGINT', done))
  process.exit(0)
})

async function serve(folder, port) {
  try {
    return await serveFolder(folder, { port })
  } catch (error) {
    if (error.code !== 'EADDRINUSE') throw error
    throw new SetupError(`demo: port ${port} is in use; choose another: npm run demo -- 8081`)
  }
}
