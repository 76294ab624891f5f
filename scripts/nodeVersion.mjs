// Imported first by every script here: an old Node gets one clear sentence instead of a syntax error later.
const OLDEST = 20

if (Number(process.versions.node.split('.')[0]) < OLDEST) {
  console.error(
    `This project needs Node.js ${OLDEST} or newer; this is ${process.version} (${process.execPath}).`,
  )
  process.exit(1)
}
