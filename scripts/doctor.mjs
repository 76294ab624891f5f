import './nodeVersion.mjs'
import { build } from './build.mjs'
import { GET_CHROMIUM, launchChromium, NoChromiumError } from './chromium.mjs'
import { packagesAreCurrent } from './packages.mjs'
import { main } from './process.mjs'

// Changes nothing, except that it builds itself and unpacks the browser of the npm package.
await main(async () => {
  if (!packagesAreCurrent()) {
    console.log(`Node         ${process.version} ${process.platform}-${process.arch}`)
    console.log('Packages     missing, or different from package-lock.json')
    console.log('\nTo fix this, run: npm run setup')
    return 1
  }
  await build(['doctor'])
  const { doctor } = await import('../dist/doctor.js')
  // Exits at once: Dawn keeps the event loop alive.
  process.exit(await doctor(chromiumRows))
})

/** The browser for the tests, or how to get one. Training needs none. */
async function chromiumRows() {
  try {
    const { browser, version, place, adapter } = await launchChromium()
    await browser.close()
    return [['Chromium', `${version} (${place}), WebGPU on ${adapter}`]]
  } catch (error) {
    if (!(error instanceof NoChromiumError)) throw error
    return [
      ['Chromium', `none with WebGPU; browser tests are skipped: ${error.tried.join('; ')}`],
      ['', GET_CHROMIUM],
    ]
  }
}
