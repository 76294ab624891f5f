/** Where bytes come from: a URL (in Node also a path), a file or another Blob, or the bytes themselves. */
export type Source = string | URL | Blob | Uint8Array
