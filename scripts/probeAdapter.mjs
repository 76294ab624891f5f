// Run by the set-up in a process of its own, because a failed search for drivers leaves Vulkan libraries loaded.
// Prints the adapter as one line of JSON.
const { findAdapter } = await import('../dist/adapter.js')
try {
  const { software, source, notice } = await findAdapter()
  console.log(JSON.stringify({ software, source, notice }))
} catch (error) {
  console.log(JSON.stringify({ error: error.message }))
}
process.exit(0)
