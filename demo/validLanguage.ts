// Chromium under LANG=C.UTF-8 reports the language "en-US@posix". Intl refuses that, and the chart library
// asks Intl while it loads: this must be imported before it.
try {
  Intl.getCanonicalLocales(navigator.language)
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en-US' })
}
