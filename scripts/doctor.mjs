import './nodeVersion.mjs'
import { build } from './build.mjs'
import { packagesAreCurrent } from './packages.mjs'
import { main } from './process.mjs'

// Looks, tells, changes nothing (but for building itself).
await main(async () => {
  if (!packagesAreCurrent()) {
    console.log(`Node         ${process.version} ${process.platform}-${process.arch}`)
    console.log('Packages     missing, or not those of package-lock.json')
    console.log('\nTo mend it, run: npm run setup')
    return 1
  }
  await build(['doctor'])
  const { doctor } = await import('../dist/doctor.js')
  // Exits at once: Dawn keeps the event loop alive.
  process.exit(await doctor())
})
